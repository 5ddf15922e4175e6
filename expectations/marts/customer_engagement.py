"""Who is engaged, and why: score, tier and standing of every current customer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from expectations.suite import suite
from expectations.thresholds import Thresholds
from expectations.vocabulary import ROUNDING, no_rows, share, within

if TYPE_CHECKING:
    from great_expectations.expectations.expectation import Expectation


@suite("marts", "customer_engagement")
def customer_engagement(_: Thresholds) -> list[Expectation]:
    """A score is the sum of what is told beside it, and nobody of the current snapshot is left out."""
    return [
        within("score", 0, 100),
        share("weight_coverage"),
        no_rows(
            "expect_contributions_to_add_up_to_the_score",
            ["score"],
            """
            select customer_id, score
            from batch
            where abs(
                score - coalesce(longevity_contribution, 0) - coalesce(proactiveness_contribution, 0)
                - coalesce(frequency_contribution, 0) - coalesce(context_contribution, 0)
                - coalesce(volume_contribution, 0)
            ) > :rounding
            """,
            {"rounding": ROUNDING},
        ),
        no_rows(
            "expect_percentiles_above_nought_and_below_one",
            ["score"],
            """
            select customer_id
            from batch
            where least(
                longevity_percentile, proactiveness_percentile, frequency_percentile, context_percentile,
                volume_percentile
            ) <= 0
            or greatest(
                longevity_percentile, proactiveness_percentile, frequency_percentile, context_percentile,
                volume_percentile
            ) >= 1
            """,
        ),
        no_rows(
            "expect_every_current_customer_once_with_an_explanation",
            ["customer_id", "explanation"],
            """
            select customer_id, batch.score
            from batch
            full join (
                select customer_id from marts.fct_engagement_longevity where is_current
            ) as current_customers using (customer_id)
            where batch.explanation is null or current_customers.customer_id is null
            """,
        ),
        no_rows(
            "expect_no_more_acts_of_a_kind_than_interactions",
            ["interactions_365"],
            """
            select customer_id, interactions_365
            from batch
            where greatest(
                involvement_acts_365 + interaction_acts_365 + intimacy_acts_365 + influence_acts_365,
                emotional_acts_365 + conative_acts_365 + cognitive_acts_365
            ) > interactions_365
            """,
        ),
    ]
