"""Column lineage: of single queries, by hand; and of this project's marts, by hand, with nothing left out."""

from collections.abc import Mapping, Sequence
from dataclasses import astuple
from pathlib import Path
from typing import Any

import dagster as dg
import duckdb
import pytest

from orchestration import dbt, lineage
from orchestration.lineage import ProjectLineage, lineage_of_project, project_lineage, unexplained
from orchestration.statement_lineage import LineageError, Origin, StatementLineage, lineage_of
from warehouse import audit
from warehouse.audit import LineageRow

TABLES = {
    ("staging", "acts"): ("act_id", "customer_id", "day", "amount", "kind"),
    ("seeds", "limits"): ("name", "value"),
}


def made_of(sql: str, column: str) -> dict[str, str]:
    """Return `table.column` to the kind of its making, of one column of a query."""
    return {
        f"{origin.table}.{origin.column}": kind
        for origin, kind in lineage_of(sql, TABLES).columns[column].items()
    }


@pytest.mark.parametrize(
    ("sql", "column", "expected"),
    [
        ("select act_id from staging.acts", "act_id", {"acts.act_id": "direct"}),
        ("select cast(day as date) as day from staging.acts", "day", {"acts.day": "direct"}),
        ("select * from staging.acts", "amount", {"acts.amount": "direct"}),
        ("select * exclude (kind) from staging.acts", "amount", {"acts.amount": "direct"}),
        (
            "with t as (select amount * 2 as twice from staging.acts) select twice as x from t",
            "x",
            {"acts.amount": "derived"},
        ),
        (
            "select case when kind = 'a' then amount end as x from staging.acts",
            "x",
            {"acts.kind": "derived", "acts.amount": "derived"},
        ),
        ("select sum(amount) as x from staging.acts group by day", "x", {"acts.amount": "aggregated"}),
        # a lateral alias is the expression that it names
        ("select amount + 1 as a, a * 2 as b from staging.acts", "b", {"acts.amount": "derived"}),
        # what a window is partitioned and ordered by is part of its value, also when it has a name
        (
            "select row_number() over (partition by customer_id order by day) as x from staging.acts",
            "x",
            {"acts.customer_id": "aggregated", "acts.day": "aggregated"},
        ),
        (
            "select sum(amount) over w as x from staging.acts"
            " window w as (partition by customer_id order by day)",
            "x",
            {"acts.amount": "aggregated", "acts.customer_id": "aggregated", "acts.day": "aggregated"},
        ),
        # a count is made of what its rows are grouped by
        (
            "select customer_id, count(*) as x from staging.acts group by customer_id",
            "x",
            {"acts.customer_id": "aggregated"},
        ),
        (
            "with t as (select day, 1 as one from staging.acts) select day, sum(one) as x from t group by 1",
            "x",
            {"acts.day": "aggregated"},
        ),
        ("select count(*) as x from staging.acts", "x", {}),
        ("select 'a' as x from staging.acts", "x", {}),
        # branches of a union are paired by position, and by name where they say so
        (
            "select act_id as x, day as y from staging.acts union all select kind, amount from staging.acts",
            "x",
            {"acts.act_id": "direct", "acts.kind": "direct"},
        ),
        (
            "select act_id as x, day as y from staging.acts"
            " union all by name select kind as y, amount as x from staging.acts",
            "x",
            {"acts.act_id": "direct", "acts.amount": "direct"},
        ),
        (
            "select 1 as x union all select 2 union all (select amount from staging.acts)",
            "x",
            {"acts.amount": "direct"},
        ),
        # a nested query, and one that looks outside
        (
            "select amount > (select value from seeds.limits where name = 'a') as x from staging.acts",
            "x",
            {"acts.amount": "derived", "limits.value": "derived", "limits.name": "derived"},
        ),
        (
            "select (select max(value) from seeds.limits where name = acts.kind) as x from staging.acts",
            "x",
            {"limits.value": "aggregated", "limits.name": "aggregated", "acts.kind": "aggregated"},
        ),
        (
            "with recursive r as (select act_id as id from staging.acts"
            " union all select kind from r, staging.acts) select id from r",
            "id",
            {"acts.act_id": "direct", "acts.kind": "direct"},
        ),
    ],
)
def test_columns_of_a_query(sql: str, column: str, expected: Mapping[str, str]):
    assert made_of(sql, column) == expected


