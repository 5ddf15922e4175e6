"""Rows of the raw zone, as it is now, that name a person: for its owner, who alone can change it.

Staging knows how every table spells its identifiers, so its SQL is what looks for them: dbt compiles it over
views of the zone in a folder that is thrown away, and no night, lock or build file is needed. What does NOT
belong here: who the person is (`warehouse.persons`).
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import duckdb

from orchestration import dbt
from orchestration.settings import PROJECT_ROOT, Settings
from warehouse import raw_zone
from warehouse.contract import read_contract
from warehouse.ledger import read_ledger
from warehouse.night import Warehouse
from warehouse.quoting import literal
from warehouse.raw_zone import RawZone

_PERSONS = "memory.main.persons"


@dataclass(frozen=True)
class RawRow:
    """One row of the raw zone.

    Attributes:
        table: Raw table.
        file: Its file, relative to the zone.
        key: Its key, the parts of a composite one joined with |.
        content: The row as it was delivered, contract columns only, as JSON.
        is_own: Whether it is the person's; else it is somebody else's, and names the person beside them.
    """

    table: str
    file: str
    key: str
    content: str
    is_own: bool


class RawRows:
    """The raw zone, opened to be searched."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, zone: RawZone, query: str) -> None:
        """Take a connection to views of the zone and the query that searches them."""
        self._connection = connection
        self._zone = zone
        self._query = query

    def that_name(self, identifier_keys: Sequence[str]) -> list[RawRow]:
        """Return the rows that name one of some identifiers, and what belongs to such rows.

        Raises:
            RawZoneError: A file cannot be read whole.
        """
        self._connection.execute(f"create or replace table {_PERSONS} (identifier_key varchar)")
        self._connection.execute(f"insert into {_PERSONS} select unnest(?)", [list(identifier_keys)])
        try:
            rows = self._connection.sql(self._query).order("all").fetchall()
        except duckdb.Error:
            raw_zone.require_whole(self._zone)
            raise
        return [RawRow(*row) for row in rows]


@contextmanager
def opened(settings: Settings) -> Iterator[RawRows]:
    """Open the raw zone of a warehouse.

    Raises:
        RawZoneError: The zone cannot be read.
        DbtError: The project does not compile.
    """
    ledger = read_ledger(Warehouse(settings.warehouse).staging_file)
    zone = raw_zone.inspect(settings.raw, read_contract(PROJECT_ROOT), settings.source_time_zones, ledger)
    with tempfile.TemporaryDirectory(prefix="engagement-") as folder:
        apart = replace(settings, warehouse=Path(folder))
        place = Warehouse(apart.warehouse)
        place.prepare()
        raw_zone.open_views(
            place.staging_file,
            zone,
            "no key is needed",
            gathered=place.gathered,
            read_whole=[files.table.name for files in zone.tables],
        )
        _load_blocked(place.staging_file)
        with apart.applied():
            query = dbt.compiled(
                f"{{{{ raw_rows_that_name('{_PERSONS}') }}}}",
                variables=dbt.variables(
                    run_id="none",
                    as_of="",
                    business_time_zone=apart.time_zone,
                    reporting_currency=apart.reporting_currency,
                    source_time_zones=apart.source_time_zones,
                ),
                target=place.dbt_target,
            )
        with duckdb.connect() as connection:
            connection.execute("set TimeZone = 'UTC'")
            connection.execute(f"attach {literal(place.staging_file)} as staging (read_only)")
            yield RawRows(connection, zone, query)


def _load_blocked(staging_file: Path) -> None:
    """Load the one seed that decides whose a row is: placeholders name nobody."""
    with duckdb.connect(str(staging_file)) as connection:
        connection.execute("create schema seeds")
        connection.execute(
            "create table seeds.blocked_identifiers as from read_csv(?, all_varchar = true)",
            [str(PROJECT_ROOT / "seeds" / "blocked_identifiers.csv")],
        )
