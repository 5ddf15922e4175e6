"""Channel days and survey scores of a synthetic year against a second computation, row by row."""

from collections import defaultdict
from collections.abc import Iterator
from datetime import date, datetime
from typing import Any

import channels_reference as reference
import duckdb
import pandas as pd
import pytest
from bare_nights import BareWarehouse

from loaders.sample import generate

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

AS_OF, ZONE = date(2025, 11, 19), "America/New_York"
# Rate, its part and its whole, both of the same row.
RATES = {
    "proactive_share": ("unprompted_interactions", "unprompted_interactions + prompted_interactions"),
    "promotion_share": ("promotion_interactions", "interactions"),
    "repeat_visit_rate": ("repeat_visits", "visits"),
    "bounce_rate": ("bounces", "tracked_visits"),
    "pages_per_visit": ("page_views", "tracked_visits"),
    "seconds_per_visit": ("visit_seconds", "tracked_visits"),
    "conversion_rate": ("converted_visits", "tracked_visits"),
    "cart_abandonment_rate": ("abandoned_carts", "carts"),
    "seconds_per_stay": ("stay_seconds", "stays"),
    "response_rate": ("answered_touches", "touches"),
    "seconds_per_response": ("response_seconds", "answered_touches"),
    "failure_rate": ("failed_sends", "sends"),
    "open_rate": ("opens", "touches"),
    "click_rate": ("clicks", "touches"),
    "unsubscribe_rate": ("unsubscribes", "touches"),
    "touches_per_subscriber": ("touches", "subscribers"),
    "engagement_rate": ("100 * followed_interactions", "followers"),
    "complaint_share": ("complaints", "tickets"),
    "mean_first_response_seconds": ("first_response_seconds", "first_responses"),
    "mean_first_response_business_seconds": ("first_response_business_seconds", "first_responses"),
    "mean_resolution_seconds": ("resolution_seconds", "resolutions"),
    "mean_resolution_business_seconds": ("resolution_business_seconds", "resolutions"),
    "mean_rating": ("rating_sum", "reviews"),
    "positive_per_negative_review": ("positive_reviews", "negative_reviews"),
    "redemption_rate": ("points_redeemed", "points_earned"),
    "revenue_per_order": ("revenue", "orders"),
}
COUNTED = (
    *("interactions", "unprompted_interactions", "prompted_interactions", "promotion_interactions"),
    *("weighted_interactions", "engaged_seconds", "visits", "repeat_visits", "tracked_visits", "bounces"),
    *("page_views", "visit_seconds", "converted_visits", "carts", "abandoned_carts", "stays", "stay_seconds"),
    *("touches", "answered_touches", "response_seconds", "sends", "deliveries", "failed_sends", "opens"),
    *("machine_opens", "clicks", "replies", "unsubscribes", "spam_complaints", "new_subscribers"),
    *("lost_subscribers", "social_interactions", "brand_posts", "followers", "followed_interactions"),
    *("tickets", "complaints", "first_responses", "first_response_seconds"),
    *("first_response_business_seconds", "resolutions", "resolution_seconds", "resolution_business_seconds"),
    *("reviews", "rating_sum", "positive_reviews", "negative_reviews", "enrolments", "exits"),
    *("points_earned", "points_redeemed", "points_expired", "placed_orders", "returns"),
)


class Built:
    """The build files of one night."""

    def __init__(self, database: duckdb.DuckDBPyConnection) -> None:
        self.database = database
        self.clock = reference.Clock(AS_OF, ZONE)

    def rows(self, query: str) -> list[dict[str, Any]]:
        """A query's rows by column."""
        cursor = self.database.execute(query)
        names = [column[0] for column in cursor.description or ()]
        return [dict(zip(names, values, strict=True)) for values in cursor.fetchall()]

    def frame(self, query: str) -> pd.DataFrame:
        """A query's rows, times as Python's (pandas rounds none of them)."""
        cursor = self.database.execute(query)
        names = [column[0] for column in cursor.description or ()]
        return pd.DataFrame(cursor.fetchall(), columns=names, dtype=object)


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Built]:
    folder = tmp_path_factory.mktemp("channels")
    generate(300, 330, 5, folder / "raw")
    warehouse = BareWarehouse(folder, time_zone=ZONE)
    warehouse.night(AS_OF)
    with duckdb.connect() as database:
        database.execute("set TimeZone = 'UTC'")
        for name, file in (
            ("staging", warehouse.place.staging_file),
            ("engagement", warehouse.place.marts_file),
        ):
            database.execute(f"attach '{file}' as {name} (read_only)")
        yield Built(database)


@pytest.fixture(scope="module")
def counted(built: Built) -> dict[str, reference.Cells]:
    return reference.channel_days(built.frame, built.clock)


@pytest.mark.parametrize("measure", COUNTED)
def test_every_count_is_that_of_the_rows(
    built: Built, counted: dict[str, reference.Cells], measure: str
) -> None:
    rows = built.rows(f"select channel, day, {measure} from engagement.marts.fct_channel_days")
    assert counted[measure], "the sample holds nothing of it"
    assert reference.nonzero(rows, measure) == pytest.approx(counted[measure], rel=1e-9, abs=1e-9)