def test_what_decides_about_rows_stands_apart():
    found = lineage_of(
        "select act_id from staging.acts inner join seeds.limits on kind = name where amount > 0", TABLES
    )
    assert found.columns["act_id"] == {Origin("staging", "acts", "act_id"): "direct"}
    assert {f"{origin.table}.{origin.column}" for origin in found.rows} == {
        "acts.kind",
        "limits.name",
        "acts.amount",
    }


@pytest.mark.parametrize(
    "sql",
    [
        "select columns('a.*') from staging.acts",
        "pivot staging.acts on kind using sum(amount)",
        "select * from unknown.table_without_columns",
        "delete from staging.acts",
    ],
)
def test_what_cannot_be_followed_does_not_pass_for_understood(sql: str):
    with pytest.raises(LineageError):
        lineage_of(sql, TABLES)


@pytest.fixture(scope="module")
def found() -> ProjectLineage:
    return project_lineage()


@pytest.fixture(scope="module")
def rows(found: ProjectLineage) -> Sequence[LineageRow]:
    return found.rows()


def sources(rows: Sequence[LineageRow], mart: str, column: str | None) -> dict[str, str]:
    return {
        f"{row.source_schema}.{row.source_table}.{row.source_column}": row.kind
        for row in rows
        if (row.mart, row.column_name) == (mart, column)
    }


def test_every_published_column_has_an_origin_or_says_why_not(found: ProjectLineage):
    assert found.failures == {}
    assert unexplained(found, dbt.project().manifest) == []


def test_columns_are_those_of_the_contract(found: ProjectLineage):
    for node in dbt.project().manifest["nodes"].values():
        if node["resource_type"] == "model" and node["schema"] == "marts":
            assert set(found.parents((node["schema"], node["name"]))) == set(node["columns"]), node["name"]


# Followed by hand through the models; whole where the set is small, else what must and must not be in it.
WHOLE = {
    ("dim_channels", "is_offline"): {"seeds.channels.is_offline": "direct"},
    ("dim_campaigns", "purpose"): {"raw.campaigns.purpose": "derived"},
    ("fct_interactions", "sentiment"): {
        "raw.social_events.sentiment": "derived",
        "raw.reviews.sentiment": "derived",
        "raw.survey_responses.sentiment": "derived",
    },
    # seconds on a page as they were measured, seconds in a shop from its two times
    ("fct_interactions", "engaged_seconds"): {
        "raw.web_events.engaged_seconds": "derived",
        "raw.store_visits.entered_at": "derived",
        "raw.store_visits.left_at": "derived",
    },
    ("fct_touches", "source_key"): {
        "raw.message_events.event_id": "derived",
        "raw.social_events.event_id": "derived",
        "raw.support_messages.message_id": "derived",
    },
}
PART = {
    ("fct_interactions", "revenue"): (
        {
            "raw.orders.total_amount",
            "raw.orders.cancelled_at",
            "raw.orders.status",
            "raw.orders.currency",
            "raw.order_returns.amount",
            "raw.exchange_rates.rate",
        },
        {"raw.orders.discount_amount", "raw.web_events.engaged_seconds", "raw.reviews.rating"},
    ),
    ("fct_interactions", "source_key"): (
        {"raw.orders.order_id", "raw.web_events.event_id", "raw.referrals.referral_id"},
        {"raw.orders.total_amount", "raw.campaigns.campaign_id"},
    ),
    ("fct_interactions", "weight"): ({"seeds.interaction_types.weight"}, {"raw.orders.total_amount"}),
    # a visit bears the id of an interaction; which one it is, joins and filters decide
    ("fct_interactions", "visit_id"): (
        {"raw.web_events.event_id", "raw.orders.order_id"},
        {"raw.web_events.page_url", "raw.orders.total_amount"},
    ),
    ("fct_interactions", "prompt_touch_id"): (
        {"raw.message_events.event_id", "raw.support_messages.message_id"},
        {"raw.orders.total_amount", "raw.survey_responses.score"},
    ),
    # an incremental fact, as a full build computes it: nothing is carried from itself
    ("fct_engagement_volume", "revenue_to_date"): (
        {"raw.orders.total_amount", "raw.order_returns.amount", "raw.exchange_rates.rate"},
        {"raw.web_events.engaged_seconds", "raw.survey_responses.score"},
    ),
    ("fct_engagement_volume", "weighted_interactions_to_date"): (
        {"seeds.interaction_types.weight"},
        {"raw.orders.total_amount", "raw.exchange_rates.rate"},
    ),
    ("fct_engagement_volume", "interactions_per_30_days"): (
        {"seeds.thresholds.value", "raw.web_events.occurred_at", "raw.reviews.created_at"},
        {"raw.orders.total_amount"},
    ),
    ("fct_engagement_proactiveness", "saturation"): (
        {"raw.message_events.occurred_at", "seeds.prompt_windows.window_days"},
        {"raw.orders.total_amount", "seeds.interaction_types.weight"},
    ),
    ("fct_engagement_proactiveness", "is_low_sample"): (
        {"seeds.thresholds.value", "seeds.thresholds.threshold"},
        {"raw.orders.total_amount"},
    ),
    ("fct_engagement_longevity", "lapse_threshold_days"): (
        {"seeds.thresholds.value", "raw.orders.ordered_at", "raw.web_events.occurred_at"},
        {"raw.orders.total_amount", "raw.message_events.campaign_id"},
    ),
    ("fct_survey_scores", "nps"): (
        {"raw.survey_responses.score", "raw.survey_responses.metric"},
        {"raw.orders.total_amount"},
    ),
    # keyed hashes: from the identifiers and the key
    ("dim_customers", "email_hash"): (
        {"raw.hash_key.hash_key", "raw.customers.email", "raw.orders.email", "raw.identity_links.left_value"},
        {"raw.orders.total_amount"},
    ),
    ("customer_engagement", "volume_weight"): (
        {"seeds.score_dimensions.weight"},
        {"raw.orders.total_amount"},
    ),
    ("customer_engagement", "latest_nps_score"): (
        {"raw.survey_responses.score"},
        {"raw.orders.total_amount", "raw.reviews.rating"},
    ),
}


