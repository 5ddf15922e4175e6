"""Cohorts, survival and the outcomes of engagement against a second computation, on two raw zones.

A real grocer's 2017 (nothing but orders and coupons) and a synthetic year of every channel, which ends in
the middle of a month. SciPy's Kaplan-Meier and Spearman are the judges; counts are made by plain loops.
"""

import shutil
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from pathlib import Path

import duckdb
import numpy as np
import pandas as pd
import pytest
import retention_reference as reference
from bare_nights import BareWarehouse
from retention_reference import History, Purchase
from scipy import stats

from expectations.runner import run_gate
from loaders import complete_journey
from loaders.sample import generate

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

GROCER_END, SAMPLE_END = date(2017, 12, 31), date(2025, 9, 17)
MIDYEAR = date(2017, 6, 30)
FEATURES = {
    "active_months": False,
    "recency_days": False,
    "proactive_share_lower": False,
    "active_days_90": False,
    "effective_types": False,
    "promotion_share": False,
    "visits_to_date": False,
    "weighted_interactions_to_date": False,
    "orders_to_date": True,
    "revenue_to_date": True,
    "tier_number": False,
}
TIERS = ("none", "low", "medium", "high", "highest")


@dataclass(frozen=True)
class Built:
    """The build files of one night, and the histories read from them."""

    folder: Path
    database: duckdb.DuckDBPyConnection
    history: History

    def frame(self, query: str) -> pd.DataFrame:
        """A query's rows, its dates as Python's."""
        cursor = self.database.execute(query)
        names = [column[0] for column in cursor.description or ()]
        return pd.DataFrame(cursor.fetchall(), columns=names)


@pytest.fixture(scope="module", params=["grocer", "sample"])
def built(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Built]:
    folder = tmp_path_factory.mktemp(request.param)
    if request.param == "grocer":
        complete_journey.land(folder / "raw")
        through, zone = GROCER_END, "America/New_York"
    else:
        generate(300, 400, 7, folder / "raw")
        through, zone = SAMPLE_END, "America/New_York"
    warehouse = BareWarehouse(folder, time_zone=zone)
    warehouse.night(through, is_tested=True)
    with duckdb.connect() as connection:
        connection.execute("set TimeZone = 'UTC'")
        for name, file in (
            ("engagement", warehouse.place.marts_file),
            ("staging", warehouse.place.staging_file),
        ):
            connection.execute(f"attach '{file}' as {name} (read_only)")
        connection.execute("use engagement.marts")
        yield Built(warehouse.place.folder, connection, _history(connection, through, zone))


def _history(connection: duckdb.DuckDBPyConnection, through: date, zone: str) -> History:
    """Acts, money, orders and answers, from facts that other tests prove."""
    acts = connection.execute(
        """
        select customer_id, channel, source_table, occurred_at, interaction_id, occurred_on
        from fct_interactions
        where prompt_status <> 'system'
        order by customer_id, occurred_at, interaction_id
        """
    ).fetchall()
    starts: dict[str, date] = {}
    for source, on in connection.execute(
        "select source_table, min(occurred_on) from fct_interactions group by source_table"
    ).fetchall():
        starts[source] = on
    days: dict[str, set[date]] = defaultdict(set)
    channels: dict[str, str] = {}
    first_sources: dict[str, set[str]] = defaultdict(set)
    for customer, channel, source, _, _, on in acts:
        channels.setdefault(customer, channel)
        if not days[customer] or on == min(days[customer]):
            first_sources[customer].add(source)
        days[customer].add(on)
    ordered = {customer: sorted(found) for customer, found in days.items()}
    money: dict[str, list[tuple[date, Decimal]]] = defaultdict(list)
    for customer, on, revenue in connection.execute(
        "select customer_id, active_on, revenue from fct_engagement_days where revenue <> 0"
    ).fetchall():
        money[customer].append((on, revenue))
    purchases: dict[str, list[Purchase]] = defaultdict(list)
    for customer, on, cancelled_on in connection.execute(
        f"""
        select
            interactions.customer_id,
            interactions.occurred_on,
            cast(timezone('{zone}', timezone('UTC', valued.cancelled_at)) as date)
        from fct_interactions as interactions
        inner join staging.intermediate.int_orders__valued as valued
            on interactions.source_key = valued.order_id
        where interactions.interaction_type = 'order'
        """
    ).fetchall():
        purchases[customer].append(Purchase(on, cancelled_on))
    answers: dict[str, list[tuple[pd.Timestamp, str, date, float]]] = defaultdict(list)
    for customer, at, key, on, score in connection.execute(
        """
        select
            interactions.customer_id, interactions.occurred_at, interactions.source_key,
            interactions.occurred_on, cast(responses.score as double)
        from fct_interactions as interactions
        inner join staging.staging.stg_surveys__responses as responses
            on interactions.source_key = responses.response_id
        where interactions.source_table = 'survey_responses' and responses.metric = 'nps'
        """
    ).fetchall():
        answers[customer].append((at, key, on, score))
    return History(
        through=through,
        days=ordered,
        channels=channels,
        truncated={
            customer: (found[0] - starts[min(first_sources[customer])]).days < 30
            for customer, found in ordered.items()
        },
        money=money,
        purchases=purchases,
        answers=answers,
    )


