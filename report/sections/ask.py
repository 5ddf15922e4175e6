"""What several sections ask of the published file.

What does NOT belong here: a question of one section only.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Any

import duckdb


@dataclass(frozen=True)
class Published:
    """What every section may have to say of the published night.

    Attributes:
        run_id: Its run.
        as_of: T, the last business day that it knows of.
        currency: ISO 4217 code of revenue.
        time_zone: IANA name of the business time zone.
    """

    run_id: str
    as_of: date
    currency: str
    time_zone: str


def published(connection: duckdb.DuckDBPyConnection) -> Published:
    """Return the night that the file holds.

    Raises:
        LookupError: The file holds none.
    """
    row = connection.execute(
        """
        select run_id, as_of, reporting_currency, business_time_zone
        from audit.runs where published_at is not null order by published_at desc limit 1
        """
    ).fetchone()
    if row is None:
        raise LookupError("The published file names no published run.")
    return Published(*row)


def rows(
    connection: duckdb.DuckDBPyConnection, query: str, parameters: dict[str, Any] | None = None
) -> list[tuple[Any, ...]]:
    """Return all rows of a query."""
    return connection.execute(query, parameters or {}).fetchall()


def row(
    connection: duckdb.DuckDBPyConnection, query: str, parameters: dict[str, Any] | None = None
) -> tuple[Any, ...]:
    """Return the one row of a query that always has one."""
    return rows(connection, query, parameters)[0]
