"""The gates over small real files: what passes, what fails and how it is named, and that nothing stays open.

The tables are made from the raw contract and from the marts' contracts, so that a suite that asks for a
column nobody has fails here.
"""

import csv
import json
import re
import subprocess
import sys
from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path

import duckdb
import pytest
import yaml

from expectations.runner import CheckResult, checks, describe_failures, run_gate
from expectations.scope import Scope
from expectations.suite import LAYERS, Layer, Suite, suites
from expectations.thresholds import SEED, Thresholds, load_thresholds
from expectations.vocabulary import bound
from warehouse.contract import RawTable, read_contract

PROJECT = Path(__file__).resolve().parents[2]
CONTRACT = read_contract(PROJECT)
ENGINE_TYPES = {"decimal": "decimal(18, 4)", "integer": "bigint"}

# Staging model -> the raw table that it stages.
STAGED = {
    "stg_campaigns__campaigns": "campaigns",
    "stg_community__events": "community_events",
    "stg_coupons__redemptions": "coupon_redemptions",
    "stg_finance__exchange_rates": "exchange_rates",
    "stg_loyalty__events": "loyalty_events",
    "stg_messages__events": "message_events",
    "stg_orders__orders": "orders",
    "stg_orders__returns": "order_returns",
    "stg_promotions__promotions": "promotions",
    "stg_referrals__referrals": "referrals",
    "stg_reviews__reviews": "reviews",
    "stg_social__account_days": "social_account_days",
    "stg_social__events": "social_events",
    "stg_stores__visits": "store_visits",
    "stg_support__messages": "support_messages",
    "stg_support__tickets": "support_tickets",
    "stg_surveys__responses": "survey_responses",
    "stg_web__events": "web_events",
}
ACCOUNTS = "stg_quarantine__row_accounts"

PAIR = "expect_column_pair_values_a_to_be_greater_than_b"
BETWEEN = "expect_column_values_to_be_between"
LENGTH = "expect_column_value_lengths_to_equal"
NAMED = "expect_most_rows_to_bear_an_identifier"

Failure = tuple[str, str, str | None]


def empty_columns(table: RawTable) -> str:
    """The contract's columns of a raw table as a select list without values."""
    return ", ".join(
        f"cast(null as {ENGINE_TYPES.get(column.data_type, column.data_type)}) as {column.name}"
        for column in table.columns
    )


def mart_columns() -> dict[str, str]:
    """Mart -> its columns with their types, as its dbt contract declares them."""
    marts = {}
    for file in sorted((PROJECT / "models" / "marts").rglob("*.yml")):
        for model in yaml.safe_load(file.read_text(encoding="utf-8")).get("models", []):
            columns = (f'"{column["name"]}" {column["data_type"]}' for column in model["columns"])
            marts[model["name"]] = ", ".join(columns)
    return marts


@pytest.fixture
def warehouse(tmp_path: Path) -> Path:
    """A warehouse in which every table that a gate looks at exists and is empty."""
    build = tmp_path / "build"
    build.mkdir()
    with duckdb.connect(str(build / "staging.duckdb")) as connection:
        for schema in ("raw", "seeds", "staging", "intermediate"):
            connection.execute(f"create schema staging.{schema}")
        for table in CONTRACT.values():
            connection.execute(
                f"create view staging.raw.{table.name} as select {empty_columns(table)}, "
                "cast(null as varchar) as source_file where false"
            )
        for model, table_name in STAGED.items():
            connection.execute(
                f"create table staging.staging.{model} as "
                f"select {empty_columns(CONTRACT[table_name])} where false"
            )
        connection.execute(
            f"create table staging.staging.{ACCOUNTS} (source_table varchar, rows_in bigint, "
            "rows_out bigint, rows_quarantined bigint, rows_superseded bigint, rows_deleted bigint)"
        )
        connection.execute(
            "create table staging.staging.stg_quarantine__rows "
            "(source_table varchar, quarantine_rule varchar, changed_in bigint)"
        )
        connection.execute(
            "create table staging.intermediate.int_interactions__identified (source_table varchar)"
        )
        connection.execute("create table staging.intermediate.int_touches__identified (touch_id varchar)")
        connection.execute(
            "create table staging.seeds.interaction_types as "
            f"from read_csv('{PROJECT / 'seeds' / 'interaction_types.csv'}')"
        )
    with duckdb.connect(str(build / "engagement.duckdb")) as connection:
        connection.execute("create schema marts")
        for mart, columns in mart_columns().items():
            connection.execute(f"create table marts.{mart} ({columns})")
    return tmp_path


def change(warehouse: Path, layer: Layer, *statements: str) -> None:
    """Write to the file that holds a layer; `>` stands for the layer's schema, fully named."""
    file = "engagement" if layer == "marts" else "staging"
    with duckdb.connect(str(warehouse / "build" / f"{file}.duckdb")) as connection:
        for statement in statements:
            connection.execute(statement.replace(">", f"{file}.{layer}.", 1))


def insertions(table: str, *rows: Mapping[str, object]) -> list[str]:
    """Statements that append rows; columns that a row does not name are null."""
    statements = []
    for row in rows:
        values = ", ".join(f"'{value}'" for value in row.values())
        statements.append(f"insert into >{table} ({', '.join(row)}) values ({values})")
    return statements


def failures(results: Sequence[CheckResult]) -> dict[Failure, int | None]:
    """(table, expectation, columns) of what did not hold, with the number of rows at fault."""
    assert [result for result in results if result.exception] == []
    return {
        (result.table_name, result.expectation, result.column_name): result.unexpected_count
        for result in results
        if not result.success
    }


def land(warehouse: Path, rows: str) -> None:
    """Make raw.store_visits of rows with visit_id, entered_at and loaded_at, as text."""
    given = {"visit_id", "entered_at", "loaded_at"}
    columns = (
        column.name if column.name in given else f"cast(null as {column.data_type}) as {column.name}"
        for column in CONTRACT["store_visits"].columns
    )
    change(
        warehouse,
        "raw",
        f"create or replace view >store_visits as select {', '.join(columns)}, 'file.csv' as source_file "
        f"from ({rows})",
    )


VISITS = """
    select
        'visit' || number as visit_id,
        '2024-01-01 10:00:00' as entered_at,
        '2024-01-02 03:00:00+01:00' as loaded_at
    from range(1000) as numbers(number)
"""


def good_staging(warehouse: Path) -> None:
    """Rows in staging that no suite minds."""
    start, later = "2024-01-01 10:00:00", "2024-01-01 11:00:00"
    rows: Mapping[str, Mapping[str, object]] = {
        "stg_campaigns__campaigns": {"campaign_id": "c", "starts_at": start, "ends_at": start},
        "stg_promotions__promotions": {"promotion_id": "p", "starts_at": start, "ends_at": later},
        "stg_referrals__referrals": {"referral_id": "r", "sent_at": start, "converted_at": later},
        "stg_reviews__reviews": {"review_id": "r", "user_id": "u", "rating": 5, "sentiment": -1},
        "stg_stores__visits": {"visit_id": "v", "entered_at": start, "left_at": later},
        "stg_support__tickets": {"ticket_id": "t", "user_id": "u", "created_at": start, "solved_at": later},
        "stg_surveys__responses": {"response_id": "r", "metric": "nps", "score": 10, "invited_at": start,
                                   "responded_at": later},
        "stg_web__events": {"event_id": "e", "anonymous_id": "a", "engaged_seconds": 12.5},
        "stg_orders__orders": {"order_id": "o", "total_amount": 10, "discount_amount": 3, "currency": "USD"},
        "stg_orders__returns": {"return_id": "r", "order_id": "o", "amount": 10, "currency": "USD"},
        "stg_finance__exchange_rates": {"rate_on": "2024-01-01", "currency": "EUR", "rate": 1.1},
        ACCOUNTS: {"source_table": "orders", "rows_in": 100, "rows_out": 90, "rows_quarantined": 5,
                   "rows_superseded": 3, "rows_deleted": 2},
    }  # fmt: skip
    change(warehouse, "staging", *(s for table, row in rows.items() for s in insertions(table, row)))