def test_cohorts_month_by_month(built: Built) -> None:
    wanted = reference.retention(built.history)
    found = built.frame("select * from fct_cohort_retention").set_index(["cohort_month", "snapshot_date"])
    found = found.sort_index()
    assert list(found.index) == list(wanted.index)
    for column in wanted.columns:
        assert list(found[column]) == list(wanted[column]), column
    assert wanted["newly_lapsed_customers"].sum() > 10
    assert wanted["recovered_customers"].sum() > 10
    assert np.allclose(
        found["retention_rate"].astype(float), wanted["active_customers"] / wanted["customers"], atol=1e-9
    )
    at_risk = wanted["at_risk_customers"].replace(0, np.nan)
    assert np.allclose(
        found["churn_rate"].astype(float),
        wanted["newly_lapsed_customers"] / at_risk,
        atol=1e-9,
        equal_nan=True,
    )


def test_what_adds_up(built: Built) -> None:
    """Flows lead from one month's stock to the next, states to customers, and months to all revenue."""
    rows = built.frame(
        """
        select
            *,
            lag(customers - lapsed_customers) over in_order as before
        from fct_cohort_retention
        window in_order as (partition by cohort_month order by snapshot_date)
        """
    )
    later = rows[rows["months_since_first"] > 0]
    assert (later["at_risk_customers"] == later["before"]).all()
    assert (
        later["customers"] - later["lapsed_customers"]
        == later["at_risk_customers"] - later["newly_lapsed_customers"] + later["recovered_customers"]
    ).all()
    active = rows["new_customers"] + rows["returning_customers"] + rows["resurrected_customers"]
    assert (active == rows["active_customers"]).all()
    assert (active + rows["dormant_customers"] == rows["customers"]).all()
    assert (rows.loc[rows["months_since_first"] == 0, "new_customers"] > 0).all()
    assert (rows.loc[rows["months_since_first"] > 0, "new_customers"] == 0).all()
    (revenue, orders), (all_revenue, all_orders) = (
        built.database.execute(f"select sum(revenue), sum(orders) from {mart}").fetchall()[0]
        for mart in ("fct_cohort_retention", "fct_engagement_days")
    )
    assert (revenue, orders) == (all_revenue, all_orders)


