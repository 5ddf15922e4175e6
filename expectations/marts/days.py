"""What customers did on a day: the additive ground of the five facts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from expectations.suite import suite
from expectations.thresholds import Thresholds
from expectations.vocabulary import between, no_rows

if TYPE_CHECKING:
    from great_expectations.expectations.expectation import Expectation


@suite("marts", "fct_engagement_days")
def days(_: Thresholds) -> list[Expectation]:
    """No count below zero, and customer by customer the interactions and the revenue of the interactions.

    Orders and revenue may be below zero on a day: a cancellation takes back what an earlier day counted.
    """
    return [
        between("interactions", 0),
        between("visits", 0),
        between("weighted_interactions", 0),
        between("engaged_seconds", 0),
        no_rows(
            "expect_days_to_add_up_to_the_interactions",
            ["interactions", "revenue"],
            """
            with added as (
                select customer_id, sum(interactions) as interactions, sum(revenue) as revenue
                from batch
                group by customer_id
            ),
            acts as (
                select customer_id, count(*) as interactions, coalesce(sum(revenue), 0) as revenue
                from written.fct_interactions
                where prompt_status <> 'system'
                group by customer_id
            )
            select
                customer_id,
                added.interactions as interactions_of_days,
                acts.interactions,
                added.revenue as revenue_of_days,
                acts.revenue
            from added
            full join acts using (customer_id)
            where
                added.interactions is distinct from acts.interactions
                or added.revenue is distinct from acts.revenue
            """,
        ),
        no_rows(
            "expect_all_days_to_add_up_to_all_interactions",
            ["interactions", "revenue"],
            """
            with added as (
                select coalesce(sum(interactions), 0) as interactions, coalesce(sum(revenue), 0) as revenue
                from marts.fct_engagement_days
            ),
            acts as (
                select count(*) as interactions, coalesce(sum(revenue), 0) as revenue
                from marts.fct_interactions
                where prompt_status <> 'system'
            )
            select
                added.interactions as interactions_of_days,
                acts.interactions,
                added.revenue as revenue_of_days,
                acts.revenue
            from added
            cross join acts
            where added.interactions <> acts.interactions or added.revenue <> acts.revenue
            """,
        ),
    ]