def good_marts(warehouse: Path) -> None:
    """Marts over one customer, active on three days, over twenty; and what they were made of."""
    days, snapshot = ("2024-01-01", "2024-01-04", "2024-01-11"), "2024-01-21"
    key = {"customer_id": "ada", "snapshot_date": snapshot, "is_current": True}
    orders = {f"o{number}": day for number, day in enumerate(days)}
    change(
        warehouse,
        "staging",
        "insert into staging.intermediate.int_interactions__identified select 'orders' from range(3)",
        "insert into staging.intermediate.int_touches__identified values ('t')",
        *insertions("stg_orders__orders", *({"order_id": order, "total_amount": 10} for order in orders)),
    )
    change(
        warehouse,
        "marts",
        *insertions("fct_interactions", *({
            "interaction_id": f"orders:{order}", "customer_id": "ada", "occurred_at": f"{day} 12:00:00",
            "occurred_on": day, "visit_id": f"orders:{order}", "prompt_status": "unprompted",
            "prompt_rule": "no_prompt", "revenue": 10, "source_table": "orders", "source_key": order,
        } for order, day in orders.items())),
        *insertions("fct_purchase_evidence", {
            "interaction_id": "web_events:w0", "source_table": "web_events", "source_key": "w0",
            "order_id": "o0", "occurred_at": f"{days[0]} 12:00:01", "counted_interaction_id": "orders:o0",
            "counted_source_table": "orders", "counted_source_key": "o0",
        }),
        *insertions("fct_visits", *({
            "visit_id": f"orders:{order}", "started_at": f"{day} 12:00:00", "ended_at": f"{day} 12:00:00",
            "interactions": 1, "page_views": 0, "engaged_seconds": 0,
        } for order, day in orders.items())),
        *insertions("fct_engagement_days", *({
            "customer_id": "ada", "active_on": day, "interactions": 1, "visits": 1, "revenue": 10,
            "weighted_interactions": 10, "engaged_seconds": 0,
        } for day in days)),
        *insertions("fct_touches", {
            "touch_id": "t", "customer_id": "ada", "touched_at": f"{days[1]} 18:00:00",
            "window_ends_at": f"{days[2]} 00:00:00", "answers": 0,
        }),
        *insertions("fct_engagement_longevity", key | {
            "span_days": 10, "tenure_days": 20, "recency_days": 10, "active_days": 3, "active_weeks": 2,
            "active_months": 1, "active_week_ratio": 0.67, "longest_gap_days": 7, "lapses": 0,
        }),
        *insertions("fct_engagement_proactiveness", key | {
            "unprompted": 3, "prompted": 0, "unknown": 0, "proactive_share": 1, "proactive_share_lower": 0.44,
            "proactive_share_upper": 1, "coverage": 1, "strict_proactive_share": 1, "touches_received": 1,
            "touches_answered": 0, "response_rate": 0, "saturation": 0.3, "windowed_share": 0,
            "adjusted_prompted_share": -0.43,
        }),
        *insertions("fct_engagement_frequency", key | {
            "mean_gap_days": 5, "sd_gap_days": 2, "cv_gap": 0.4, "burstiness": -0.428571,
            "burstiness_adjusted": -0.344056, "active_days_7": 0, "active_days_28": 3, "active_days_90": 3,
            "interactions": 3, "type_entropy": 0, "effective_types": 1, "types": 1,
        }),
        *insertions("fct_engagement_context", *(key | {
            "context": context, "interactions": interactions, "share": interactions / 3,
            "promotion_interactions": 0, "offline_interactions": 0, "promotion_share": 0,
        } for context, interactions in (("post_purchase", 2), ("first_consideration", 1)))),
        *insertions("fct_engagement_volume", key | {
            "channel": "web", "interactions": 3, "interactions_to_date": 3, "visits_to_date": 3,
            "weighted_interactions_to_date": 30, "engaged_seconds_to_date": 0, "orders_to_date": 3,
            "revenue_to_date": 30, "interactions_per_30_days": 3,
        }),
        *insertions("fct_cohort_retention", {
            "cohort_month": "2024-01-01", "snapshot_date": snapshot, "months_since_first": 0, "customers": 1,
            "active_customers": 1, "new_customers": 1, "returning_customers": 0, "resurrected_customers": 0,
            "dormant_customers": 0, "lapsed_customers": 0, "at_risk_customers": 0,
            "newly_lapsed_customers": 0, "recovered_customers": 0, "retention_rate": 1, "revenue": 30,
        }),
        *insertions("fct_customer_survival", {
            "population": "all", "acquisition_channel": "all", "days_since_first": 20, "customers": 1,
            "lapsed_customers": 0, "censored_customers": 1, "survival": 1,
        }),
        *insertions("fct_customer_outcomes", {
            "customer_id": "ada", "snapshot_date": "2024-01-03", "window_ends_on": "2024-01-21",
            "active_months": 1, "recency_days": 2, "visits_to_date": 1, "orders_to_date": 0,
            "revenue_to_date": 10, "revenue": 20,
        }),
        *insertions("fct_engagement_outcomes", *({
            "snapshot_date": "2024-01-03", "feature": "visits_to_date", "outcome": "revenue",
            "segmentation": segmentation, "segment": segment, "customers": 1, "outcome_total": 20,
        } for segmentation, segment in (("all", "all"), ("quintile", "3")))),
        *insertions("customer_engagement", {
            "customer_id": "ada", "snapshot_date": snapshot, "score": 50, "longevity_contribution": 20,
            "frequency_contribution": 30, "longevity_percentile": 0.5, "frequency_percentile": 0.5,
            "weight_coverage": 1, "interactions_365": 3, "interaction_acts_365": 3, "involvement_acts_365": 0,
            "intimacy_acts_365": 0, "influence_acts_365": 0, "conative_acts_365": 3, "emotional_acts_365": 0,
            "cognitive_acts_365": 0, "explanation": "Score 50.0 of 100.",
        }),
        *insertions("fct_customer_journey", *({
            "customer_id": "ada", "snapshot_date": snapshot, "journey_stage": stage, "reached_on": days[0],
            "days_in_stage": in_stage, "times_dropped_back": 0, "is_current_stage": in_stage > 0,
        } for stage, in_stage in (("awareness", 0), ("purchase", 21)))),
        *insertions("fct_channel_days", *({
            "channel": "web", "day": f"2024-01-{number:02}", "touches": 1 if number == 4 else 0,
            "proactive_share": 1, "promotion_interactions": 0, "repeat_visits": 0, "renewal_revenue": 0,
            **dict.fromkeys(("interactions", "visits"), int(f"2024-01-{number:02}" in days)),
            "revenue": 10 * int(f"2024-01-{number:02}" in days),
        } for number in range(1, 22))),
        *insertions("fct_survey_scores", *({
            "survey_id": "s", "window_unit": unit, "responses": 1, "respondents": 1, "promoters": 1,
            "passives": 0, "detractors": 0, "nps": 100, "nps_standard_error": 0, "invitations": 0,
            "answered_invitations": 0, "scale_min": 0, "scale_max": 10, "mean_score": 9,
        } for unit in ("month", "quarter", "year"))),
        *insertions("dim_customers", {"customer_id": "ada", "identifiers": 2}),
        *insertions("dim_dates", {"date_on": "2024-01-01"}, {"date_on": "2024-01-02"}),
    )  # fmt: skip


