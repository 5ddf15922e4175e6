"""What there is to say about a warehouse: the queries behind a night's summary and behind `status`.

Everything is read, nothing written; the published file is opened read-only, as readers do. What does NOT
belong here: how it is shown (`orchestration.cli`).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any

import duckdb

from warehouse.night import Warehouse
from warehouse.quoting import literal

SENTENCES = 5
"""How many of the rows that broke a test are told to a person."""


@dataclass(frozen=True)
class TableName:
    """Where a table stands: its DuckDB file, schema and name."""

    file: Path
    schema: str
    name: str

    @property
    def quoted(self) -> str:
        """The full name in SQL, when the file is the one that is open."""
        return f'"{self.file.stem}"."{self.schema}"."{self.name}"'


@dataclass(frozen=True)
class Fact:
    """A handful of numbers of one engagement fact, for people.

    Attributes:
        title: Name of the dimension.
        table: Table that they come from.
        headings: What the numbers are.
        rows: The numbers, each row as long as the headings.
    """

    title: str
    table: str
    headings: tuple[str, ...]
    rows: Sequence[tuple[Any, ...]]


@dataclass(frozen=True)
class LayerRows:
    """What a layer holds after a night: its tables and their rows together."""

    layer: str
    tables: int
    row_count: int
    seconds: float


@dataclass(frozen=True)
class CheckCount:
    """How a layer's checks went, by tool."""

    layer: str
    tool: str
    checks: int
    passed: int
    warnings: int


@dataclass(frozen=True)
class Dataset:
    """A table that a night has read or written.

    Attributes:
        name: Schema and name, e.g. `raw.orders`.
        row_count: Rows in it.
        columns: Name to type; empty where they do not stand in the file.
    """

    name: str
    row_count: int
    columns: Mapping[str, str]


@dataclass(frozen=True)
class PublishedRun:
    """The night that readers see.

    Attributes:
        run_id: Its run.
        as_of: Last business day that it knows of.
        started_at: UTC, naive.
        published_at: UTC, naive.
        business_time_zone: IANA name.
        code_version: Version of the code.
        versions: Tool -> version.
    """

    run_id: str
    as_of: date
    started_at: datetime
    published_at: datetime
    business_time_zone: str
    code_version: str
    versions: Mapping[str, str]


_CURRENT_FACTS = (
    Fact(
        "Longevity",
        "fct_engagement_longevity",
        (
            "customers",
            "mean span (days)",
            "mean tenure (days)",
            "mean recency (days)",
            "active days in all",
            "lapsed",
        ),
        (),
    ),
    Fact(
        "Proactiveness",
        "fct_engagement_proactiveness",
        ("customers", "unprompted", "prompted", "unknown", "proactive share", "coverage"),
        (),
    ),
    Fact(
        "Frequency",
        "fct_engagement_frequency",
        ("customers", "mean gap (days)", "mean cv of gaps", "mean burstiness", "active days of the last 90"),
        (),
    ),
    Fact("Context", "fct_engagement_context", ("context", "interactions", "share", "in promotion"), ()),
    Fact(
        "Volume",
        "fct_engagement_volume",
        ("channel", "interactions", "visits", "orders", "revenue", "engaged hours"),
        (),
    ),
)
_FACT_QUERIES: Mapping[str, str] = {
    "fct_engagement_longevity": """
        select
            count(*), avg(span_days), avg(tenure_days), avg(recency_days),
            cast(sum(active_days) as bigint), count(*) filter (where is_lapsed)
        from marts.fct_engagement_longevity where is_current
    """,
    "fct_engagement_proactiveness": """
        select
            count(*),
            cast(sum(unprompted) as bigint), cast(sum(prompted) as bigint), cast(sum(unknown) as bigint),
            sum(unprompted) / nullif(sum(unprompted) + sum(prompted), 0),
            (sum(unprompted) + sum(prompted)) / nullif(sum(unprompted) + sum(prompted) + sum(unknown), 0)
        from marts.fct_engagement_proactiveness where is_current
    """,
    "fct_engagement_frequency": """
        select count(*), avg(mean_gap_days), avg(cv_gap), avg(burstiness), avg(active_days_90)
        from marts.fct_engagement_frequency where is_current
    """,
    "fct_engagement_context": """
        with current_contexts as (select * from marts.fct_engagement_context where is_current)
        select
            context, cast(sum(interactions) as bigint) as interactions,
            sum(interactions) / nullif((select sum(interactions) from current_contexts), 0),
            cast(sum(promotion_interactions) as bigint)
        from current_contexts
        group by context order by interactions desc, context
    """,
    "fct_engagement_volume": """
        select
            channel, cast(sum(interactions_to_date) as bigint) as interactions,
            cast(sum(visits_to_date) as bigint), cast(sum(orders_to_date) as bigint), sum(revenue_to_date),
            sum(engaged_seconds_to_date) / 3600
        from marts.fct_engagement_volume where is_current
        group by channel order by interactions desc, channel
    """,
}