@pytest.mark.parametrize("population", ["all", "beginning_seen"])
def test_survival_is_that_of_scipy(built: Built, population: str) -> None:
    lifetimes = reference.lifetimes(built.history)
    if population == "beginning_seen":
        lifetimes = lifetimes[~lifetimes["truncated"]]
    found = built.frame(
        f"select * from fct_customer_survival where population = '{population}' order by days_since_first"
    )
    assert set(found["acquisition_channel"]) == {"all", *lifetimes["channel"]}
    for channel, curve in found.groupby("acquisition_channel"):
        known = lifetimes if channel == "all" else lifetimes[lifetimes["channel"] == channel]
        assert set(curve["customers"]) == {len(known)}
        assert curve["lapsed_customers"].sum() == known["lapsed"].sum()
        assert curve["censored_customers"].sum() == (~known["lapsed"]).sum()
        assert_curve(curve, known["days"].to_numpy(), known["lapsed"].to_numpy())
    assert population != "all" or found["lapsed_customers"].sum() > 100


def assert_curve(curve: pd.DataFrame, days: np.ndarray, lapsed: np.ndarray) -> None:
    """A curve's estimates, errors and bounds are SciPy's at every day on which something happened."""
    survival = stats.ecdf(stats.CensoredData.right_censored(days, ~lapsed)).sf
    estimates = dict(zip(survival.quantiles, survival.probabilities, strict=True))
    by_day = curve.set_index("days_since_first")
    assert list(by_day.index) == sorted({0, *days})
    assert by_day["at_risk_customers"].to_dict() == {day: int((days >= day).sum()) for day in by_day.index}
    wanted = [estimates.get(day, 1.0) for day in by_day.index]
    assert np.allclose(by_day["survival"], wanted, rtol=0, atol=1e-9)
    # SciPy's Greenwood: the normal interval is S -+ z S sqrt(sum d / (n (n - d)))
    with np.errstate(invalid="ignore", divide="ignore"):
        linear = survival.confidence_interval(method="linear")
        log_log = survival.confidence_interval(method="log-log")
    inner = [number for number, estimate in enumerate(survival.probabilities) if 0.0 < estimate < 1.0 - 1e-12]
    rows = by_day.loc[survival.quantiles[inner]]
    wide = (rows["survival"] - stats.norm.ppf(0.975) * rows["standard_error"]).clip(lower=0)
    assert np.allclose(wide.astype(float), linear.low.probabilities[inner], rtol=0, atol=1e-9)
    for column, bound in (("survival_lower", log_log.low), ("survival_upper", log_log.high)):
        assert np.allclose(rows[column].astype(float), bound.probabilities[inner], rtol=0, atol=1e-9)


def test_outcomes_of_every_customer(built: Built) -> None:
    wanted = reference.outcomes(built.history)
    found = built.frame("select * from fct_customer_outcomes").set_index(["customer_id", "snapshot_date"])
    found = found.sort_index()
    assert list(found.index) == list(wanted.index)
    assert np.allclose(found["revenue"].astype(float), wanted["revenue"].astype(float), rtol=0, atol=1e-6)
    for column in ("has_repurchased", "has_lapsed", "nps_score"):
        both = zip(found[column].astype(object), wanted[column].astype(object), strict=True)
        assert all(left == right or (pd.isna(left) and pd.isna(right)) for left, right in both), column
    assert found["has_lapsed"].sum() > 50


def test_features_are_those_of_the_snapshot(built: Built) -> None:
    """Counted again from what had happened by T; shares from the facts' rows of T."""
    wrong = built.frame(
        """
        with counted as (
            select
                outcomes.customer_id,
                outcomes.snapshot_date,
                count(distinct date_trunc('month', days.active_on)) filter (days.interactions > 0) as months,
                outcomes.snapshot_date - max(days.active_on) filter (days.interactions > 0) as recency,
                sum(days.visits) as visits,
                sum(days.weighted_interactions) as weighted,
                sum(days.orders) as orders,
                sum(days.revenue) as revenue,
                sum(days.promotion_interactions) / sum(days.interactions) as promotion_share,
                count(distinct days.active_on) filter (
                    days.interactions > 0 and days.active_on > outcomes.snapshot_date - 90
                ) as active_90
            from fct_customer_outcomes as outcomes
            inner join fct_engagement_days as days
                on outcomes.customer_id = days.customer_id and days.active_on <= outcomes.snapshot_date
            group by 1, 2
        )
        select *
        from fct_customer_outcomes as outcomes
        left join counted using (customer_id, snapshot_date)
        left join fct_engagement_frequency as frequency using (customer_id, snapshot_date)
        left join fct_engagement_proactiveness as proactiveness using (customer_id, snapshot_date)
        where
            outcomes.active_months is distinct from months
            or outcomes.recency_days is distinct from recency
            or outcomes.visits_to_date is distinct from visits
            or abs(outcomes.weighted_interactions_to_date - weighted) > 1e-6
            or outcomes.orders_to_date is distinct from orders
            or outcomes.revenue_to_date is distinct from counted.revenue
            or abs(outcomes.promotion_share - counted.promotion_share) > 1e-9
            or outcomes.active_days_90 is distinct from active_90
            or outcomes.effective_types is distinct from frequency.effective_types
            or outcomes.proactive_share_lower is distinct from proactiveness.proactive_share_lower
        """
    )
    assert wrong.empty, wrong.head()