@pytest.mark.parametrize(("mart", "column"), WHOLE)
def test_marts_followed_by_hand(mart: str, column: str, rows: Sequence[LineageRow]):
    assert sources(rows, mart, column) == WHOLE[(mart, column)]


@pytest.mark.parametrize(("mart", "column"), PART)
def test_marts_followed_by_hand_in_part(mart: str, column: str, rows: Sequence[LineageRow]):
    present, absent = PART[(mart, column)]
    origins = set(sources(rows, mart, column))
    assert present - origins == set()
    assert absent & origins == set()


def test_the_way_names_the_models_between(rows: Sequence[LineageRow]):
    (way,) = {
        row.via
        for row in rows
        if (row.mart, row.column_name, row.source_column) == ("fct_touches", "source_key", "message_id")
    }
    assert way == (
        "base_support__messages, int_support__touches, int_touches__identified, int_touches__unioned, "
        "stg_support__messages"
    )


def test_rows_of_a_mart_hang_on_filters_and_joins_of_all_its_models(rows: Sequence[LineageRow]):
    deciding = {
        "raw.orders.is_test",
        "raw.web_events.occurred_at",
        "seeds.channels.is_visit_tracked",
        "seeds.prompt_windows.window_days",
        "seeds.thresholds.value",
    }
    assert deciding - sources(rows, "fct_interactions", None).keys() == set()
    assert set(sources(rows, "fct_interactions", None).values()) == {"rows"}


def _planted(columns: Mapping[str, Mapping[str, Any]], sql: str) -> tuple[dict[str, Any], ProjectLineage]:
    node = {
        "unique_id": "model.engagement_warehouse.planted",
        "resource_type": "model",
        "name": "planted",
        "alias": "planted",
        "schema": "marts",
        "depends_on": {"nodes": []},
        "columns": {name: {"config": {"meta": dict(meta)}} for name, meta in columns.items()},
    }
    source = {"schema": "raw", "identifier": "orders", "columns": {"order_id": {}}}
    manifest: dict[str, Any] = {"nodes": {node["unique_id"]: node}, "sources": {"orders": source}}
    return manifest, lineage_of_project(manifest, {str(node["unique_id"]): sql}, Path(), "version")


