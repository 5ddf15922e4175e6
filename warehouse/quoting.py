"""Names and texts as DuckDB's SQL writes them, whatever letters they hold."""

from __future__ import annotations


def identifier(name: str) -> str:
    """Return a name of a table or column in its quotes."""
    return '"' + name.replace('"', '""') + '"'


def literal(text: object) -> str:
    """Return a text, or a path, in its quotes."""
    return "'" + str(text).replace("'", "''") + "'"