@pytest.mark.parametrize("layer", LAYERS)
def test_empty_tables_pass(warehouse: Path, layer: Layer) -> None:
    results = run_gate(layer, warehouse)
    assert failures(results) == {}
    assert {result.suite for result in results} == {suite for _, suite in checks(layer)}
    assert describe_failures(results) == ""


def test_good_rows_pass(warehouse: Path) -> None:
    land(warehouse, VISITS)
    good_staging(warehouse)
    good_marts(warehouse)
    assert {layer: failures(run_gate(layer, warehouse)) for layer in LAYERS} == {
        layer: {} for layer in LAYERS
    }


def test_a_row_without_its_load_time_is_named(warehouse: Path) -> None:
    land(warehouse, VISITS + "union all select 'late' as visit_id, '2024-01-01', null")
    results = run_gate("raw", warehouse)
    assert failures(results) == {("store_visits", "expect_loaded_at_in_every_row", "loaded_at"): 1}
    assert describe_failures(results).splitlines() == [
        f"gate raw: 1 of {len(results)} expectations not met",
        "  raw.store_visits: expect_loaded_at_in_every_row (column loaded_at): 1 row, for example "
        '[{"source_file": "file.csv", "loaded_at": null}]',
    ]


def test_load_times_that_say_nothing_are_named(warehouse: Path) -> None:
    land(
        warehouse,
        VISITS
        + "union all select 'garbage' as visit_id, '2024-01-01', 'ann@example.org'"
        + "union all select 'future' as visit_id, '2024-01-01', cast(now() + interval 25 hours as varchar)"
        + "union all select 'near' as visit_id, '2024-01-01', cast(now() + interval 23 hours as varchar)",
    )
    results = run_gate("raw", warehouse)
    assert failures(results) == {
        ("store_visits", "expect_loaded_at_to_be_a_time_that_has_come", "loaded_at"): 2
    }
    told = describe_failures(results)
    # columns may have shifted: what a value looks like tells enough
    assert "aaa@aaaaaaa.aaa" in told and "ann" not in told
    assert re.search(r'"loaded_at": "20\d\d-\d\d-', told), "a time that can be read is told"


@pytest.mark.parametrize(("unreadable", "found"), [(50, None), (60, 60)])
def test_a_feed_that_changed_its_format_is_named(warehouse: Path, unreadable: int, found: int | None) -> None:
    garbled = VISITS.replace(
        "'2024-01-01 10:00:00'", f"case when number < {unreadable} then '1/1/24 10h' else '2024-01-01' end"
    )
    land(warehouse, garbled)
    expected = {("store_visits", "expect_entered_at_to_be_readable", "entered_at"): found} if found else {}
    results = run_gate("raw", warehouse)
    assert failures(results) == expected
    assert ('"looks_like": "9/9/99 99a"' in describe_failures(results)) == bool(found)


def test_a_raw_view_that_is_not_the_contract_is_named(warehouse: Path) -> None:
    change(
        warehouse,
        "raw",
        "create or replace view >referrals as select 'r' as referral_id, timestamp '2024-01-01' as sent_at, "
        "timestamp '2024-01-01' as loaded_at, 'file.csv' as source_file",
    )
    assert failures(run_gate("raw", warehouse)) == {
        ("referrals", "expect_table_columns_to_match_ordered_list", None): None
    }


BROKEN_STAGING: Mapping[str, Mapping[Failure, int]] = {
    "insert into >stg_campaigns__campaigns (starts_at, ends_at) values ('2024-01-02', '2024-01-01')": {
        ("stg_campaigns__campaigns", PAIR, "ends_at, starts_at"): 1
    },
    "insert into >stg_promotions__promotions (starts_at, ends_at, discount_rate) "
    "values ('2024-01-02', '2024-01-01', 20)": {
        ("stg_promotions__promotions", PAIR, "ends_at, starts_at"): 1,
        ("stg_promotions__promotions", BETWEEN, "discount_rate"): 1,
    },
    "insert into >stg_community__events (event_id) select 'e' from range(30)": {
        ("stg_community__events", NAMED,
         "customer_ref, user_id, email, handle"): 30
    },
    "insert into >stg_coupons__redemptions (redemption_id) select 'r' from range(30)": {
        ("stg_coupons__redemptions", NAMED,
         "customer_ref, loyalty_id, email"): 30
    },
    "insert into >stg_finance__exchange_rates (rate_on, currency, rate) "
    "values ('2024-01-02', 'EUR', 0.0091), ('2024-01-02', '€', 1), ('2024-01-02', 'GBP', 0)": {
        ("stg_finance__exchange_rates", LENGTH, "currency"): 1,
        ("stg_finance__exchange_rates", "expect_rates_above_zero", "rate"): 1,
        ("stg_finance__exchange_rates", "expect_rates_not_to_jump", "rate"): 1,
    },
    "insert into >stg_loyalty__events (event_name) select 'points_earned' from range(30)": {
        ("stg_loyalty__events", "expect_events_about_points_to_say_how_many", "points"): 30
    },
    "insert into >stg_messages__events (message_channel, event_name) "
    "select 'sms', 'clicked' from range(30)": {
        ("stg_messages__events", NAMED, "customer_ref, email, phone"): 30,
        ("stg_messages__events", "expect_channels_with_answers_to_have_sendings",
         "message_channel, event_name"): 30,
    },
    "insert into >stg_orders__orders (order_id, currency, total_amount, discount_amount, ordered_at) "
    "select 'cents', 'USD', 1000, 30000, '2024-02-01' from range(150)": {
        ("stg_orders__orders", "expect_discounts_in_proportion_to_what_was_paid",
         "discount_amount, total_amount"): 150,
        ("stg_orders__orders", "expect_recent_orders_of_the_size_of_earlier_ones", "total_amount"): 150,
    },
    "insert into >stg_orders__orders (order_id, currency, total_amount, ordered_at) "
    "select 'old', 'USD', 10, '2024-01-01' from range(150)": {},
    "insert into >stg_orders__orders (order_id, currency, total_amount) "
    "select 'free', '$', 0 from range(100)": {
        ("stg_orders__orders", "expect_most_orders_to_cost_something", "total_amount"): 100,
        ("stg_orders__orders", LENGTH, "currency"): 100,
    },
    "insert into >stg_orders__returns (order_id, currency, amount) select 'o', 'USD', 11 from range(30)": {
        ("stg_orders__returns", "expect_returns_within_what_was_paid", "amount"): 30
    },
    "insert into >stg_referrals__referrals (sent_at, converted_at) values ('2024-01-02', '2024-01-01')": {
        ("stg_referrals__referrals", PAIR, "converted_at, sent_at"): 1
    },
    "insert into >stg_reviews__reviews (user_id, rating, rating_max, sentiment) "
    "values ('u', 6, null, 2), ('u', 11, 10, 0)": {
        ("stg_reviews__reviews", "expect_ratings_on_their_scale", "rating, rating_max"): 2,
        ("stg_reviews__reviews", BETWEEN, "sentiment"): 1,
    },
    "insert into >stg_social__events (handle, sentiment) values ('network/somebody', -1.5)": {
        ("stg_social__events", BETWEEN, "sentiment"): 1
    },
    "insert into >stg_social__account_days (followers) values (-1)": {
        ("stg_social__account_days", BETWEEN, "followers"): 1
    },
    "insert into >stg_stores__visits (entered_at, left_at) values ('2024-01-02', '2024-01-01'), "
    "('2024-01-01', '2024-01-03')": {
        ("stg_stores__visits", PAIR, "left_at, entered_at"): 1,
        ("stg_stores__visits", "expect_no_visit_longer_than_a_day", "entered_at, left_at"): 1,
    },
    "insert into >stg_support__tickets (user_id, created_at, solved_at) "
    "values ('u', '2024-01-02', '2024-01-01')": {
        ("stg_support__tickets", PAIR, "solved_at, created_at"): 1
    },
    "insert into >stg_surveys__responses (metric, score, scale_min, scale_max, invited_at, responded_at) "
    "values ('nps', 11, null, null, null, null), ('csat', 0, 1, 5, null, null), "
    "('csat', 3, 5, 1, '2024-01-02', '2024-01-01')": {
        ("stg_surveys__responses", "expect_scores_on_their_scale", "score, scale_min, scale_max"): 3,
        ("stg_surveys__responses", PAIR, "scale_max, scale_min"): 1,
        ("stg_surveys__responses", PAIR, "responded_at, invited_at"): 1,
    },
    "insert into >stg_web__events (anonymous_id, engaged_seconds) values ('a', 100000)": {
        ("stg_web__events", BETWEEN, "engaged_seconds"): 1
    },
    f"insert into >{ACCOUNTS} values ('odd', 1000, 900, 100, 0, 0), "
    "('emptied', 1000, 300, 0, 0, 700), ('few', 20, 0, 20, 0, 0)": {
        (ACCOUNTS, "expect_few_rows_in_quarantine", "rows_quarantined"): 100,
        (ACCOUNTS, "expect_few_rows_deleted", "rows_deleted"): 700,
    },
}  # fmt: skip