@pytest.mark.parametrize("rate", RATES)
def test_every_rate_stands_beside_its_parts(built: Built, rate: str) -> None:
    part, whole = RATES[rate]
    rows = built.rows(
        f"select {rate} as rate, cast({part} as double) as part, cast({whole} as double) as whole"
        " from engagement.marts.fct_channel_days"
    )
    assert any(row["rate"] for row in rows)
    for row in rows:
        expected = row["part"] / row["whole"] if row["whole"] else None
        assert row["rate"] == (None if expected is None else pytest.approx(expected, rel=1e-9))


def test_no_rate_is_without_its_parts(built: Built) -> None:
    columns = {
        row["column_name"]: row["data_type"]
        for row in built.rows(
            "select column_name, data_type from duckdb_columns()"
            " where database_name = 'engagement' and table_name = 'fct_channel_days'"
        )
    }
    sums = {"weighted_interactions", "engaged_seconds", "visit_seconds", "stay_seconds", "response_seconds"}
    sums |= {"rating_sum", "first_response_seconds", "first_response_business_seconds"}
    sums |= {"resolution_seconds", "resolution_business_seconds"}
    assert {name for name, kind in columns.items() if kind == "DOUBLE"} - sums == set(RATES)


def test_who_stands_at_the_end_of_the_day_is_who_came_less_who_left(built: Built) -> None:
    rows = built.rows("select * from engagement.marts.fct_channel_days order by channel, day")
    standing: dict[tuple[str, str], int] = defaultdict(int)
    for row in rows:
        channel = row["channel"]
        for column, came, left in (
            ("subscribers", "new_subscribers", "lost_subscribers"),
            ("members", "enrolments", "exits"),
        ):
            standing[channel, column] += row[came] - row[left]
            if row[column] is not None:
                assert row[column] == standing[channel, column]
    assert {row["channel"] for row in rows if row["subscribers"] is not None} == {
        *("email", "sms", "push", "direct_mail")
    }


def test_revenue_and_orders_add_up_to_those_of_the_interactions(built: Built) -> None:
    differing = built.rows(
        """
        with added as (
            select channel, sum(orders) as orders, sum(revenue + renewal_revenue) as revenue,
                sum(returned_revenue) as returned_revenue
            from engagement.marts.fct_channel_days
            group by channel
        ),
        earned as (
            select
                acts.channel,
                count(*) filter (interaction_type = 'order' and valued.cancelled_at is null) as orders,
                coalesce(sum(acts.revenue), 0) as revenue,
                coalesce(-sum(acts.revenue) filter (interaction_type = 'order_return'), 0) as returned_revenue
            from engagement.marts.fct_interactions as acts
            left join staging.intermediate.int_orders__valued as valued using (order_id)
            group by acts.channel
        )
        select *
        from added
        join earned using (channel)
        where (added.orders, added.revenue, added.returned_revenue)
            is distinct from (earned.orders, earned.revenue, earned.returned_revenue)
        """
    )
    assert differing == []
    assert built.rows("select sum(renewals) as renewals from engagement.marts.fct_channel_days")[0][
        "renewals"
    ]


def test_survey_scores_are_those_of_the_latest_responses(built: Built) -> None:
    expected = reference.survey_scores(built.frame, built.clock)
    measures = ("respondents", "mean_score", "nps", "nps_standard_error", "csat", "ces")
    found = {
        (
            *(row["survey_id"], row["metric"], row["scale_min"], row["scale_max"], row["higher_is_better"]),
            *(row["window_unit"], row["window_start_on"], row["channel"], row["tier"]),
        ): {name: row[name] for name in measures if row[name] is not None}
        for row in built.rows("select * from engagement.marts.fct_survey_scores where respondents > 0")
    }
    assert {key[1] for key in expected} == {"nps", "csat", "ces", "other"}
    assert len({key[-1] for key in expected}) > 1
    assert found.keys() == expected.keys()
    for cell, values in expected.items():
        assert found[cell] == pytest.approx(values, rel=1e-9, abs=1e-9), cell


def test_every_invitation_is_counted_once_in_every_kind_of_window(built: Built) -> None:
    units = built.rows(
        "select window_unit, sum(invitations) as invitations, sum(answered_invitations) as answered"
        " from engagement.marts.fct_survey_scores group by window_unit"
    )
    [touches] = built.rows("select count(*) as n from engagement.marts.fct_touches where purpose = 'survey'")
    assert {row["invitations"] for row in units} == {touches["n"]}
    [answered] = {row["answered"] for row in units}
    assert 0 < answered <= touches["n"]


def test_business_seconds_of_the_reference_are_those_of_a_clock_on_the_wall() -> None:
    clock = reference.Clock(AS_OF, ZONE)
    # Friday 16:00 to Monday 09:30 over the change to daylight saving time
    seconds = clock.open_seconds(datetime(2024, 3, 8, 21), datetime(2024, 3, 11, 13, 30))
    assert seconds == 1.5 * 3600