def test_associations_are_those_of_scipy(built: Built) -> None:
    customers = built.frame("select * from fct_customer_outcomes")
    points = customers["nps_score"].astype(float)
    values: Mapping[str, pd.Series] = {
        "revenue": customers["revenue"].astype(float),
        "repurchase": customers["has_repurchased"].astype(object).map({True: 1.0, False: 0.0}),
        "lapse": customers["has_lapsed"].astype(object).map({True: 1.0, False: 0.0}),
        "nps": points.map(lambda score: 100.0 * ((score >= 9) * 1 - (score <= 6) * 1), na_action="ignore"),
    }
    found = built.frame("select * from fct_engagement_outcomes").set_index(
        ["snapshot_date", "feature", "outcome", "segmentation", "segment"]
    )
    compared = 0
    wanted_keys = set()
    for snapshot, rows in customers.groupby("snapshot_date"):
        for feature, is_purchase_based in FEATURES.items():
            for outcome, value in values.items():
                if is_purchase_based and outcome == "revenue":
                    continue
                known = pd.DataFrame({"x": rows[feature].astype(float), "y": value.loc[rows.index]}).dropna()
                if known.empty:
                    continue
                wanted = reference.association(known["x"], known["y"])
                key = (snapshot, feature, outcome)
                everybody = found.loc[(*key, "all", "all")]
                wanted_keys.add((*key, "all", "all"))
                assert everybody["customers"] == wanted["n"]
                for column, name in (
                    ("outcome_mean", "mean"),
                    ("spearman", "spearman"),
                    ("spearman_lower", "lower"),
                    ("spearman_upper", "upper"),
                ):
                    assert np.isclose(
                        float(everybody[column] if everybody[column] is not None else "nan"),
                        wanted[name],
                        rtol=1e-9,
                        atol=1e-9,
                        equal_nan=True,
                    ), (key, column)
                if feature == "tier_number":
                    tiers = known.groupby("x")["y"]
                    segments = {
                        ("tier", TIERS[int(number)]): (tier.mean(), len(tier)) for number, tier in tiers
                    }
                else:
                    segments = {
                        ("quintile", str(quintile)): (mean, wanted["sizes"][quintile])
                        for quintile, mean in wanted["means"].items()
                    }
                for segment, (mean, size) in segments.items():
                    row = found.loc[(*key, *segment)]
                    wanted_keys.add((*key, *segment))
                    assert row["customers"] == size
                    assert row["outcome_mean"] == pytest.approx(mean, rel=1e-9, abs=1e-9)
                    assert row["difference"] == pytest.approx(mean - wanted["mean"], rel=1e-9, abs=1e-6)
                    if outcome != "nps" and wanted["mean"] > 0:
                        assert row["lift"] == pytest.approx(mean / wanted["mean"] - 1, rel=1e-9, abs=1e-9)
                    else:
                        assert pd.isna(row["lift"])
                compared += not np.isnan(wanted["spearman"])
    assert set(found.index) == wanted_keys
    assert compared > 100