def test_every_staging_suite_names_what_is_broken(warehouse: Path) -> None:
    good_staging(warehouse)
    change(warehouse, "staging", *BROKEN_STAGING)
    expected = {failure: count for broken in BROKEN_STAGING.values() for failure, count in broken.items()}
    assert failures(run_gate("staging", warehouse)) == expected


def test_a_ticket_solved_before_it_was_created_is_named(warehouse: Path) -> None:
    good_staging(warehouse)
    change(
        warehouse, "staging", "update >stg_support__tickets set solved_at = created_at - interval 1 second"
    )
    results = run_gate("staging", warehouse)
    assert describe_failures(results).splitlines() == [
        f"gate staging: 1 of {len(results)} expectations not met",
        "  staging.stg_support__tickets: expect_column_pair_values_a_to_be_greater_than_b "
        "(column solved_at, created_at): 1 of 1 row, for example "
        '[["2024-01-01 09:59:59", "2024-01-01 10:00:00"]]',
    ]


BROKEN_MARTS: Mapping[str, Sequence[tuple[str, str]]] = {
    "update >fct_interactions set sentiment = 1.5, engaged_seconds = -1, prompt_lag_seconds = -1 "
    "where source_key = 'o0'": [
        ("fct_interactions", "sentiment"),
        ("fct_interactions", "engaged_seconds"),
        ("fct_interactions", "prompt_lag_seconds"),
    ],
    "delete from >fct_interactions where source_key = 'o1'": [
        ("fct_interactions", "expect_as_many_rows_as_were_identified"),
        ("fct_visits", "expect_visits_to_hold_every_interaction"),
        ("fct_engagement_days", "expect_days_to_add_up_to_the_interactions"),
        ("fct_engagement_days", "expect_all_days_to_add_up_to_all_interactions"),
        ("fct_engagement_frequency", "expect_interactions_of_the_current_snapshot_as_in_the_interactions"),
        ("fct_engagement_volume", "expect_revenue_of_the_current_snapshot_as_in_the_interactions"),
        ("fct_channel_days", "expect_channels_to_add_up_to_the_facts"),
    ],
    "update >fct_interactions set revenue = 11 where source_key = 'o0'": [
        ("fct_interactions", "expect_revenue_of_orders_as_staged")
    ],
    "update >fct_interactions set occurred_on = '2024-02-01', revenue = -1, prompt_status = 'prompted' "
    "where source_key = 'o2'": [
        ("fct_interactions", "expect_nothing_after_the_snapshot_date"),
        ("fct_interactions", "expect_the_business_day_within_a_day_of_the_time"),
        ("fct_interactions", "expect_revenue_of_orders_only_less_what_was_returned"),
        ("fct_interactions", "expect_prompts_only_where_something_prompted"),
    ],
    "update >fct_purchase_evidence set interaction_id = 'orders:o2', counted_source_key = 'o9', "
    "counted_interaction_id = 'orders:o9'": [
        ("fct_purchase_evidence", "expect_evidence_to_count_nowhere"),
        ("fct_purchase_evidence", "expect_evidence_to_lead_to_what_counts"),
    ],
    "update >fct_touches set window_ends_at = '2024-01-01', answered_at = '2024-01-01', "
    "response_seconds = -1, answers = 1": [
        ("fct_touches", "window_ends_at, touched_at"),
        ("fct_touches", "answered_at, touched_at"),
        ("fct_touches", "response_seconds"),
        ("fct_touches", "expect_answers_as_in_the_interactions"),
    ],
    "insert into >fct_touches (touch_id) values ('invented')": [
        ("fct_touches", "expect_as_many_rows_as_were_identified")
    ],
    "update >fct_visits set ended_at = started_at - interval 1 second, page_views = 2, "
    "engaged_seconds = -1": [
        ("fct_visits", "ended_at, started_at"),
        ("fct_visits", "interactions, page_views"),
        ("fct_visits", "engaged_seconds"),
    ],
    "insert into >fct_visits (started_at, ended_at) select '2024-01-01', '2024-01-03' from range(30)": [
        ("fct_visits", "expect_visits_to_time_out")
    ],
    "update >fct_engagement_days set interactions = -1, visits = -1, weighted_interactions = -1, "
    "engaged_seconds = -1 where active_on = '2024-01-01'": [
        ("fct_engagement_days", "interactions"),
        ("fct_engagement_days", "visits"),
        ("fct_engagement_days", "weighted_interactions"),
        ("fct_engagement_days", "engaged_seconds"),
        ("fct_engagement_longevity", "expect_active_days_of_the_current_snapshot_as_in_the_days"),
    ],
    "insert into >fct_engagement_days (customer_id, active_on, interactions) "
    "values ('lost', '2024-01-20', 1)": [
        ("fct_engagement_longevity", "expect_every_customer_of_the_last_month_in_the_current_snapshot")
    ],
    "insert into >fct_engagement_longevity (customer_id, snapshot_date, is_current, span_days, recency_days, "
    "tenure_days, active_days, active_weeks, active_months, longest_gap_days, lapses, active_week_ratio) "
    "values ('bob', '2024-01-20', true, -1, -1, 3, 0, 1, 1, 1, -1, 1.1), "
    "('eve', '2024-01-21', true, 1, 1, 2, 3, 1, 1, 1, 3, 1)": [
        ("fct_engagement_longevity", "span_days"),
        ("fct_engagement_longevity", "recency_days"),
        ("fct_engagement_longevity", "active_days"),
        ("fct_engagement_longevity", "lapses"),
        ("fct_engagement_longevity", "active_week_ratio"),
        ("fct_engagement_longevity", "active_days, active_weeks"),
        ("fct_engagement_longevity", "active_days, active_months"),
        ("fct_engagement_longevity", "span_days, longest_gap_days"),
        ("fct_engagement_longevity", "expect_tenure_to_be_span_and_recency"),
        ("fct_engagement_longevity", "expect_active_days_within_the_span"),
        ("fct_engagement_longevity", "expect_one_current_snapshot_date"),
    ],
    "update >fct_engagement_proactiveness set proactive_share = 1.5, proactive_share_lower = -1, "
    "proactive_share_upper = 1.2, strict_proactive_share = 2, coverage = 2, response_rate = 2, "
    "saturation = 2, windowed_share = -1, mean_response_seconds = -1, touches_answered = 2, unknown = 1": [
        ("fct_engagement_proactiveness", "proactive_share"),
        ("fct_engagement_proactiveness", "proactive_share_lower"),
        ("fct_engagement_proactiveness", "proactive_share_upper"),
        ("fct_engagement_proactiveness", "strict_proactive_share"),
        ("fct_engagement_proactiveness", "coverage"),
        ("fct_engagement_proactiveness", "response_rate"),
        ("fct_engagement_proactiveness", "saturation"),
        ("fct_engagement_proactiveness", "windowed_share"),
        ("fct_engagement_proactiveness", "mean_response_seconds"),
        ("fct_engagement_proactiveness", "touches_received, touches_answered"),
        ("fct_engagement_proactiveness", "expect_bounds_around_the_share"),
        ("fct_engagement_proactiveness", "expect_an_adjusted_share_not_above_the_windowed_one"),
        ("fct_engagement_proactiveness", "expect_prompt_counts_to_add_up_to_the_interactions"),
    ],
    "update >fct_engagement_frequency set mean_gap_days = 0.5, sd_gap_days = -1, cv_gap = -1, "
    "burstiness = 1.1, burstiness_adjusted = -1.1, active_days_7 = 8, active_days_28 = 7, "
    "active_days_90 = 6, type_entropy = -0.1, type_evenness = 1.1, effective_types = 1.5": [
        ("fct_engagement_frequency", "mean_gap_days"),
        ("fct_engagement_frequency", "sd_gap_days"),
        ("fct_engagement_frequency", "cv_gap"),
        ("fct_engagement_frequency", "burstiness"),
        ("fct_engagement_frequency", "burstiness_adjusted"),
        ("fct_engagement_frequency", "active_days_7"),
        ("fct_engagement_frequency", "active_days_28, active_days_7"),
        ("fct_engagement_frequency", "active_days_90, active_days_28"),
        ("fct_engagement_frequency", "type_entropy"),
        ("fct_engagement_frequency", "type_evenness"),
        ("fct_engagement_frequency", "expect_effective_types_between_one_and_the_types"),
    ],
    "insert into >fct_engagement_frequency (customer_id, snapshot_date, is_current, interactions, "
    "active_days_28, active_days_90) values ('bob', '2024-01-20', false, 0, 29, 91)": [
        ("fct_engagement_frequency", "interactions"),
        ("fct_engagement_frequency", "active_days_28"),
        ("fct_engagement_frequency", "active_days_90"),
    ],
    "update >fct_engagement_context set share = 1.1, promotion_share = -0.1, promotion_interactions = 9, "
    "offline_interactions = 9, interactions = 0 where context = 'post_purchase'": [
        ("fct_engagement_context", "interactions"),
        ("fct_engagement_context", "share"),
        ("fct_engagement_context", "promotion_share"),
        ("fct_engagement_context", "interactions, promotion_interactions"),
        ("fct_engagement_context", "interactions, offline_interactions"),
        ("fct_engagement_context", "expect_contexts_to_add_up_to_the_interactions"),
        (
            "fct_engagement_frequency",
            "expect_all_facts_to_hold_the_same_interactions_at_every_snapshot",
        ),
    ],
    "insert into >fct_engagement_volume (customer_id, snapshot_date, is_current, interactions, "
    "interactions_to_date, visits_to_date, orders_to_date, engaged_seconds_to_date, "
    "weighted_interactions_to_date, interactions_per_30_days) "
    "values ('ada', '2024-01-21', true, -1, -2, -1, -1, -1, -1, -1)": [
        ("fct_engagement_volume", "interactions"),
        ("fct_engagement_volume", "orders_to_date"),
        ("fct_engagement_volume", "engaged_seconds_to_date"),
        ("fct_engagement_volume", "weighted_interactions_to_date"),
        ("fct_engagement_volume", "interactions_per_30_days"),
        ("fct_engagement_volume", "interactions_to_date, interactions"),
        ("fct_engagement_volume", "interactions_to_date, visits_to_date"),
        ("fct_engagement_volume", "interactions_to_date, orders_to_date"),
        ("fct_engagement_volume", "expect_channels_to_add_up_to_the_interactions"),
    ],
    "insert into >fct_cohort_retention (cohort_month, snapshot_date, months_since_first, customers, "
    "active_customers, dormant_customers, lapsed_customers, at_risk_customers, newly_lapsed_customers, "
    "recovered_customers, retention_rate, churn_rate, revenue) "
    "values ('2024-01-01', '2024-02-29', 1, 1, 1, 1, 0, 1, 1, 0, 2, -1, 5)": [
        ("fct_cohort_retention", "retention_rate"),
        ("fct_cohort_retention", "churn_rate"),
        ("fct_cohort_retention", "expect_states_to_add_up_to_the_customers"),
        ("fct_cohort_retention", "expect_lapses_to_lead_from_month_to_month"),
        ("fct_cohort_retention", "expect_revenue_as_in_the_days"),
    ],
    "insert into >fct_customer_survival (population, acquisition_channel, days_since_first, customers, "
    "lapsed_customers, censored_customers, survival) values ('all', 'all', 30, 1, 1, 0, 1.5)": [
        ("fct_customer_survival", "survival"),
        ("fct_customer_survival", "expect_everybody_to_lapse_or_to_be_censored"),
        ("fct_customer_survival", "expect_survival_to_fall_where_somebody_lapses"),
    ],
    # a leak: the day after T is in the features, and the days before T are in the outcome
    "insert into >fct_customer_outcomes (customer_id, snapshot_date, window_ends_on, active_months, "
    "recency_days, visits_to_date, orders_to_date, revenue_to_date, revenue, has_repurchased) "
    "values ('ada', '2024-01-10', '2024-04-09', 1, 0, 3, 0, 30, 30, true)": [
        ("fct_customer_outcomes", "expect_windows_that_are_over"),
        ("fct_customer_outcomes", "expect_features_to_know_nothing_of_what_comes_after"),
        ("fct_customer_outcomes", "expect_outcomes_of_the_window_only"),
    ],
    "insert into >fct_engagement_outcomes (snapshot_date, feature, outcome, segmentation, segment, "
    "customers, outcome_total, spearman) "
    "values ('2024-01-03', 'orders_to_date', 'revenue', 'all', 'all', 1, 20, 1.5)": [
        ("fct_engagement_outcomes", "spearman"),
        ("fct_engagement_outcomes", "expect_no_purchases_to_foretell_revenue"),
        ("fct_engagement_outcomes", "expect_segments_to_add_up_to_everybody"),
    ],
    "update >customer_engagement set score = 101, weight_coverage = 1.1, longevity_percentile = 1, "
    "conative_acts_365 = 4, explanation = null": [
        ("customer_engagement", "score"),
        ("customer_engagement", "weight_coverage"),
        ("customer_engagement", "expect_contributions_to_add_up_to_the_score"),
        ("customer_engagement", "expect_percentiles_above_nought_and_below_one"),
        ("customer_engagement", "expect_no_more_acts_of_a_kind_than_interactions"),
        ("customer_engagement", "expect_every_current_customer_once_with_an_explanation"),
    ],
    "update >fct_customer_journey set days_in_stage = -1, times_dropped_back = -1, is_current_stage = true": [
        ("fct_customer_journey", "days_in_stage"),
        ("fct_customer_journey", "times_dropped_back"),
        ("fct_customer_journey", "expect_stages_to_add_up_to_the_days_since_awareness"),
        ("fct_customer_journey", "expect_one_current_stage_of_every_customer"),
    ],
    "update >fct_channel_days set promotion_interactions = 9, repeat_visits = 9, bounces = 9, "
    "converted_visits = 9, tracked_visits = 0, abandoned_carts = 9, carts = 0, answered_touches = 9, "
    "complaints = 9, tickets = 0, positive_reviews = 9, reviews = 0, first_response_business_seconds = 9, "
    "first_response_seconds = 0, resolution_business_seconds = 9, resolution_seconds = 0, "
    "proactive_share = 1.1 where day = '2024-01-01'": [
        ("fct_channel_days", "interactions, promotion_interactions"),
        ("fct_channel_days", "visits, repeat_visits"),
        ("fct_channel_days", "tracked_visits, bounces"),
        ("fct_channel_days", "tracked_visits, converted_visits"),
        ("fct_channel_days", "carts, abandoned_carts"),
        ("fct_channel_days", "touches, answered_touches"),
        ("fct_channel_days", "tickets, complaints"),
        ("fct_channel_days", "reviews, positive_reviews"),
        ("fct_channel_days", "first_response_seconds, first_response_business_seconds"),
        ("fct_channel_days", "resolution_seconds, resolution_business_seconds"),
        ("fct_channel_days", "proactive_share"),
    ],
    "insert into >fct_channel_days (channel, day, repeat_visits, cancelled_orders, subscribers, followers, "
    "stay_seconds, first_response_business_seconds, resolution_business_seconds) "
    "values ('app', '2024-01-01', -1, -1, -1, -1, -1, -1, -1), ('app', '2024-01-03', 0, 0, 0, 0, 0, 0, 0)": [
        ("fct_channel_days", "repeat_visits"),
        ("fct_channel_days", "cancelled_orders"),
        ("fct_channel_days", "subscribers"),
        ("fct_channel_days", "followers"),
        ("fct_channel_days", "stay_seconds"),
        ("fct_channel_days", "first_response_business_seconds"),
        ("fct_channel_days", "resolution_business_seconds"),
        ("fct_channel_days", "expect_days_without_a_hole"),
    ],
    "insert into >fct_survey_scores (survey_id, window_unit, responses, respondents, promoters, passives, "
    "detractors, nps, nps_standard_error, satisfied, csat, mean_score, scale_min, scale_max, invitations, "
    "answered_invitations, response_rate) "
    "values ('t', 'month', 1, 2, 2, 1, 0, 101, -1, 3, 1.5, 11, 0, 10, 1, 2, 2)": [
        ("fct_survey_scores", "nps"),
        ("fct_survey_scores", "nps_standard_error"),
        ("fct_survey_scores", "csat"),
        ("fct_survey_scores", "response_rate"),
        ("fct_survey_scores", "responses, respondents"),
        ("fct_survey_scores", "respondents, satisfied"),
        ("fct_survey_scores", "invitations, answered_invitations"),
        ("fct_survey_scores", "expect_means_on_their_scale"),
        ("fct_survey_scores", "expect_every_respondent_in_one_group"),
        ("fct_survey_scores", "expect_every_response_and_invitation_in_every_kind_of_window"),
    ],
    "insert into >dim_customers (customer_id, identifiers) values ('nobody', 0), ('everybody', 6000)": [
        ("dim_customers", "identifiers"),
        ("dim_customers", "expect_no_customer_to_swallow_the_others"),
    ],
    "insert into >dim_dates (date_on) values ('2024-01-04')": [("dim_dates", "expect_days_without_a_gap")],
}


