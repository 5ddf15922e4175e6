"""Nights of seeds and staging alone, and the full build that every one of them must equal.

What a night is (its number, the last published one, the files that have arrived) is decided by the functions
that a real night calls. What does NOT belong here: what staging should hold.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import date, datetime
from pathlib import Path
from typing import Any

import duckdb
from light_dbt import light_manifest, lightened
from nights import PROJECT

from orchestration import dbt
from warehouse.contract import read_contract
from warehouse.ledger import read_ledger
from warehouse.night import Basis, Warehouse
from warehouse.raw_zone import RawZone, inspect, open_views

AS_OF = date(2024, 12, 31)
CONTRACT = read_contract(PROJECT)


class StagingNights:
    """A warehouse of which nights build only seeds and staging.

    Args:
        folder: Where it stands.
        raw: The raw zone that it reads.
        built: Build file of a warehouse over an empty zone to start from, so that nights need not build
            seeds, and tables that a test has no rows of.

    Attributes:
        zone: What the last night found in the raw zone.
    """

    zone: RawZone

    def __init__(self, folder: Path, raw: Path, built: Path | None = None) -> None:
        self.raw = raw
        self._place = Warehouse(folder)
        self._place.prepare()
        if built is not None:
            shutil.copy(built, self._place.staging_file)
        self._number = 0
        self._published = 0
        self._basis = Basis(1)

    @property
    def file(self) -> Path:
        """The build file."""
        return self._place.staging_file

    @property
    def folder(self) -> Path:
        """The warehouse."""
        return self._place.folder

    def look(self) -> Basis:
        """Take the first step of a night: look at the raw zone and open the views."""
        self._number += 1
        basis = Basis(self._number)
        if self._published:
            # staging asks only whether there is a last night, not how much it knew
            basis = Basis(self._number, self._published, AS_OF, datetime(2025, 1, 1))
        self._basis = basis
        ledger = read_ledger(self._place.staging_file) if self._published else None
        self.zone = inspect(self.raw, CONTRACT, {}, ledger, basis.number, basis.last_number)
        open_views(self._place.staging_file, self.zone, "key", basis.number)
        return basis

    def night(
        self,
        *,
        select: Sequence[str] = (),
        restated: Sequence[str] = (),
        is_tested: bool = False,
        is_published: bool = True,
    ) -> dict[str, str]:
        """Run a night.

        Args:
            select: dbt selectors of what it comes to; by default all of staging.
            restated: Models that are built anew.
            is_tested: Run dbt's tests of data, too.
            is_published: Whether it comes to its end, so that the next one builds on it.

        Returns:
            Name of every node to its status.

        Raises:
            AssertionError: A model or a test failed.
        """
        basis = self.look()
        outcome = self._dbt(basis, select or dbt.selection("staging"), restated, is_tested)
        if is_published:
            self._published = basis.number
        return outcome

    def test(self, model: str) -> None:
        """Run dbt's tests of a model as the last night would.

        Raises:
            AssertionError: A test failed.
        """
        self._dbt(self._basis, [f"{model},resource_type:test"], (), True)

    def _dbt(
        self, basis: Basis, select: Sequence[str], restated: Sequence[str], is_tested: bool
    ) -> dict[str, str]:
        os.environ["ENGAGEMENT_WAREHOUSE"] = str(self._place.folder)
        arguments = dbt.build_arguments(
            select=select,
            variables=dbt.variables(
                run_id="test",
                as_of=AS_OF.isoformat(),
                business_time_zone="UTC",
                reporting_currency="USD",
                source_time_zones={},
                basis=basis,
                restated_models=restated,
                reread_tables=self.zone.reread_tables,
            ),
            target=self._place.dbt_target,
        )
        with lightened():
            results = dbt.build(arguments, light_manifest(has_tests=is_tested), lambda *_: None)
        failures = [f"{result.name}: {result.message}" for result in results if result.is_failure]
        assert not failures, "\n".join(failures)
        return {result.name: result.status for result in results}

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        """Return the answer of a query on the build file, schema staging first."""
        with self._connected() as connection:
            return connection.execute(query).fetchall()

    def content(self) -> dict[str, list[tuple[Any, ...]]]:
        """Return what a full build must hold, too: every table, but for the numbers of nights."""
        found = {}
        with self._connected() as connection:
            columns = connection.execute(
                """
                select table_name, string_agg(column_name, ', ' order by column_name)
                from duckdb_columns()
                where
                    schema_name = 'staging'
                    and column_name <> 'changed_in'
                    and table_name in (select table_name from duckdb_tables() where schema_name = 'staging')
                    and not regexp_matches(table_name, '__(changes|row_accounts)$')
                group by table_name
                """
            ).fetchall()
            for table, names in columns:
                query = f"select {names} from {table} order by all"
                found[table] = connection.execute(query).fetchall()
        return found

    @contextmanager
    def _connected(self) -> Iterator[duckdb.DuckDBPyConnection]:
        with duckdb.connect(str(self._place.staging_file), read_only=True) as connection:
            connection.execute("use staging")
            yield connection
