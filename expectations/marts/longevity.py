"""The length of time over which interactions are spread."""

from __future__ import annotations

from typing import TYPE_CHECKING

from expectations.suite import suite
from expectations.thresholds import Thresholds
from expectations.vocabulary import between, no_rows, not_below, share

if TYPE_CHECKING:
    from great_expectations.expectations.expectation import Expectation


@suite("marts", "fct_engagement_longevity")
def longevity(_: Thresholds) -> list[Expectation]:
    """Durations that fit into each other, and one current snapshot of every customer."""
    return [
        between("span_days", 0),
        between("recency_days", 0),
        between("active_days", 1),
        between("lapses", 0),
        share("active_week_ratio"),
        not_below("active_days", "active_weeks"),
        not_below("active_days", "active_months"),
        not_below("span_days", "longest_gap_days"),
        no_rows(
            "expect_tenure_to_be_span_and_recency",
            ["tenure_days", "span_days", "recency_days"],
            """
            select customer_id, snapshot_date, tenure_days, span_days, recency_days
            from batch
            where tenure_days is distinct from span_days + recency_days
            """,
        ),
        no_rows(
            "expect_active_days_within_the_span",
            ["active_days", "span_days", "lapses"],
            """
            select customer_id, snapshot_date, active_days, span_days, lapses
            from batch
            where active_days > span_days + 1 or lapses >= active_days
            """,
        ),
        no_rows(
            "expect_one_current_snapshot_date",
            ["is_current", "snapshot_date"],
            """
            select snapshot_date, is_current, count(*) as unexpected_count
            from marts.fct_engagement_longevity
            where
                is_current is distinct from (
                    snapshot_date = (select max(snapshot_date) from marts.fct_engagement_longevity)
                )
            group by snapshot_date, is_current
            """,
        ),
        no_rows(
            "expect_active_days_of_the_current_snapshot_as_in_the_days",
            ["active_days"],
            """
            with counted as (
                select customer_id, count(distinct active_on) as active_days
                from marts.fct_engagement_days
                where interactions > 0
                group by customer_id
            )
            select customer_id, batch.active_days, counted.active_days as counted_days
            from batch
            left join counted using (customer_id)
            where batch.is_current and batch.active_days is distinct from counted.active_days
            """,
        ),
        no_rows(
            "expect_every_customer_of_the_last_month_in_the_current_snapshot",
            ["customer_id"],
            """
            select distinct days.customer_id
            from marts.fct_engagement_days as days
            left join batch on days.customer_id = batch.customer_id and batch.is_current
            where
                days.interactions > 0
                and days.active_on > (select max(active_on) from marts.fct_engagement_days) - 28
                and batch.customer_id is null
            """,
        ),
    ]