def datasets_read(file: Path, run_id: str) -> list[Dataset]:
    """Return the raw tables of which a night has found any file."""
    query = """
        select 'raw.' || table_name, row_count
        from audit.source_loads
        where run_id = ? and file_count > 0
        order by table_name
    """
    with duckdb.connect(str(file), read_only=True) as connection:
        return [Dataset(name, rows, {}) for name, rows in connection.execute(query, [run_id]).fetchall()]


def datasets_published(file: Path, run_id: str) -> list[Dataset]:
    """Return the tables that a night has built for readers, with their columns."""
    query = """
        select
            built.layer || '.' || built.model_name,
            built.row_count,
            list(columns.column_name order by columns.column_index),
            list(columns.data_type order by columns.column_index)
        from audit.model_runs as built
        inner join duckdb_columns() as columns
            on built.layer = columns.schema_name and built.model_name = columns.table_name
        where built.run_id = ? and columns.database_name = current_database()
        group by all
        order by 1
    """
    with duckdb.connect(str(file), read_only=True) as connection:
        rows = connection.execute(query, [run_id]).fetchall()
    return [Dataset(name, count, dict(zip(names, types, strict=True))) for name, count, names, types in rows]


def count_rows(tables: Mapping[str, TableName]) -> dict[str, int]:
    """Return the exact number of rows of tables, by the key that each was given.

    DuckDB answers a plain count from its row groups' headers, so one statement per file is cheap.
    """
    by_file: dict[Path, dict[str, TableName]] = defaultdict(dict)
    for key, table in tables.items():
        by_file[table.file][key] = table
    counts: dict[str, int] = {}
    for file, members in by_file.items():
        keys = list(members)
        statement = " union all ".join(
            # The database's name goes with it: `staging` alone would be a file and a schema in it.
            f"select {position}, count(*) from {members[key].quoted}"  # noqa: S608 - names of this project
            for position, key in enumerate(keys)
        )
        with duckdb.connect(str(file), read_only=True) as connection:
            counts |= {keys[position]: rows for position, rows in connection.execute(statement).fetchall()}
    return counts


class DamagedFileError(RuntimeError):
    """The published file is no database that can be read, or none of ours."""


def published_run(published: Path) -> PublishedRun | None:
    """Return the night that stands in the published file, or `None` if nothing is published.

    Raises:
        DamagedFileError: There is a file, and it cannot be read.
    """
    if not published.is_file():
        return None
    try:
        with duckdb.connect(str(published), read_only=True) as connection:
            row = connection.execute(
                "select run_id, as_of, started_at, published_at, business_time_zone, code_version,"
                " dbt_version, duckdb_version, dagster_version, great_expectations_version"
                " from audit.runs where published_at is not null order by published_at desc limit 1"
            ).fetchone()
    except duckdb.Error as error:
        raise DamagedFileError(
            f"The published file cannot be read: {' '.join(str(error).split())}"
        ) from error
    if row is None:
        return None
    versions = dict(zip(("dbt", "DuckDB", "Dagster", "Great Expectations"), row[6:], strict=True))
    run_id, as_of, started_at, published_at, time_zone, code_version, *_ = row
    return PublishedRun(run_id, as_of, started_at, published_at, time_zone, code_version, versions)


def layer_rows(file: Path, run_id: str) -> list[LayerRows]:
    """Return what each layer of a night holds, in the order of the flow."""
    with duckdb.connect(str(file), read_only=True) as connection:
        rows = connection.execute(
            """
            with layers as (
                select 'raw' as layer, count(*) filter (where file_count > 0) as tables,
                    coalesce(sum(row_count), 0) as row_count, 0.0 as seconds
                from audit.source_loads where run_id = $run
                union all
                select layer, count(*), coalesce(sum(row_count), 0), sum(seconds)
                from audit.model_runs where run_id = $run group by layer
            )
            select layer, tables, cast(row_count as bigint), cast(seconds as double) from layers
            order by list_position(['raw', 'seeds', 'staging', 'intermediate', 'marts', 'audit'], layer)
            """,
            {"run": run_id},
        ).fetchall()
    return [LayerRows(*row) for row in rows]