def test_every_mart_suite_names_what_is_broken(warehouse: Path) -> None:
    good_marts(warehouse)
    change(warehouse, "marts", *BROKEN_MARTS)
    results = run_gate("marts", warehouse)
    native = re.compile(r"expect_column_")
    found = {
        (table, str(column) if native.match(expectation) else expectation)
        for table, expectation, column in failures(results)
    }
    assert found == {named for broken in BROKEN_MARTS.values() for named in broken}
    # Whatever a mart expects was broken, so that no expectation stands that cannot fail; emptiness, which
    # excludes the rest, has a test of its own.
    assert [result.expectation for result in results if result.success] == [
        "expect_something_where_something_was_staged"
    ]


# A night after the night of 2024-01-15 restates ada: what it writes stands apart, but for the open month.
NIGHT = {
    **dict.fromkeys(
        ("fct_interactions", "fct_visits", "fct_touches", "fct_engagement_days"), Scope("tonight")
    ),
    "fct_customer_outcomes": Scope("tonight"),
    **{
        f"fct_engagement_{fact}": Scope("tonight", ("snapshot_date", date(2024, 1, 1)))
        for fact in ("longevity", "proactiveness", "frequency", "context", "volume")
    },
}


def night_after(warehouse: Path, *statements: str) -> dict[Failure, str]:
    """What a night finds that has written all rows of ada, after changes to its file.

    Bob, who is not restated, stands in a month that is closed.

    Returns:
        What does not hold, with what was looked at.
    """
    good_marts(warehouse)
    bob = "select * replace ('bob' as customer_id, false as is_current, date '2023-12-31' as snapshot_date)"
    change(
        warehouse,
        "marts",
        "create schema tonight",
        *(
            f"create table tonight.{mart} as from marts.{mart}" + (" limit 0" if scope.since else "")
            for mart, scope in NIGHT.items()
        ),
        *(f"insert into >{mart} {bob} from marts.{mart}" for mart, scope in NIGHT.items() if scope.since),
        *statements,
    )
    results = run_gate("marts", warehouse, NIGHT)
    return {
        (result.table_name, result.expectation, result.column_name): result.scope
        for result in results
        if not result.success
    }


