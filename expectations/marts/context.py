"""The situations in which interactions happen."""

from __future__ import annotations

from typing import TYPE_CHECKING

from expectations.suite import suite
from expectations.thresholds import Thresholds
from expectations.vocabulary import between, no_rows, not_below, share

if TYPE_CHECKING:
    from great_expectations.expectations.expectation import Expectation


@suite("marts", "fct_engagement_context")
def context(thresholds: Thresholds) -> list[Expectation]:
    """The contexts of a customer are parts of a whole: the customer's interactions."""
    return [
        between("interactions", 1),
        share("share"),
        share("promotion_share"),
        not_below("interactions", "promotion_interactions"),
        not_below("interactions", "offline_interactions"),
        no_rows(
            "expect_contexts_to_add_up_to_the_interactions",
            ["interactions", "share"],
            """
            with added as (
                select
                    customer_id, snapshot_date, sum(interactions) as interactions, sum(share) as share
                from batch
                group by customer_id, snapshot_date
            )
            select
                customer_id,
                snapshot_date,
                added.interactions as interactions_of_contexts,
                frequency.interactions,
                added.share
            from added
            full join written.fct_engagement_frequency as frequency using (customer_id, snapshot_date)
            where
                added.interactions is distinct from frequency.interactions
                or abs(added.share - 1) > :tolerance
            """,
            {"tolerance": thresholds.value("marts", "fct_engagement_context", "sum_tolerance")},
        ),
    ]
