"""Which raw tables have stopped arriving, as the last published night saw them.

Loads are held against the time at which that night began: a night that is late itself does not make its
sources stale. What does NOT belong here: how old is too old (`seeds/quality_thresholds.csv`), whom to tell.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import duckdb


@dataclass(frozen=True)
class StaleSource:
    """A raw table without a recent load.

    Attributes:
        table_name: Raw table.
        last_loaded_at: Latest `loaded_at` that any published night has read (UTC, naive).
        limit: What its age should not exceed.
    """

    table_name: str
    last_loaded_at: datetime
    limit: timedelta


def stale_sources(published: Path, limit_of: Callable[[str], timedelta]) -> list[StaleSource]:
    """Return the raw tables whose latest load was too old when the last published night began.

    A table that never had a row is a channel that the company does not have; one whose files went away is
    judged by what earlier nights had read of it.

    Args:
        published: The published file.
        limit_of: How old the latest load of a raw table may be.
    """
    with duckdb.connect(str(published), read_only=True) as connection:
        loads = connection.execute(
            """
            with nights as (
                select run_id, started_at, night_number from audit.runs where outcome = 'succeeded'
            )
            select
                source_loads.table_name,
                max(source_loads.last_loaded_at) as last_loaded_at,
                (select arg_max(started_at, night_number) from nights) as seen_at
            from audit.source_loads
            inner join nights on source_loads.run_id = nights.run_id
            where source_loads.last_loaded_at is not null
            group by source_loads.table_name
            order by source_loads.table_name
            """
        ).fetchall()
    return [
        StaleSource(table, loaded_at, limit_of(table))
        for table, loaded_at, seen_at in loads
        if seen_at - loaded_at > limit_of(table)
    ]