def test_a_night_looks_at_what_it_has_written(warehouse: Path) -> None:
    """Rows of earlier nights have passed the gate."""
    assert (
        night_after(warehouse, "update >fct_engagement_context set share = 2 where customer_id = 'bob'") == {}
    )


@pytest.mark.parametrize(
    ("change_of_tonight", "found"),
    [
        (
            "update tonight.fct_interactions set sentiment = 2",
            ("fct_interactions", BETWEEN, "sentiment"),
        ),
        (
            "update >fct_engagement_context set share = 2 where customer_id = 'ada'",
            ("fct_engagement_context", BETWEEN, "share"),
        ),
        # a closed month of a restated customer that only one of two marts has
        (
            "insert into tonight.fct_engagement_context (customer_id, snapshot_date, interactions, share) "
            "values ('ada', '2023-12-31', 1, 1)",
            (
                "fct_engagement_context",
                "expect_contexts_to_add_up_to_the_interactions",
                "interactions, share",
            ),
        ),
        (
            "delete from tonight.fct_engagement_days where active_on = '2024-01-04'",
            ("fct_engagement_days", "expect_days_to_add_up_to_the_interactions", "interactions, revenue"),
        ),
    ],
)
def test_a_bug_in_what_a_night_has_written_is_found(
    warehouse: Path, change_of_tonight: str, found: Failure
) -> None:
    assert night_after(warehouse, change_of_tonight)[found] == "tonight"


