"""Whether customers engage of their own accord."""

from __future__ import annotations

from typing import TYPE_CHECKING

from expectations.suite import suite
from expectations.thresholds import Thresholds
from expectations.vocabulary import ROUNDING, between, no_rows, not_below, share

if TYPE_CHECKING:
    from great_expectations.expectations.expectation import Expectation


@suite("marts", "fct_engagement_proactiveness")
def proactiveness(_: Thresholds) -> list[Expectation]:
    """Shares are shares, bounds enclose what they bound, and the counts are the customer's interactions."""
    return [
        share("proactive_share"),
        share("proactive_share_lower"),
        share("proactive_share_upper"),
        share("strict_proactive_share"),
        share("coverage"),
        share("response_rate"),
        share("saturation"),
        share("windowed_share"),
        between("mean_response_seconds", 0),
        not_below("touches_received", "touches_answered"),
        no_rows(
            "expect_bounds_around_the_share",
            ["proactive_share_lower", "proactive_share", "proactive_share_upper"],
            """
            select customer_id, snapshot_date, proactive_share_lower, proactive_share, proactive_share_upper
            from batch
            where
                proactive_share_lower > proactive_share + :rounding
                or proactive_share > proactive_share_upper + :rounding
                or (proactive_share is null) <> (proactive_share_lower is null)
                or (proactive_share is null) <> (proactive_share_upper is null)
            """,
            {"rounding": ROUNDING},
        ),
        no_rows(
            "expect_an_adjusted_share_not_above_the_windowed_one",
            ["adjusted_prompted_share", "windowed_share"],
            """
            select customer_id, snapshot_date, adjusted_prompted_share, windowed_share, saturation
            from batch
            where adjusted_prompted_share > windowed_share + :rounding
            """,
            {"rounding": ROUNDING},
        ),
        no_rows(
            "expect_prompt_counts_to_add_up_to_the_interactions",
            ["unprompted", "prompted", "unknown"],
            """
            select
                customer_id,
                snapshot_date,
                batch.unprompted + batch.prompted + batch.unknown as counted,
                frequency.interactions
            from batch
            full join written.fct_engagement_frequency as frequency using (customer_id, snapshot_date)
            where
                batch.unprompted + batch.prompted + batch.unknown is distinct from frequency.interactions
            """,
        ),
    ]