def check_counts(file: Path, run_id: str) -> list[CheckCount]:
    """Return how the checks of a night went, in the order of the flow."""
    with duckdb.connect(str(file), read_only=True) as connection:
        rows = connection.execute(
            """
            select
                layer, tool, count(*), count(*) filter (where is_success),
                count(*) filter (where not is_success and severity = 'warning')
            from audit.check_results where run_id = ? group by layer, tool
            order by list_position(['raw', 'seeds', 'staging', 'intermediate', 'marts', 'audit'], layer), tool
            """,
            [run_id],
        ).fetchall()
    return [CheckCount(*row) for row in rows]


def held_back(file: Path) -> list[tuple[str, str, int]]:
    """Return the raw rows in quarantine after the published night: table, rule broken, rows."""
    with duckdb.connect(str(file), read_only=True) as connection:
        return connection.execute(
            """
            select source_table, quarantine_rule, count(*) as row_count from audit.quarantine
            group by all order by row_count desc, source_table, quarantine_rule
            """
        ).fetchall()


def sentences(warehouse: Warehouse, query: str) -> list[str]:
    """Return what a failed test says of the rows that it found, if it selects a column `sentence`.

    Args:
        warehouse: The files of the night.
        query: SQL of the test.

    Returns:
        At most `SENTENCES` of them; none if the test has no such column.
    """
    with duckdb.connect(str(warehouse.staging_file), read_only=True) as connection:
        connection.execute(f"attach {literal(warehouse.marts_file)} (read_only)")
        found = connection.execute(f"select * from ({query}) limit {SENTENCES}")  # noqa: S608 - the project's own
        names = [name for name, *_ in found.description or ()]
        if "sentence" not in names:
            return []
        return sorted(row[names.index("sentence")] for row in found.fetchall())


def built_anew(file: Path, run_id: str) -> list[tuple[str, list[str]]]:
    """Return what a night that builds on another built anew: why, and the names of the models."""
    with duckdb.connect(str(file), read_only=True) as connection:
        return connection.execute(
            """
            select restated, list(model_name order by model_name)
            from audit.model_runs where run_id = ? and restated is not null
            group by restated order by count(*) desc, restated
            """,
            [run_id],
        ).fetchall()


def snapshot_changes(file: Path, run_id: str) -> list[tuple[str, int, date, date]]:
    """Return which closed snapshots a night has changed: mart, customers, first and last month's end.

    Where customers are only counted, they are those of the month's end at which most have changed.
    """
    with duckdb.connect(str(file), read_only=True) as connection:
        return connection.execute(
            """
            select
                model_name, greatest(count(distinct customer_id), max(customers)),
                min(first_snapshot_date), max(last_snapshot_date)
            from audit.snapshot_changes where run_id = ? group by model_name order by model_name
            """,
            [run_id],
        ).fetchall()


def broken_checks(file: Path, run_id: str) -> list[tuple[str, str, str, str, int | None, str]]:
    """Return the checks of a night that did not hold: layer, table, expectation, column, rows, severity."""
    with duckdb.connect(str(file), read_only=True) as connection:
        return connection.execute(
            """
            select layer, table_name, expectation, coalesce(column_name, ''), unexpected_count, severity
            from audit.check_results where run_id = ? and not is_success order by severity, layer, table_name
            """,
            [run_id],
        ).fetchall()


def facts(file: Path) -> list[Fact]:
    """Return a small table of each of the five facts as of the current snapshot, where the fact exists."""
    with duckdb.connect(str(file), read_only=True) as connection:
        present = {
            name
            for (name,) in connection.execute(
                "select table_name from duckdb_tables() where schema_name = 'marts'"
            ).fetchall()
        }
        return [
            Fact(
                fact.title,
                fact.table,
                fact.headings,
                connection.execute(_FACT_QUERIES[fact.table]).fetchall(),
            )
            for fact in _CURRENT_FACTS
            if fact.table in present
        ]
