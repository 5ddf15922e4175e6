"""Make Great Expectations keep one connection open to DuckDB while it validates.

Great Expectations (1.24) closes the connection before it fetches the result, unless the dialect is
on a private list. DuckDB drops a pending result with its connection, so that every SQL expectation
fails with `IndexError: list index out of range`. This module puts DuckDB on that list.

Delete this module, and its call in `expectations.session`, once
`test_great_expectations_still_needs_persisted_connections` fails: upstream has mended it then.
"""

from great_expectations.execution_engine import sqlalchemy_execution_engine as engine_module


class _Dialect(str):
    """A dialect's name with the `.value` of the enumeration that upstream keeps in the list."""

    __slots__ = ()

    @property
    def value(self) -> str:
        return str(self)


DUCKDB = _Dialect("duckdb")


def persist_duckdb_connections() -> None:
    """Put DuckDB on the list of dialects with a persisted connection; harmless if it is there."""
    dialects = engine_module._PERSISTED_CONNECTION_DIALECTS
    if DUCKDB not in dialects:
        engine_module._PERSISTED_CONNECTION_DIALECTS = (*dialects, DUCKDB)  # type: ignore[assignment]