def test_visits_foretell_spend_as_they_are_known_to_at_this_grocer(built: Built) -> None:
    """Visits of the first half of 2017 against spend in the second, over all households ever seen."""
    if built.history.through != GROCER_END:
        pytest.skip("a number of the grocer's")
    halves = built.frame(
        f"""
        with totals as (
            select
                customer_id,
                sum(visits_to_date) filter (snapshot_date = date '{MIDYEAR}') as visits,
                sum(revenue_to_date) filter (snapshot_date = date '{GROCER_END}')
                - coalesce(sum(revenue_to_date) filter (snapshot_date = date '{MIDYEAR}'), 0) as spend
            from fct_engagement_volume
            where channel = 'store'
            group by customer_id
        )
        select coalesce(visits, 0) as visits, cast(coalesce(spend, 0) as double) as spend from totals
        """
    )
    assert len(halves) == 2_469
    assert round(float(stats.spearmanr(halves["visits"], halves["spend"]).statistic), 4) == 0.6962
    assert round(float(np.corrcoef(halves["visits"], halves["spend"])[0, 1]), 4) == 0.5770


LEAKS = {
    # features of the month after T
    "expect_features_to_know_nothing_of_what_comes_after": (
        "and snapshots.snapshot_date = volumes.snapshot_date",
        "and last_day(snapshots.snapshot_date + 1) = volumes.snapshot_date",
    ),
    # outcomes of the month that ends with T
    "expect_outcomes_of_the_window_only": (
        "on windows.snapshot_date < months.month_start",
        "on date_trunc('month', windows.snapshot_date) <= months.month_start",
    ),
    # windows that are not over yet
    "expect_windows_that_are_over": ("where snapshot_date + ", "where snapshot_date - 60 + "),
}


@pytest.mark.parametrize("expectation", [None, *LEAKS])
def test_a_leak_that_is_planted_is_caught(built: Built, tmp_path: Path, expectation: str | None) -> None:
    """The model's SQL, as it was run and with time flowing the wrong way, before the gate of the marts."""
    build = tmp_path / "build"
    build.mkdir()
    for name in ("staging.duckdb", "engagement.duckdb"):
        shutil.copy(built.folder / "build" / name, build / name)
    compiled = built.folder / "build" / "dbt" / "compiled" / "engagement_warehouse"
    sql = (compiled / "models/marts/outcomes/fct_customer_outcomes.sql").read_text(encoding="utf-8")
    if expectation:
        right, wrong = LEAKS[expectation]
        assert sql.count(right) == 1
        sql = sql.replace(right, wrong)
    with duckdb.connect(str(build / "staging.duckdb")) as connection:
        connection.execute(f"set TimeZone = 'UTC'; attach '{build / 'engagement.duckdb'}' as engagement")
        connection.execute(f"create or replace table engagement.marts.fct_customer_outcomes as {sql}")
    failed = {
        result.expectation
        for result in run_gate("marts", tmp_path)
        if not result.success and result.table_name == "fct_customer_outcomes"
    }
    assert expectation in failed if expectation else not failed


def test_the_first_episode_is_the_lapse_that_the_snapshots_tell(built: Built) -> None:
    """With gaps of one's own the days of the lapses and the snapshots' states say the same."""
    wrong = built.frame(
        """
        with last_lapses as (
            select
                longevity.customer_id, longevity.snapshot_date, max(episodes.lapsed_on) as lapsed_on
            from fct_engagement_longevity as longevity
            left join staging.intermediate.int_lapses__episodes as episodes
                on longevity.customer_id = episodes.customer_id
                and longevity.snapshot_date >= episodes.lapsed_on
            group by 1, 2
        )
        select *
        from fct_engagement_longevity as longevity
        inner join last_lapses using (customer_id, snapshot_date)
        where
            longevity.active_days >= 3
            and longevity.is_lapsed
            is distinct from coalesce(last_lapses.lapsed_on > longevity.last_active_on, false)
        """
    )
    assert wrong.empty, wrong.head()