@pytest.mark.parametrize(
    ("columns", "sql", "told"),
    [
        ({"x": {}}, "select order_id as x from raw.orders", []),
        ({"x": {"lineage": "constant"}}, "select 'a' as x from raw.orders", []),
        ({"x": {"lineage": "count"}}, "select count(*) as x from raw.orders", []),
        (
            {"x": {}},
            "select 'a' as x from raw.orders",
            ["planted.x has no origin and is not declared a constant or a count"],
        ),
        (
            {"x": {}},
            "select orders.order_id as x from other.orders",
            ["planted.x ends at other.orders, which is no raw table"],
        ),
        (
            {"x": {"lineage": "constant"}},
            "select order_id as x from raw.orders",
            ["planted.x is declared a constant and has an origin"],
        ),
        (
            {"x": {"lineage": "counted"}},
            "select 'a' as x from raw.orders",
            ["planted.x: lineage 'counted' is neither constant nor count"],
        ),
        (
            {"x": {"lineage": "constant"}},
            "select columns('x') from raw.orders",
            ["planted: LineageError: COLUMNS() cannot be followed; name the columns"],
        ),
    ],
)
def test_a_column_without_origin_is_told(
    columns: Mapping[str, Mapping[str, Any]], sql: str, told: Sequence[str]
):
    manifest, planted = _planted(columns, sql)
    assert unexplained(planted, manifest) == told


def test_a_query_that_is_not_understood_leaves_its_columns_without_origin():
    manifest, planted = _planted({"x": {}}, "select columns('x') from raw.orders")
    assert planted.models[("marts", "planted")] == StatementLineage({"x": {}})
    assert set(planted.failures) == {"planted"}
    assert len(unexplained(planted, manifest)) == 2


def test_lineage_is_kept_until_the_code_changes(
    found: ProjectLineage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    read = []

    def read_off(version: str) -> ProjectLineage:
        read.append(version)
        return ProjectLineage(version, found.models, found.failures)

    monkeypatch.setattr(lineage, "_CACHE", tmp_path / "kept" / "lineage.json")
    monkeypatch.setattr(lineage, "_read_off", read_off)
    for version in ("one", "one", "two"):
        monkeypatch.setattr(lineage, "_fingerprint", lambda _root, version=version: version)
        project_lineage.cache_clear()
        again = project_lineage()
        assert (again.version, again.models, again.failures) == (version, found.models, found.failures)
    project_lineage.cache_clear()
    assert read == ["one", "two"]
    assert [path.name for path in (tmp_path / "kept").iterdir()] == ["lineage.json"]


def test_published_lineage_is_replaced_with_the_code(
    found: ProjectLineage, rows: Sequence[LineageRow], tmp_path: Path
):
    file = tmp_path / "engagement.duckdb"
    with duckdb.connect(str(file)) as connection:
        connection.execute("create schema audit")
        columns = ", ".join(f"{column.name} {column.type}" for column in audit.COLUMN_LINEAGE.columns)
        connection.execute(f"create table audit.column_lineage ({columns})")

    def never() -> Sequence[LineageRow]:
        raise AssertionError("lineage of a known version is not asked for")

    assert audit.record_column_lineage(file, "one", lambda: rows)
    assert not audit.record_column_lineage(file, "one", never)
    assert audit.record_column_lineage(file, "two", lambda: rows[:2])
    with duckdb.connect(str(file), read_only=True) as connection:
        stored = connection.execute("select * from audit.column_lineage order by all").fetchall()
    expected = [(*astuple(row), "two") for row in rows[:2]]
    assert stored == sorted(expected)


def test_dagster_shows_the_columns_a_model_is_made_of():
    from orchestration.defs.warehouse import _column_lineage

    nodes = dbt.project().manifest["nodes"]
    shown = _column_lineage(nodes["model.engagement_warehouse.fct_interactions"])
    assert shown is not None
    assert shown.deps_by_column["engaged_seconds"] == [
        dg.TableColumnDep(dg.AssetKey(["intermediate", "int_contexts__staged"]), "engaged_seconds")
    ]
    assert _column_lineage({"schema": "marts", "alias": "no_such_model"}) is None
