"""Score, tier and journey of every customer of the sample against a second computation, to 1e-9."""

import math
from collections import defaultdict
from collections.abc import Iterator, Mapping
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import customers_reference as reference
import duckdb
import pytest
from bare_nights import BareWarehouse
from customers_reference import DIMENSIONS, Deed

from loaders.sample import generate

pytestmark = pytest.mark.slow

# Before the end of the sample, so that some of what it holds is not known yet.
AS_OF = date(2025, 9, 17)
Rows = list[dict[str, Any]]


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Iterator[duckdb.DuckDBPyConnection]:
    """Both build files of one night: enough customers that one tenure band is ranked by itself."""
    folder = tmp_path_factory.mktemp("customers")
    warehouse = BareWarehouse(folder, raw=generate(300, 400, 7, folder / "raw").raw)
    warehouse.night(AS_OF)
    with duckdb.connect() as connection:
        connection.execute(f"attach '{warehouse.place.marts_file}' as engagement (read_only)")
        connection.execute(f"attach '{warehouse.place.staging_file}' as staging (read_only)")
        connection.execute("use engagement.marts")
        yield connection


def rows(connection: duckdb.DuckDBPyConnection, query: str) -> Rows:
    cursor = connection.execute(query)
    names = [column[0] for column in cursor.description or ()]
    return [dict(zip(names, values, strict=True)) for values in cursor.fetchall()]


@pytest.fixture(scope="module")
def found(built: duckdb.DuckDBPyConnection) -> Mapping[str, dict[str, Any]]:
    return {row["customer_id"]: row for row in rows(built, "select * from customer_engagement")}


@pytest.fixture(scope="module")
def deeds(built: duckdb.DuckDBPyConnection) -> Mapping[str, list[Deed]]:
    by_customer: dict[str, list[Deed]] = defaultdict(list)
    for row in rows(
        built,
        """
        select
            interactions.customer_id, interactions.occurred_on, interactions.interaction_type,
            interactions.source_table = 'orders' as is_order, orders.cancelled_at is not null as is_cancelled,
            interactions.prompt_status = 'system' as is_system
        from fct_interactions as interactions
        left join staging.intermediate.int_orders__valued as orders
            on interactions.source_table = 'orders' and interactions.source_key = orders.order_id
        """,
    ):
        by_customer[row["customer_id"]].append(
            Deed(
                row["occurred_on"],
                row["interaction_type"],
                row["is_order"],
                row["is_cancelled"],
                row["is_system"],
            )
        )
    return by_customer


def close(found: float | Decimal | None, wanted: float | None) -> bool:
    if found is None or wanted is None:
        return found is wanted
    return math.isclose(float(found), wanted, rel_tol=1e-9, abs_tol=1e-9)


def test_scores_are_those_of_scipy(
    built: duckdb.DuckDBPyConnection, found: Mapping[str, dict[str, Any]]
) -> None:
    measures = {
        row["customer_id"]: row
        for row in rows(
            built,
            """
            with
                contexts as (
                    select customer_id, 1 - any_value(promotion_share) as context
                    from fct_engagement_context where is_current group by all
                ),
                volumes as (
                    select customer_id, sum(weighted_interactions_to_date) as volume
                    from fct_engagement_volume where is_current group by all
                )
            select
                customer_id, tenure_days, active_months as longevity, proactive_share_lower as proactiveness,
                active_days_90 as frequency, context, volume
            from fct_engagement_longevity
            join fct_engagement_proactiveness using (customer_id, snapshot_date)
            join fct_engagement_frequency using (customer_id, snapshot_date)
            join contexts using (customer_id)
            join volumes using (customer_id)
            where fct_engagement_longevity.is_current
            """,
        )
    }
    assert measures.keys() == found.keys()
    # both kinds of ranking occur
    assert {row["is_ranked_in_band"] for row in found.values()} == {True, False}
    for customer, wanted in reference.scores(measures).items():
        for dimension in DIMENSIONS:
            assert close(found[customer][f"{dimension}_measure"], measures[customer][dimension])
        for name, value in wanted.items():
            assert close(found[customer][name], value), (customer, name)


def test_scores_are_sums_and_percentiles_lie_between_nought_and_one(
    found: Mapping[str, dict[str, Any]],
) -> None:
    for row in found.values():
        contributions = [row[f"{dimension}_contribution"] or 0.0 for dimension in DIMENSIONS]
        assert math.isclose(row["score"], math.fsum(contributions), abs_tol=1e-9)
        percentiles = [row[f"{dimension}_percentile"] for dimension in DIMENSIONS]
        assert all(value is None or 0 < value < 1 for value in percentiles)
        assert f"Score {Decimal(row['score']).quantize(Decimal('0.1'))} of 100" in row["explanation"]
        assert f"Tier {row['tier']}" in row["explanation"]


def test_tiers_are_earned_by_the_acts_told(
    found: Mapping[str, dict[str, Any]], deeds: Mapping[str, list[Deed]]
) -> None:
    assert len({row["tier"] for row in found.values()}) >= 4
    for customer, row in found.items():
        told = (row["tier"], row["tier_acts"], row["tier_act_types"])
        assert told == reference.tier(deeds[customer], AS_OF)
        assert row["engagement_stage"] == reference.engagement_stage(deeds[customer], AS_OF)


