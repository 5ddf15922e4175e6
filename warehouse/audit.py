"""What each night leaves behind for later questions: runs, models, checks and source loads, in schema audit.

These tables are appended to from Python, beside the audit models that dbt builds; they stand in the build
file, survive every rebuild of the marts and are published with them. A column that a newer version adds is
added to the tables of an older one. What does NOT belong here: anything about a customer.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import astuple, dataclass
from datetime import datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import duckdb

from warehouse.erasures import Register
from warehouse.night import Night, utc_now
from warehouse.quoting import literal
from warehouse.state import SCHEMA_VERSION


@dataclass(frozen=True)
class Column:
    """One column of an audit table: its name, DuckDB type and meaning."""

    name: str
    type: str
    comment: str


@dataclass(frozen=True)
class Table:
    """One audit table: its name, meaning and columns."""

    name: str
    comment: str
    columns: tuple[Column, ...]


@dataclass(frozen=True)
class ModelRun:
    """How the build of one dbt node went.

    Attributes:
        layer: seeds, staging, intermediate, marts or audit.
        model_name: Name of the model or seed.
        resource_type: model or seed.
        status: success, error or skipped.
        started_at: When it started (UTC), if it did.
        seconds: Time that the engine took.
        row_count: Rows of the table afterwards; `None` for a view.
        message: What the engine said.
        restated: Why a night that builds on another built it anew; `None` when it did not.
    """

    layer: str
    model_name: str
    resource_type: str
    status: str
    started_at: datetime | None
    seconds: float
    row_count: int | None
    message: str
    restated: str | None = None


@dataclass(frozen=True)
class CheckRow:
    """The result of one check, whoever made it.

    Attributes:
        tool: great_expectations or dbt.
        layer: raw, staging, intermediate, marts or audit.
        suite: Suite of Great Expectations, or the dbt test's name.
        table_name: Table that was checked.
        expectation: Kind of check.
        column_name: Column that was checked, if one.
        kwargs: Arguments as JSON.
        severity: error stops the night, warning does not.
        is_success: Whether it held.
        observed: What was seen, as text.
        element_count: Rows looked at, if the tool says so.
        unexpected_count: Rows that broke the rule, if the tool says so.
        exception: What went wrong with the check itself, if anything.
        scope: Which rows were looked at, as far as the tool says so.
    """

    tool: str
    layer: str
    suite: str
    table_name: str
    expectation: str
    column_name: str | None
    kwargs: str
    severity: str
    is_success: bool
    observed: str | None
    element_count: int | None
    unexpected_count: int | None
    exception: str | None
    scope: str | None = None


@dataclass(frozen=True)
class SourceLoad:
    """What a night found of one raw table.

    Attributes:
        table_name: Raw table.
        file_count: Files read.
        size_bytes: Their size together.
        row_count: Rows in them.
        last_loaded_at: Latest `loaded_at`, UTC; `None` without a row.
        extra_columns: Columns that the contract does not know, comma separated.
        files_read: Files that this night has read.
        rows_read: Rows in these.
        is_reread: Whether all were read because a known file changed or went away.
    """

    table_name: str
    file_count: int
    size_bytes: int
    row_count: int
    last_loaded_at: datetime | None
    extra_columns: str
    files_read: int | None = None
    rows_read: int | None = None
    is_reread: bool = False


@dataclass(frozen=True)
class LineageRow:
    """One origin of a published column.

    Attributes:
        schema_name: marts or audit.
        mart: Published table.
        column_name: Its column; `None` for what decides which rows there are.
        source_schema: raw or seeds.
        source_table: Raw table or seed.
        source_column: Its column.
        kind: direct, derived, aggregated or rows.
        via: Models on the way, comma separated.
    """

    schema_name: str
    mart: str
    column_name: str | None
    source_schema: str
    source_table: str
    source_column: str
    kind: str
    via: str


RUNS = Table(
    "runs",
    "One row per night that went past the raw zone's inspection.",
    (
        Column("run_id", "varchar", "Id of the run, the orchestrator's own."),
        Column("as_of", "date", "Last business day that the run knows of: the snapshot date."),
        Column("started_at", "timestamp", "When the run started (UTC)."),
        Column("ended_at", "timestamp", "When it ended (UTC); null while it runs."),
        Column(
            "outcome",
            "varchar",
            "running, succeeded (published), failed, partial (nothing to publish) or killed.",
        ),
        Column("failure", "varchar", "Why it failed, in one sentence; null otherwise."),
        Column("is_full_refresh", "boolean", "Whether incremental tables were built anew."),
        Column("night_number", "bigint", "Number of the night, counted up whenever one begins."),
        Column("last_night_number", "bigint", "The night that it builds on; 0 for none."),
        Column("basis", "varchar", "What it builds on, or why on nothing, in words."),
        Column(
            "restated", "varchar", "What was built anew because of a changed seed or model; null for none."
        ),
        Column("schema_version", "bigint", "Version of the build files."),
        Column("settings_fingerprint", "varchar", "Hash of the settings that every row depends on."),
        Column("business_time_zone", "varchar", "Time zone of the business days."),
        Column("reporting_currency", "varchar", "Currency of every revenue column (ISO 4217)."),
        Column("code_version", "varchar", "Version of the code: tag and commit, or the package's version."),
        Column("seeds_hash", "varchar", "Fingerprint of the business decisions under seeds/."),
        Column("dbt_version", "varchar", "Version of dbt-core."),
        Column("duckdb_version", "varchar", "Version of DuckDB."),
        Column("dagster_version", "varchar", "Version of Dagster."),
        Column("great_expectations_version", "varchar", "Version of Great Expectations."),
        Column(
            "published_at", "timestamp", "When the night was handed to readers (UTC); null if it was not."
        ),
        Column(
            "withdrawn_at",
            "timestamp",
            "When readers were taken back to an earlier night (UTC); null if they were not.",
        ),
    ),
)
MODEL_RUNS = Table(
    "model_runs",
    "One row per dbt model or seed and night.",
    (
        Column("run_id", "varchar", "The night, see runs."),
        Column("layer", "varchar", "seeds, staging, intermediate, marts or audit."),
        Column("model_name", "varchar", "Name of the model or seed."),
        Column("resource_type", "varchar", "model or seed."),
        Column("status", "varchar", "success, error or skipped."),
        Column("started_at", "timestamp", "When it started (UTC)."),
        Column("seconds", "double", "How long the engine took."),
        Column("row_count", "bigint", "Rows of the table afterwards; null for a view."),
        Column("message", "varchar", "What the engine said."),
        Column(
            "restated", "varchar", "Why a night that builds on another built it anew; null when it did not."
        ),
    ),
)
CHECK_RESULTS = Table(
    "check_results",
    "One row per check and night, of Great Expectations and of dbt.",
    (
        Column("run_id", "varchar", "The night, see runs."),
        Column("checked_at", "timestamp", "When the layer's checks were done (UTC)."),
        Column("tool", "varchar", "great_expectations or dbt."),
        Column("layer", "varchar", "Layer that was checked."),
        Column("suite", "varchar", "Suite of Great Expectations, or the dbt test's name."),
        Column("table_name", "varchar", "Table that was checked."),
        Column("expectation", "varchar", "Kind of check."),
        Column("column_name", "varchar", "Column that was checked, if one."),
        Column("kwargs", "varchar", "Arguments of the check as JSON."),
        Column("severity", "varchar", "error stops the night, warning does not."),
        Column("is_success", "boolean", "Whether it held."),
        Column("observed", "varchar", "What was seen."),
        Column("element_count", "bigint", "Rows looked at, if the tool says so."),
        Column("unexpected_count", "bigint", "Rows that broke the rule, if the tool says so."),
        Column("exception", "varchar", "What went wrong with the check itself, if anything."),
        Column(
            "scope",
            "varchar",
            "Rows that were looked at, as far as the tool says so: all; arrived, those of files that no"
            " published night has read; tonight, those the night has written. Others have passed before.",
        ),
    ),
)
SOURCE_LOADS = Table(
    "source_loads",
    "One row per raw table and night: what the raw zone held.",
    (
        Column("run_id", "varchar", "The night, see runs."),
        Column("table_name", "varchar", "Raw table."),
        Column("file_count", "bigint", "Files read; 0 for a channel that is not there."),
        Column("size_bytes", "bigint", "Size of the files together."),
        Column("row_count", "bigint", "Rows in them."),
        Column("files_read", "bigint", "Files that this night has read: all, or those that have arrived."),
        Column("rows_read", "bigint", "Rows in these."),
        Column("is_reread", "boolean", "Whether all were read because a known file changed or went away."),
        Column("last_loaded_at", "timestamp", "High-water mark: latest loaded_at that was read (UTC)."),
        Column("extra_columns", "varchar", "Columns that the contract does not know, comma separated."),
    ),
)
MODEL_VERSIONS = Table(
    "model_versions",
    "One row per model: what its stored rows follow from, as of the last succeeded night.",
    (
        Column("model_name", "varchar", "Name of the model."),
        Column("run_id", "varchar", "The night, see runs."),
        Column(
            "fingerprint", "varchar", "Hashes of its SQL, columns, macros, seeds and thresholds, as JSON."
        ),
    ),
)
SNAPSHOT_CHANGES = Table(
    "snapshot_changes",
    "What a night has changed in snapshots that were closed when the night before was published: one row per"
    " customer, part and columns for every run of months that follow on one another.",
    (
        Column("run_id", "varchar", "The night, see runs; what it had read stands in source_loads."),
        Column("model_name", "varchar", "The mart."),
        Column(
            "customer_id",
            "varchar",
            "Customer; null where a model was built anew and so many changed that they are only counted, and "
            "where the customer was erased.",
        ),
        Column("part", "varchar", "Context or channel of the row, in marts that have one; null otherwise."),
        Column("first_snapshot_date", "date", "First month's end that changed."),
        Column("last_snapshot_date", "date", "Last one; all between changed, too."),
        Column("change", "varchar", "changed, added or removed (the row as a whole)."),
        Column(
            "changed_columns",
            "varchar",
            "Columns that say something else now, comma separated; null for rows added or removed.",
        ),
        Column("customers", "bigint", "Customers that the row stands for; 1 where it names one."),
        Column(
            "causes",
            "varchar",
            "Raw tables whose rows restated the customer, and how; or why the model was built anew.",
        ),
    ),
)
ERASURES = Table(
    "erasures",
    "Evidence that persons were erased, without a word of whom: one row per erasure and table with rows.",
    (
        Column("erasure_id", "varchar", "The erasure; a random name."),
        Column(
            "request_ids", "varchar", "Keys of the requests, comma separated; null where nobody named any."
        ),
        Column("requested_at", "timestamp", "When it was first asked for (UTC), if that is known."),
        Column("recorded_at", "timestamp", "When the command was given (UTC)."),
        Column(
            "erased_at",
            "timestamp",
            "When the night without the person was published (UTC); null until then.",
        ),
        Column("run_id", "varchar", "That night, see runs."),
        Column("identifiers", "bigint", "How many identifiers the person had."),
        Column("table_name", "varchar", "Table that held rows, with its schema; null where none did."),
        Column("row_count", "bigint", "How many rows it held when the command was given."),
    ),
)
COLUMN_LINEAGE = Table(
    "column_lineage",
    "One row per published column and raw column, or column of a seed, that it is made of.",
    (
        Column("schema_name", "varchar", "Schema of the published table: marts or audit."),
        Column("mart", "varchar", "Published table."),
        Column(
            "column_name",
            "varchar",
            "Its column; null for what decides, by filters, joins and groups, which rows the table has.",
        ),
        Column("source_schema", "varchar", "raw, or seeds for a business decision."),
        Column("source_table", "varchar", "Raw table or seed."),
        Column("source_column", "varchar", "Its column."),
        Column(
            "kind",
            "varchar",
            "direct (as it stands, or cast), derived (computed row by row), aggregated (over several rows) or"
            " rows (decides which rows there are).",
        ),
        Column("via", "varchar", "Models on the way, in the order of the alphabet, comma separated."),
        Column("lineage_version", "varchar", "Fingerprint of the code that it was read off."),
    ),
)
TABLES = (
    RUNS,
    MODEL_RUNS,
    CHECK_RESULTS,
    SOURCE_LOADS,
    MODEL_VERSIONS,
    SNAPSHOT_CHANGES,
    COLUMN_LINEAGE,
    ERASURES,
)


def begin(path: Path, night: Night, restated: str | None = None, register: Register | None = None) -> None:
    """Record that a night runs, and that every earlier one still called running was killed.

    Call it with the writer's lock held. Beginning the same night again changes nothing.

    Args:
        path: The build file.
        night: The night.
        restated: What is built anew, in words.
        register: The register of erasures, to be written down along with it.
    """
    with _connect(path) as connection:
        for table in TABLES:
            _evolve(connection, table)
        # what the night writes stands there for its checks, until it is published
        connection.execute("create schema if not exists tonight")
        if register is not None:
            _write_erasures(connection, register)
        connection.execute(
            "update audit.runs set outcome = 'killed' where outcome = 'running' and run_id <> ?",
            [night.run_id],
        )
        if connection.execute("select 1 from audit.runs where run_id = ?", [night.run_id]).fetchone():
            return
        values = {
            "run_id": night.run_id,
            "as_of": night.as_of,
            "started_at": _naive(night.started_at),
            "outcome": "running",
            "is_full_refresh": night.is_full_refresh,
            "night_number": night.basis.number,
            "last_night_number": night.basis.last_number,
            "basis": night.basis.reason,
            "restated": restated,
            "schema_version": SCHEMA_VERSION,
            "settings_fingerprint": night.settings_fingerprint,
            "business_time_zone": night.business_time_zone,
            "reporting_currency": night.reporting_currency,
            "code_version": night.code_version,
            "seeds_hash": night.seeds_hash,
            "dbt_version": version("dbt-core"),
            "duckdb_version": version("duckdb"),
            "dagster_version": version("dagster"),
            "great_expectations_version": version("great-expectations"),
        }
        _insert(connection, RUNS, [[values.get(column.name) for column in RUNS.columns]])


def succeed(path: Path, night: Night, published_at: datetime, fingerprints: Mapping[str, str]) -> None:
    """Record that a night has passed its last gate; written before the copy, so that readers see it.

    From here on the next night builds on this one.

    Args:
        path: The build file.
        night: The night.
        published_at: The moment of the publication, aware.
        fingerprints: Model name to what its rows follow from, as JSON.
    """
    with _connect(path) as connection:
        connection.execute(
            "update audit.runs set outcome = 'succeeded', failure = null, ended_at = ?, published_at = ?"
            " where run_id = ?",
            [_naive(published_at), _naive(published_at), night.run_id],
        )
        connection.execute("delete from audit.model_versions")
        _insert(
            connection,
            MODEL_VERSIONS,
            [[name, night.run_id, fingerprint] for name, fingerprint in sorted(fingerprints.items())],
        )


def record_rollback(path: Path, published_at: datetime, moment: datetime) -> None:
    """Record that readers were taken to an earlier, or back to a later, publication.

    Args:
        path: The build file; without one nobody is left to tell.
        published_at: When that was published, aware.
        moment: When readers were taken there, aware.
    """
    if not path.is_file():
        return
    with _connect(path) as connection:
        _evolve(connection, RUNS)
        connection.execute(
            """
            update audit.runs
            set withdrawn_at = case when published_at > $published then coalesce(withdrawn_at, $moment) end
            where published_at is not null
            """,
            {"published": _naive(published_at), "moment": _naive(moment)},
        )


def record_erasures(path: Path, register: Register) -> None:
    """Write down what the register of erasures says, in place of what stood there."""
    with _connect(path) as connection:
        _write_erasures(connection, register)


def model_fingerprints(path: Path) -> dict[str, str]:
    """Return what the stored rows of every model follow from, as the last succeeded night has noted."""
    with duckdb.connect(str(path), read_only=True) as connection:
        if not connection.execute(
            "select 1 from duckdb_tables() where schema_name = 'audit' and table_name = 'model_versions'"
        ).fetchone():
            return {}
        return dict(connection.execute("select model_name, fingerprint from audit.model_versions").fetchall())


def end(path: Path, run_id: str, outcome: str, failure: str | None = None) -> None:
    """Record that a night ended without a publication.

    Args:
        path: The build file.
        run_id: The night.
        outcome: failed or partial.
        failure: Why, in one sentence.
    """
    with _connect(path) as connection:
        connection.execute(
            "update audit.runs set outcome = ?, failure = ?, ended_at = ?, published_at = null"
            " where run_id = ?",
            [outcome, failure, _naive(utc_now()), run_id],
        )


def record_source_loads(path: Path, run_id: str, loads: Iterable[SourceLoad]) -> None:
    """Append what the raw zone held."""
    rows = [
        [
            run_id,
            load.table_name,
            load.file_count,
            load.size_bytes,
            load.row_count,
            load.files_read,
            load.rows_read,
            load.is_reread,
            load.last_loaded_at,
            load.extra_columns,
        ]
        for load in loads
    ]
    if rows:
        with _connect(path) as connection:
            _insert(connection, SOURCE_LOADS, rows)


def record_step(
    path: Path, run_id: str, runs: Iterable[ModelRun] = (), checks: Iterable[CheckRow] = ()
) -> None:
    """Append how the build of a layer's models went, and what its checks have found.

    Args:
        path: The build file.
        run_id: The night.
        runs: Of the models.
        checks: Results.
    """
    checked_at = _naive(utc_now())
    model_rows = [
        [
            run_id,
            run.layer,
            run.model_name,
            run.resource_type,
            run.status,
            run.started_at and _naive(run.started_at),
            run.seconds,
            run.row_count,
            run.message,
            run.restated,
        ]
        for run in runs
    ]
    check_rows = [
        [
            run_id,
            checked_at,
            check.tool,
            check.layer,
            check.suite,
            check.table_name,
            check.expectation,
            check.column_name,
            check.kwargs,
            check.severity,
            check.is_success,
            check.observed,
            check.element_count,
            check.unexpected_count,
            check.exception,
            check.scope,
        ]
        for check in checks
    ]
    with _connect(path) as connection:
        for table, rows in ((MODEL_RUNS, model_rows), (CHECK_RESULTS, check_rows)):
            if rows:
                _insert(connection, table, rows)


def record_column_lineage(path: Path, lineage_version: str, rows: Callable[[], Iterable[LineageRow]]) -> bool:
    """Replace the column lineage unless it is of this version already; return whether it was replaced.

    Args:
        path: The build file.
        lineage_version: Fingerprint of the code.
        rows: Gives the lineage; not asked when nothing has changed.
    """
    with _connect(path) as connection:
        kept = connection.execute(
            "select count(*), count_if(lineage_version = ?) from audit.column_lineage", [lineage_version]
        ).fetchone()
        if kept is not None and kept[0] > 0 and kept[0] == kept[1]:
            return False
        connection.execute("delete from audit.column_lineage")
        columns = list(zip(*(astuple(row) for row in rows()), strict=True))
        if columns:
            # a list a column: thousands of placeholders would take seconds
            connection.execute(
                f"insert into audit.column_lineage select {', '.join(['unnest(?)'] * len(columns))}, ?",
                [*(list(column) for column in columns), lineage_version],
            )
        return True


def _write_erasures(connection: duckdb.DuckDBPyConnection, register: Register) -> None:
    none: list[tuple[str | None, int]] = [(None, 0)]
    rows = [
        [
            erasure.erasure_id,
            ", ".join(erasure.request_ids) or None,
            erasure.requested_at,
            erasure.recorded_at,
            erasure.erased_at,
            erasure.run_id,
            erasure.identifiers,
            table,
            row_count,
        ]
        for erasure in register.erasures
        for table, row_count in sorted(erasure.row_counts.items()) or none
    ]
    connection.execute(f"delete from audit.{ERASURES.name}")  # noqa: S608 - a name of this module
    if rows:
        _insert(connection, ERASURES, rows)


def _insert(connection: duckdb.DuckDBPyConnection, table: Table, rows: Sequence[Sequence[Any]]) -> None:
    names = ", ".join(column.name for column in table.columns)
    places = ", ".join("?" for _ in table.columns)
    # One statement for all rows: DuckDB's executemany would be a statement, and a flush, per row.
    rows_of_places = ", ".join(f"({places})" for _ in rows)
    connection.execute(
        f"insert into audit.{table.name} ({names}) values {rows_of_places}",  # noqa: S608 - names of this module
        [value for row in rows for value in row],
    )


def _evolve(connection: duckdb.DuckDBPyConnection, table: Table) -> None:
    """Make the table as it should be, keeping what it holds."""
    connection.execute("create schema if not exists audit")
    columns = ", ".join(f"{column.name} {column.type}" for column in table.columns)
    connection.execute(f"create table if not exists audit.{table.name} ({columns})")
    present = dict(
        connection.execute(
            "select column_name, comment from duckdb_columns()"
            " where schema_name = 'audit' and table_name = ? and database_name = current_database()",
            [table.name],
        ).fetchall()
    )
    if present.items() >= {(column.name, column.comment) for column in table.columns}:
        return
    _comment(connection, f"table audit.{table.name}", table.comment)
    for column in table.columns:
        if column.name not in present:
            connection.execute(f"alter table audit.{table.name} add column {column.name} {column.type}")
        _comment(connection, f"column audit.{table.name}.{column.name}", column.comment)


def _comment(connection: duckdb.DuckDBPyConnection, what: str, text: str) -> None:
    connection.execute(f"comment on {what} is {literal(text)}")


def _naive(moment: datetime) -> datetime:
    """Return a UTC moment as the audit tables store it: without an offset."""
    return moment.replace(tzinfo=None)


@contextmanager
def _connect(path: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """Open the build file for one transaction: all of it or nothing, and one flush to the disk."""
    with duckdb.connect(str(path)) as connection:
        connection.begin()
        yield connection
        connection.commit()
