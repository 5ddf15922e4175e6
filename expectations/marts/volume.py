"""How much interaction there was over the whole lifecycle."""

from __future__ import annotations

from typing import TYPE_CHECKING

from expectations.suite import suite
from expectations.thresholds import Thresholds
from expectations.vocabulary import between, no_rows, not_below

if TYPE_CHECKING:
    from great_expectations.expectations.expectation import Expectation


@suite("marts", "fct_engagement_volume")
def volume(_: Thresholds) -> list[Expectation]:
    """What happened in a month is part of what happened to date; the channels add up to the customer."""
    return [
        between("interactions", 0),
        between("orders_to_date", 0),
        between("engaged_seconds_to_date", 0),
        between("weighted_interactions_to_date", 0),
        between("interactions_per_30_days", 0),
        not_below("interactions_to_date", "interactions"),
        not_below("interactions_to_date", "visits_to_date"),
        not_below("interactions_to_date", "orders_to_date"),
        no_rows(
            "expect_channels_to_add_up_to_the_interactions",
            ["interactions_to_date"],
            """
            with added as (
                select customer_id, snapshot_date, sum(interactions_to_date) as interactions
                from batch
                group by customer_id, snapshot_date
            )
            select
                customer_id,
                snapshot_date,
                added.interactions as interactions_of_channels,
                frequency.interactions
            from added
            full join written.fct_engagement_frequency as frequency using (customer_id, snapshot_date)
            where added.interactions is distinct from frequency.interactions
            """,
        ),
        no_rows(
            "expect_revenue_of_the_current_snapshot_as_in_the_interactions",
            ["revenue_to_date"],
            """
            with added as (
                select customer_id, sum(revenue_to_date) as revenue
                from batch
                where is_current
                group by customer_id
            ),
            earned as (
                select customer_id, coalesce(sum(revenue), 0) as revenue
                from marts.fct_interactions
                where prompt_status <> 'system'
                group by customer_id
            )
            select customer_id, added.revenue as revenue_of_channels, earned.revenue
            from added
            left join earned using (customer_id)
            where added.revenue is distinct from earned.revenue
            """,
        ),
    ]