@pytest.mark.parametrize(
    ("loss", "found"),
    [
        (
            "delete from >fct_engagement_volume where customer_id = 'bob'",
            (
                "fct_engagement_frequency",
                "expect_all_facts_to_hold_the_same_interactions_at_every_snapshot",
                "interactions",
            ),
        ),
        (
            "delete from >fct_engagement_days where active_on = '2024-01-04'",
            ("fct_engagement_days", "expect_all_days_to_add_up_to_all_interactions", "interactions, revenue"),
        ),
        (
            "delete from >fct_visits where visit_id = 'orders:o1'",
            ("fct_visits", "expect_visits_to_hold_every_interaction", "interactions"),
        ),
        (
            "update >fct_engagement_longevity set is_current = true where customer_id = 'bob'",
            ("fct_engagement_longevity", "expect_one_current_snapshot_date", "is_current, snapshot_date"),
        ),
    ],
)
def test_what_a_night_has_lost_of_earlier_ones_is_found(warehouse: Path, loss: str, found: Failure) -> None:
    """A night that deletes too much leaves nothing to see in what it has written; totals tell."""
    assert night_after(warehouse, loss)[found] == "all"


def test_everything_is_looked_at_where_what_was_written_does_not_stand_apart(warehouse: Path) -> None:
    share_of_bob = ("fct_engagement_context", BETWEEN, "share")
    found = night_after(
        warehouse,
        "update >fct_engagement_context set share = 2 where customer_id = 'bob'",
        "drop schema tonight cascade",
    )
    assert found[share_of_bob] == "all"


def test_one_lost_interaction_is_counted_by_source(warehouse: Path) -> None:
    good_marts(warehouse)
    change(warehouse, "marts", "delete from >fct_interactions where source_key = 'o1'")
    lost = next(
        result
        for result in run_gate("marts", warehouse)
        if result.expectation == "expect_as_many_rows_as_were_identified" and not result.success
    )
    assert (lost.unexpected_count, lost.element_count) == (1, 3)
    assert json.loads(lost.observed or "") == [
        {"source_table": "orders", "unexpected_count": 1, "element_count": 3}
    ]


def test_marts_that_came_out_empty_are_not_published(warehouse: Path) -> None:
    accounts = {"rows_in": 7, "rows_out": 7, "rows_quarantined": 0, "rows_superseded": 0, "rows_deleted": 0}
    change(warehouse, "staging", *insertions(ACCOUNTS, {"source_table": "campaigns", **accounts}))
    assert failures(run_gate("marts", warehouse)) == {}
    change(warehouse, "staging", *insertions(ACCOUNTS, {"source_table": "orders", **accounts}))
    assert failures(run_gate("marts", warehouse)) == {
        ("fct_interactions", "expect_something_where_something_was_staged", "interaction_id"): 7
    }


def test_revenue_of_a_cancelled_order_may_be_nothing(warehouse: Path) -> None:
    good_marts(warehouse)
    change(warehouse, "marts", "update >fct_interactions set revenue = 0 where source_key = 'o0'")
    before = failures(run_gate("marts", warehouse))
    change(warehouse, "staging", "update >stg_orders__orders set status = 'cancelled' where order_id = 'o0'")
    revenue = ("fct_interactions", "expect_revenue_of_orders_as_staged", "revenue")
    assert before[revenue] == 1
    assert revenue not in failures(run_gate("marts", warehouse))


def test_a_missing_table_is_an_error_and_the_other_suites_still_run(warehouse: Path) -> None:
    change(warehouse, "staging", "drop table >stg_reviews__reviews")
    results = run_gate("staging", warehouse)
    missing = [result for result in results if not result.success]
    assert [(result.table_name, result.suite) for result in missing] == [
        ("stg_reviews__reviews", "staging_stg_reviews__reviews")
    ]
    assert "stg_reviews__reviews" in (missing[0].exception or "")
    assert "could not be evaluated" in describe_failures(results)
    assert {result.suite for result in results} == {suite for _, suite in checks("staging")}


def test_a_missing_column_is_an_exception_of_its_expectations_only(warehouse: Path) -> None:
    change(warehouse, "staging", "alter table >stg_reviews__reviews drop column rating_max")
    good_staging(warehouse)
    failed = [result for result in run_gate("staging", warehouse) if not result.success]
    assert [(result.table_name, result.expectation) for result in failed] == [
        ("stg_reviews__reviews", "expect_ratings_on_their_scale")
    ]
    assert "rating_max" in (failed[0].exception or "")
    assert failed[0].unexpected_count is None


def test_a_missing_file_is_said(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"staging\.duckdb is not there"):
        run_gate("raw", tmp_path)


@pytest.mark.parametrize(
    ("layer", "broken"), [("raw", False), ("staging", True), ("marts", False), ("marts", True)]
)
def test_the_files_can_be_written_afterwards(warehouse: Path, layer: Layer, broken: bool) -> None:
    if broken:
        for table in ("staging.staging.stg_reviews__reviews", "staging.staging.stg_orders__orders"):
            change(warehouse, "staging", f"drop table {table}")
    run_gate(layer, warehouse)
    writer = "import duckdb, sys; duckdb.connect(sys.argv[1]).execute('create table written (x int)')"
    for file in ("staging.duckdb", "engagement.duckdb"):
        path = warehouse / "build" / file
        subprocess.run([sys.executable, "-c", writer, path], check=True, capture_output=True)
        # Another configuration than the gate's: refused while this process still holds the file.
        with duckdb.connect(str(path), config={"threads": 1}) as connection:
            connection.execute("drop table written")


def test_checks_are_known_without_great_expectations() -> None:
    code = (
        "import sys; from expectations.runner import checks; "
        "assert all(checks(layer) for layer in ('raw', 'staging', 'marts')); "
        "assert not {'great_expectations', 'duckdb', 'pandas'} & set(sys.modules), 'heavy import'"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=PROJECT)


def test_suites_have_names_that_can_be_names_of_checks() -> None:
    names = [name for layer in LAYERS for _, name in checks(layer)]
    assert len(set(names)) == len(names)
    assert [name for name in names if not re.fullmatch(r"[A-Za-z0-9_]+", name)] == []


def test_every_raw_table_has_a_suite_in_the_module_of_its_channel() -> None:
    modules = {
        module.stem: set(re.findall(r'contract_table\("(\w+)"\)', module.read_text(encoding="utf-8")))
        for module in (PROJECT / "expectations" / "raw").glob("[a-z]*.py")
        if module.stem != "contract_table"
    }
    channels: dict[str, set[str]] = {}
    for table in CONTRACT.values():
        channels.setdefault(table.channel, set()).add(table.name)
    assert modules == channels
    assert {table for table, _ in checks("raw")} == set(CONTRACT)


def test_a_layer_without_a_gate_is_refused() -> None:
    with pytest.raises(ValueError, match="no gate for layer 'intermediate': known are raw, staging, marts"):
        checks("intermediate")  # type: ignore[arg-type]


class Recorder(Thresholds):
    """Thresholds that remember which were asked for."""

    def __init__(self, thresholds: Thresholds) -> None:
        super().__init__(thresholds.values)
        object.__setattr__(self, "asked", set())
        self.asked: set[tuple[str, str, str]]

    def value(self, layer: str, table: str, threshold: str) -> float:
        asked_for = (layer, table, threshold)
        self.asked.add(asked_for if asked_for in self.values else (layer, "*", threshold))
        return super().value(layer, table, threshold)


def test_every_threshold_is_asked_for() -> None:
    thresholds = load_thresholds()
    recorder = Recorder(thresholds)
    for suite in all_suites():
        suite.build(recorder)
    # asked for by alerts, and by the way in before any gate
    others = {key for key in thresholds.values if key[0] == "alerts" or key[2].startswith("lost_")}
    assert set(thresholds.values) - others == recorder.asked


