"""Great Expectations over one DuckDB file, read-only, and nothing left open behind.

Imports Great Expectations (seconds): import this module inside functions only.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from expectations.put_off import put_off
from expectations.scope import CATALOG, Scope, every_row

with put_off("altair", "scipy.stats"):
    import great_expectations as gx
    from great_expectations.core.result_format import ResultFormat
    from great_expectations.data_context.types.base import ProgressBarsConfig

    from expectations.persisted_connections import persist_duckdb_connections

if TYPE_CHECKING:
    from great_expectations.core.expectation_validation_result import ExpectationSuiteValidationResult
    from great_expectations.expectations.expectation import Expectation

DUCKDB_URL = "duckdb:///{path}?access_mode=read_only"


class Session:
    """One connection to the file under test, and the context that validates over it."""

    def __init__(self, file: Path, attached: Path | None = None) -> None:
        """Connect.

        Args:
            file: The DuckDB file with the tables under test.
            attached: Another DuckDB file to read from in queries, under the name of the file.

        Raises:
            FileNotFoundError: If one of the files is not there.
        """
        for needed in filter(None, (file, attached)):
            if not needed.is_file():
                raise FileNotFoundError(
                    f"{needed} is not there: nothing has been built that could be checked"
                )
        persist_duckdb_connections()
        self._catalog = file.stem
        self._context = gx.get_context(mode="ephemeral")
        self._context.variables.progress_bars = ProgressBarsConfig(globally=False)
        self._source = self._context.data_sources.add_sql(
            "warehouse",
            connection_string=DUCKDB_URL.format(path=file.resolve()),
            create_temp_table=False,
        )
        self._engine = self._source.get_execution_engine()
        with self._engine.get_connection() as connection:
            connection.exec_driver_sql("set TimeZone = 'UTC'")
            if attached:
                path = str(attached.resolve()).replace("'", "''")
                connection.exec_driver_sql(f"attach '{path}' as {attached.stem} (read_only)")
            # Great Expectations rolls back after an error, and would take the attached file with it.
            connection.commit()

    def narrow(self, schema: str, scopes: Mapping[str, Scope]) -> Mapping[str, Scope]:
        """Make a view `written.<table>` of every table of a schema, with the rows that a gate looks at.

        Checks that hold one table against another read both there, so all are narrowed or none. Where rows
        that should stand apart do not, as after a publication, everything is looked at.

        Args:
            schema: The schema.
            scopes: What is looked at of a table, where that is not all of it.

        Returns:
            The scopes that are in force.
        """
        layer = f"{self._catalog}.{schema}"
        with self._engine.get_connection() as connection:
            relations = {
                (found, table)
                for catalog, found, table in connection.exec_driver_sql(
                    "select database_name, schema_name, table_name from duckdb_tables()"
                )
                if catalog == self._catalog
            }
            tables = sorted(table for found, table in relations if found == schema)
            apart = {(scope.schema, table) for table, scope in scopes.items() if table in tables}
            if not relations >= apart:
                scopes = {}
            connection.exec_driver_sql(f"attach ':memory:' as {CATALOG} (read_write)")
            for table in tables:
                scope = scopes.get(table)
                rows = scope.rows(layer, table) if scope else every_row(layer, table)
                connection.exec_driver_sql(f'create view {CATALOG}.main."{table}" as {rows}')
            connection.commit()
        return scopes

    def validate(
        self, name: str, schema: str, table: str, expectations: list[Expectation]
    ) -> ExpectationSuiteValidationResult:
        """Run expectations on a table.

        Args:
            name: The suite's name.
            schema: The table's schema, with its catalog where that is not the file under test.
            table: The table or view.
            expectations: What is expected of it.

        Returns:
            Great Expectations' result.

        Raises:
            Exception: Whatever Great Expectations raises outside of single expectations, such as for
                a table that is not there.
        """
        # The catalog goes first because DuckDB calls `staging.x` ambiguous in a file staging.duckdb.
        qualified = schema if "." in schema else f"{self._catalog}.{schema}"
        with warnings.catch_warnings():
            # Deprecated in favour of a schema in the connection, which this kind of source does not have.
            warnings.filterwarnings("ignore", "`schema_name` is deprecated", DeprecationWarning)
            asset = self._source.add_table_asset(name, table_name=table, schema_name=qualified)
        # Without a definition, which would be written to the context with all others; and of results only
        # what the audit keeps: the summaries of the default format are a quarter of a gate's work in Python.
        batch = asset.get_batch(asset.build_batch_request())
        return batch.validate(
            gx.ExpectationSuite(name=name, expectations=expectations), result_format=ResultFormat.BASIC
        )

    def close(self) -> None:
        """Let go of the file: both engines that Great Expectations made, and the connection it kept."""
        if self._engine._connection is not None:
            self._engine._connection.close()
            self._engine._connection = None
        self._engine.engine.dispose()
        self._source.get_engine().dispose()


@contextmanager
def session(file: Path, attached: Path | None = None) -> Iterator[Session]:
    """Open a session and close it whatever happens; see `Session`."""
    opened = Session(file, attached)
    try:
        yield opened
    finally:
        opened.close()
