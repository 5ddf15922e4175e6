"""What a gate looks at of a table: everything, or in a night only what has come to it since the last one.

Rows of earlier nights have passed the gate. What does NOT belong here: which tables a night writes how;
whoever runs the night says so.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

WHOLE = "all"
"""The scope of a check that looks at every row, as the audit calls it."""
CATALOG = "written"
"""In memory: a view for every table, with the rows that the gate looks at."""


@dataclass(frozen=True)
class Scope:
    """The rows of a table that a gate looks at.

    Attributes:
        schema: Where they stand, in a table of the same name.
        since: Column and first day from which rows of the layer's own table belong to them, too.
    """

    schema: str
    since: tuple[str, date] | None = None

    def rows(self, layer: str, table: str) -> str:
        """Return SQL of the rows.

        Args:
            layer: Schema of the whole table, with its catalog.
            table: The table.
        """
        catalog = layer.rpartition(".")[0]
        apart = every_row(f"{catalog}.{self.schema}", table)
        if self.since is None:
            return apart
        column, day = self.since
        return f"{apart} union all by name {every_row(layer, table)} where {column} >= date '{day}'"


def every_row(schema: str, table: str) -> str:
    """Return SQL of all rows of a table.

    Args:
        schema: Its schema, with its catalog.
        table: The table.
    """
    return f'select * from {schema}."{table}"'  # noqa: S608 - names from the code
