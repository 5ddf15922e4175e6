from datetime import UTC, date, datetime
from pathlib import Path

import duckdb
import pytest

from warehouse import audit, summary
from warehouse.night import Night, Warehouse

STARTED = datetime(2024, 2, 1, 1, 2, 3, tzinfo=UTC)
PUBLISHED = datetime(2024, 2, 1, 1, 5, 0, tzinfo=UTC)


def night(run_id: str) -> Night:
    return Night(
        run_id=run_id,
        as_of=date(2024, 1, 31),
        started_at=STARTED,
        is_full_refresh=False,
        business_time_zone="Europe/Berlin",
        reporting_currency="EUR",
        code_version="v1",
        seeds_hash="abc",
    )


def check(
    layer: str, *, tool: str = "dbt", is_success: bool = True, severity: str = "error"
) -> audit.CheckRow:
    return audit.CheckRow(
        tool=tool,
        layer=layer,
        suite="suite",
        table_name="orders",
        expectation="not_null",
        column_name="order_id",
        kwargs="{}",
        severity=severity,
        is_success=is_success,
        observed=None,
        element_count=10,
        unexpected_count=0 if is_success else 3,
        exception=None,
    )


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A build file with one published night."""
    path = tmp_path / "engagement.duckdb"
    audit.begin(path, night("first"))
    load = audit.SourceLoad("orders", 2, 1_000, 10, STARTED, "")
    audit.record_source_loads(path, "first", [load, audit.SourceLoad("reviews", 0, 0, 0, None, "")])
    audit.record_step(
        path,
        "first",
        [
            audit.ModelRun("marts", "fct_a", "model", "success", STARTED, 1.5, 7, "OK"),
            audit.ModelRun("staging", "stg_a", "model", "success", STARTED, 0.5, None, "OK"),
            audit.ModelRun("staging", "stg_b", "model", "success", STARTED, 0.25, 5, "OK"),
        ],
        [
            check("marts"),
            check("raw", tool="great_expectations"),
            check("raw", is_success=False, severity="warning"),
        ],
    )
    audit.succeed(path, night("first"), PUBLISHED, {"fct_a": "{}"})
    return path


def query(file: Path, statement: str) -> list[tuple[object, ...]]:
    with duckdb.connect(str(file), read_only=True) as connection:
        return connection.execute(statement).fetchall()


def test_the_published_run_is_the_latest_that_was_published(file: Path):
    audit.begin(file, night("second"))
    audit.end(file, "second", "failed", "a gate failed")
    run = summary.published_run(file)
    assert run is not None
    assert (run.run_id, run.as_of, run.published_at) == (
        "first",
        date(2024, 1, 31),
        PUBLISHED.replace(tzinfo=None),
    )
    assert set(run.versions) == {"dbt", "DuckDB", "Dagster", "Great Expectations"}
    assert all(run.versions.values())


def test_nothing_is_published_where_there_is_no_file(tmp_path: Path):
    assert summary.published_run(tmp_path / "engagement.duckdb") is None


def test_layers_come_in_the_order_of_the_flow_with_their_rows(file: Path):
    layers = summary.layer_rows(file, "first")
    assert [(layer.layer, layer.tables, layer.row_count, layer.seconds) for layer in layers] == [
        ("raw", 1, 10, 0.0),
        ("staging", 2, 5, 0.75),
        ("marts", 1, 7, 1.5),
    ]


def test_checks_are_counted_per_layer_and_tool(file: Path):
    counts = [
        (count.layer, count.tool, count.checks, count.passed, count.warnings)
        for count in summary.check_counts(file, "first")
    ]
    assert counts == [
        ("raw", "dbt", 1, 0, 1),
        ("raw", "great_expectations", 1, 1, 0),
        ("marts", "dbt", 1, 1, 0),
    ]
    assert summary.broken_checks(file, "first") == [("raw", "orders", "not_null", "order_id", 3, "warning")]


def test_a_killed_night_is_called_so_by_the_next_one(file: Path):
    audit.begin(file, night("second"))
    audit.begin(file, night("third"))
    assert query(file, "select run_id, outcome from audit.runs order by run_id") == [
        ("first", "succeeded"),
        ("second", "killed"),
        ("third", "running"),
    ]


def test_beginning_a_night_twice_keeps_one_row(file: Path):
    audit.begin(file, night("second"))
    audit.begin(file, night("second"))
    assert query(file, "select count(*) from audit.runs where run_id = 'second'") == [(1,)]


def test_a_failed_copy_takes_the_publication_back(file: Path):
    audit.end(file, "first", "failed", "the disk is full")
    assert query(file, "select outcome, failure, published_at from audit.runs") == [
        ("failed", "the disk is full", None)
    ]


def test_tables_of_an_older_version_get_the_new_columns_and_keep_their_rows(tmp_path: Path):
    path = tmp_path / "engagement.duckdb"
    with duckdb.connect(str(path)) as connection:
        connection.execute(
            "create schema audit; create table audit.runs as select 'old' as run_id, 'failed' as outcome"
        )
    audit.begin(path, night("new"))
    assert query(path, "select run_id, outcome, as_of from audit.runs order by run_id") == [
        ("new", "running", date(2024, 1, 31)),
        ("old", "failed", None),
    ]


def test_every_audit_column_says_what_it_is(file: Path):
    undescribed = (
        "select table_name, column_name from duckdb_columns() where schema_name = 'audit' and comment is null"
    )
    assert query(file, undescribed) == []
    assert query(file, "select table_name from duckdb_tables() where comment is null") == []


def test_rows_are_counted_in_the_file_that_each_table_stands_in(tmp_path: Path):
    warehouse = Warehouse(tmp_path)
    warehouse.prepare()
    for file, rows in ((warehouse.staging_file, 3), (warehouse.marts_file, 4)):
        with duckdb.connect(str(file)) as connection:
            connection.execute(
                f"create schema {file.stem}.staging;"
                f"create table {file.stem}.staging.orders as select * from range({rows})"
            )
    tables = {
        database: summary.TableName(warehouse.file_of(database), "staging", "orders")
        for database in ("staging", "engagement")
    }
    assert summary.count_rows(tables) == {"staging": 3, "engagement": 4}
    assert summary.count_rows({}) == {}


def test_facts_that_are_not_there_are_left_out(file: Path):
    with duckdb.connect(str(file)) as connection:
        connection.execute("create schema marts")
        rows = "('post_purchase', 3, 1, true), ('between_purchases', 1, 0, true), ('x', 9, 9, false)"
        connection.execute(
            f"create table marts.fct_engagement_context as select * from (values {rows})"
            " as rows (context, interactions, promotion_interactions, is_current)"
        )
    facts = summary.facts(file)
    assert [fact.title for fact in facts] == ["Context"]
    assert facts[0].rows == [("post_purchase", 3, 0.75, 1), ("between_purchases", 1, 0.25, 0)]
    assert all(len(row) == len(fact.headings) for fact in facts for row in fact.rows)