def all_suites() -> list[Suite]:
    return [suite for layer in LAYERS for suite in suites(layer)]


def test_nothing_personal_is_looked_at_for_examples() -> None:
    personal = {column.name for table in CONTRACT.values() for column in table.columns if column.is_personal}
    personal |= {"user_agent", "page_url", "referrer_url"}
    thresholds = load_thresholds()
    for suite in all_suites():
        for expectation in suite.build(thresholds):
            kwargs = expectation.configuration.kwargs
            examined = {kwargs.get(name) for name in ("column", "column_A", "column_B")}
            if query := kwargs.get("unexpected_rows_query"):
                asked = query.split("offending as materialized (\n", 1)[1]
                selected = re.search(r"^select\b(.*?)\bfrom\b", asked, re.DOTALL | re.MULTILINE)
                assert selected, query
                examined |= set(re.findall(r"\w+", re.sub(r"filter \(where.*?\)", "", selected.group(1))))
                examined -= {"count"}
            named_somebody = NAMED in str(expectation.meta)
            assert named_somebody or not examined & personal, (suite.name, examined & personal)


def test_a_table_has_its_own_threshold_or_everybodys(tmp_path: Path) -> None:
    seed = tmp_path / "thresholds.csv"
    seed.write_text("layer,table_name,threshold,value\nraw,*,share_max,0.1\nraw,orders,share_max,0.2\n")
    thresholds = load_thresholds(seed)
    assert thresholds.value("raw", "orders", "share_max") == 0.2
    assert thresholds.value("raw", "reviews", "share_max") == 0.1
    assert thresholds.overrides("raw", "share_max") == {"orders": 0.2}
    with pytest.raises(KeyError, match="has no threshold 'nonsense' for layer 'raw'"):
        thresholds.value("raw", "orders", "nonsense")


@pytest.mark.parametrize(
    ("line", "said"),
    [("raw,*,share_max,0.3", "is given twice"), ("raw,*,other,much", "'much' is not a number")],
)
def test_a_threshold_that_is_wrong_is_named_by_its_line(tmp_path: Path, line: str, said: str) -> None:
    seed = tmp_path / "thresholds.csv"
    seed.write_text(f"layer,table_name,threshold,value\nraw,*,share_max,0.1\n{line}\n")
    with pytest.raises(ValueError, match=f"line 3: .*{said}"):
        load_thresholds(seed)


def test_a_raw_table_may_have_its_own_limit_of_quarantine(
    warehouse: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = {**load_thresholds().values, ("staging", "odd", "quarantined_share_max"): 0.5}
    monkeypatch.setattr("expectations.runner.load_thresholds", lambda: Thresholds(own))
    change(
        warehouse,
        "staging",
        f"insert into >{ACCOUNTS} values ('odd', 1000, 600, 400, 0, 0), ('even', 1000, 600, 400, 0, 0)",
    )
    result = next(
        result
        for result in run_gate("staging", warehouse)
        if result.expectation == "expect_few_rows_in_quarantine"
    )
    (seen,) = json.loads(result.observed or "")
    assert (seen["source_table"], seen["unexpected_count"], seen["element_count"]) == ("even", 400, 1000)


def test_too_full_a_quarantine_tells_tables_shares_rules_and_what_to_do(warehouse: Path) -> None:
    """The rules of tonight's rows only, the most frequent first."""
    good_staging(warehouse)
    change(
        warehouse,
        "staging",
        f"insert into >{ACCOUNTS} values ('orders', 70, 46, 24, 0, 0), ('reviews', 2000, 1850, 150, 0, 0), "
        "('web_events', 300, 100, 0, 0, 200), ('social_events', 100, 70, 30, 0, 0), ('few', 20, 0, 20, 0, 0)",
        "insert into >stg_quarantine__rows select 'orders', 'no_exchange_rate', 2 from range(24)",
        "insert into >stg_quarantine__rows select 'orders', 'missing_order_id', 1 from range(30)",
        "insert into >stg_quarantine__rows select 'social_events', 'unknown_event_name', 2 from range(30)",
        "insert into >stg_quarantine__rows select 'reviews', 'rule_' || number, 2 "
        "from range(6) as rules(number), range(5 * (6 - number)) union all "
        "select 'reviews', 'missing_rating', 2 from range(45)",
    )
    results = run_gate("staging", warehouse)

    def told(what: str, outcome: str, table: str) -> str:
        own = f"if the feed is right, give {table} a row of its own for {outcome}_share_max"
        return f"    {table}: {what}; {own} in seeds/quality_thresholds.csv"

    again = "mend the loader and land the rows again with a later loaded_at"
    assert describe_failures(results).splitlines() == [
        f"gate staging: 2 of {len(results)} expectations not met",
        f"  staging.{ACCOUNTS}: expect_few_rows_deleted (column rows_deleted):",
        told(
            "200 of 300 rows (66.7 %) are marked as deleted, more than 50.0 % (a full load that came empty "
            f"looks like this): if so, {again}",
            "deleted",
            "web_events",
        ),
        f"  staging.{ACCOUNTS}: expect_few_rows_in_quarantine (column rows_quarantined):",
        told(
            "24 of 70 rows (34.3 %) are in quarantine, more than 5.0 % (no_exchange_rate: 24): land the "
            "rates of these currencies, of these days or earlier, in exchange_rates",
            "quarantined",
            "orders",
        ),
        told(
            "150 of 2000 rows (7.5 %) are in quarantine, more than 5.0 % (missing_rating: 45, rule_0: 30, "
            f"rule_1: 25, rule_2: 20, rule_3: 15, ...): {again}",
            "quarantined",
            "reviews",
        ),
        told(
            "30 of 100 rows (30.0 %) are in quarantine, more than 5.0 % (unknown_event_name: 30): add the "
            "word to the contract or to seeds/interaction_types.csv, or mend the loader",
            "quarantined",
            "social_events",
        ),
    ]
    runbook = " ".join((PROJECT / "docs" / "runbook.md").read_text(encoding="utf-8").split())
    (orders,) = (line for line in describe_failures(results).splitlines() if " orders: " in line)
    assert orders.strip() in runbook


def test_the_seed_describes_every_threshold() -> None:
    with SEED.open(encoding="utf-8", newline="") as lines:
        for row in csv.DictReader(lines):
            assert all(row.values()), row


def test_parameters_become_literals_and_casts_stay() -> None:
    assert bound("x > :a and y = :b and z::date < '10:30'", {"a": 0.5, "b": "it's"}) == (
        "x > 0.5 and y = 'it''s' and z::date < '10:30'"
    )
    with pytest.raises(KeyError, match="missing"):
        bound("x > :missing", {})


def test_great_expectations_still_needs_persisted_connections(warehouse: Path) -> None:
    """Fails when upstream validates DuckDB unaided: then delete `expectations/persisted_connections.py`."""
    code = f"""
import great_expectations as gx
from great_expectations.expectations.core import ExpectTableRowCountToBeBetween

source = gx.get_context(mode="ephemeral").data_sources.add_sql(
    "unaided", connection_string="duckdb:///{warehouse}/build/engagement.duckdb?access_mode=read_only"
)
asset = source.add_table_asset("table", table_name="dim_dates", schema_name="marts")
batch = asset.add_batch_definition_whole_table("all").get_batch()
result = batch.validate(ExpectTableRowCountToBeBetween(min_value=0))
print("success" if result.success else str(result.exception_info))
"""
    unaided = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert "list index out of range" in unaided.stdout, "upstream has mended it: delete the workaround"