def test_tiers_of_closed_snapshots_know_no_later_acts(
    built: duckdb.DuckDBPyConnection, deeds: Mapping[str, list[Deed]]
) -> None:
    found = rows(
        built,
        """
        select outcomes.customer_id, outcomes.snapshot_date, coalesce(tiers.tier, 'none') as tier
        from fct_customer_outcomes as outcomes
        left join staging.seeds.engagement_tiers as tiers on outcomes.tier_number = tiers.tier_number
        """,
    )
    assert len({row["tier"] for row in found}) >= 4
    for row in found:
        known = [deed for deed in deeds[row["customer_id"]] if deed.on <= row["snapshot_date"]]
        assert row["tier"] == reference.tier(known, row["snapshot_date"])[0], row


def test_one_more_act_never_lowers_a_tier(deeds: Mapping[str, list[Deed]]) -> None:
    order = ["none", *reference.TIERS]
    for own in list(deeds.values())[:40]:
        before = order.index(reference.tier(own, AS_OF)[0])
        for kind in ("message_open", "community_vote", "review_text", "referral"):
            assert order.index(reference.tier([*own, Deed(AS_OF, kind)], AS_OF)[0]) >= before


def test_acts_of_a_year_and_their_kinds(
    found: Mapping[str, dict[str, Any]], deeds: Mapping[str, list[Deed]]
) -> None:
    kinds = ("involvement", "interaction", "intimacy", "influence", "emotional", "conative", "cognitive")
    for customer, row in found.items():
        wanted = reference.acts_of_a_year(deeds[customer], AS_OF)
        assert row["interactions_365"] == wanted.get("interactions", 0)
        for kind in kinds:
            assert row[f"{kind}_acts_365"] == wanted.get(kind, 0), (customer, kind)


def test_the_journey_day_by_day(
    built: duckdb.DuckDBPyConnection,
    found: Mapping[str, dict[str, Any]],
    deeds: Mapping[str, list[Deed]],
) -> None:
    touched: dict[str, list[date]] = defaultdict(list)
    for row in rows(built, "select customer_id, touched_on from fct_touches"):
        touched[row["customer_id"]].append(row["touched_on"])
    stays: dict[str, dict[str, tuple[Any, ...]]] = defaultdict(dict)
    for row in rows(built, "select * from fct_customer_journey"):
        stays[row["customer_id"]][row["journey_stage"]] = (
            row["reached_on"],
            row["days_in_stage"],
            row["times_dropped_back"],
            row["is_held"],
            row["is_current_stage"],
        )
    assert stays.keys() == found.keys()
    for customer, wanted in stays.items():
        walked = reference.journey(deeds[customer], touched[customer], AS_OF)
        assert wanted == {
            stage: (
                stay.reached_on,
                stay.days_in_stage,
                stay.times_dropped_back,
                stay.is_held,
                stay.is_current,
            )
            for stage, stay in walked.items()
        }, customer
        assert found[customer]["journey_stage"] == next(
            stage for stage, stay in walked.items() if stay.is_current
        )


@pytest.mark.parametrize("days", [90, 365])
def test_orders_and_revenue(
    built: duckdb.DuckDBPyConnection, found: Mapping[str, dict[str, Any]], days: int
) -> None:
    """From the orders and returns themselves: each on its day, and taken back on that of a cancellation."""
    since = AS_OF - timedelta(days=days)
    wanted: dict[str, list[Decimal]] = defaultdict(lambda: [Decimal(0), Decimal(0)])
    for row in rows(
        built,
        """
        select interactions.customer_id, interactions.occurred_on, interactions.interaction_type,
            orders.amount, cast(orders.cancelled_at as date) as cancelled_on
        from fct_interactions as interactions
        join staging.intermediate.int_orders__valued as orders on interactions.source_key = orders.order_id
        where interactions.source_table = 'orders'
        union all
        select interactions.customer_id, interactions.occurred_on, interactions.interaction_type,
            returns.booked_revenue, cast(orders.cancelled_at as date) as cancelled_on
        from fct_interactions as interactions
        join staging.intermediate.int_orders__returns_valued as returns
            on interactions.source_key = returns.return_id
        join staging.intermediate.int_orders__valued as orders on returns.order_id = orders.order_id
        where interactions.source_table = 'order_returns'
        """,
    ):
        kind, amount, cancelled_on = row["interaction_type"], row["amount"] or Decimal(0), row["cancelled_on"]
        is_order = kind == "order"
        if kind == "order_renewal" and cancelled_on is not None:
            continue
        totals = wanted[row["customer_id"]]
        if row["occurred_on"] > since:
            totals[0] += is_order
            totals[1] += amount
        if cancelled_on is not None and cancelled_on > since:
            totals[0] -= is_order
            totals[1] -= amount
    assert any(totals[1] for totals in wanted.values())
    for customer, row in found.items():
        assert (row[f"orders_{days}"], row[f"revenue_{days}"]) == tuple(wanted[customer]), customer


def test_the_latest_answers(built: duckdb.DuckDBPyConnection, found: Mapping[str, dict[str, Any]]) -> None:
    latest: dict[str, dict[str, Any]] = {}
    for row in rows(
        built,
        """
        select interactions.customer_id, responses.*
        from fct_interactions as interactions
        join staging.staging.stg_surveys__responses as responses
            on interactions.source_key = responses.response_id
        where interactions.source_table = 'survey_responses' and responses.metric = 'nps'
        order by responses.responded_at, responses.response_id
        """,
    ):
        latest[row["customer_id"]] = row
    assert any(customer in latest for customer in found)
    for customer, row in found.items():
        answer = latest.get(customer)
        score = answer["score"] if answer else None
        assert row["latest_nps_score"] == score
        group = (
            None if score is None else "advocate" if score >= 9 else "detractor" if score <= 6 else "passive"
        )
        assert row["nps_group"] == group
