"""Repetition and frequency: frequent and similar, or sporadic and varied."""

from __future__ import annotations

from typing import TYPE_CHECKING

from expectations.suite import suite
from expectations.thresholds import Thresholds
from expectations.vocabulary import ROUNDING, between, no_rows, not_below, share, within

if TYPE_CHECKING:
    from great_expectations.expectations.expectation import Expectation


@suite("marts", "fct_engagement_frequency")
def frequency(_: Thresholds) -> list[Expectation]:
    """Gaps, indices and entropies within their mathematical bounds; windows that contain each other."""
    return [
        between("mean_gap_days", 1),
        between("sd_gap_days", 0),
        between("cv_gap", 0),
        within("burstiness", -1, 1),
        within("burstiness_adjusted", -1, 1),
        between("active_days_7", 0, 7),
        between("active_days_28", 0, 28),
        between("active_days_90", 0, 90),
        not_below("active_days_28", "active_days_7"),
        not_below("active_days_90", "active_days_28"),
        between("interactions", 1),
        between("type_entropy", 0),
        share("type_evenness"),
        no_rows(
            "expect_effective_types_between_one_and_the_types",
            ["effective_types", "types"],
            """
            select customer_id, snapshot_date, effective_types, types
            from batch
            where effective_types < 1 - :rounding or effective_types > types * (1 + :rounding)
            """,
            {"rounding": ROUNDING},
        ),
        no_rows(
            "expect_interactions_of_the_current_snapshot_as_in_the_interactions",
            ["interactions"],
            """
            with acts as (
                select customer_id, count(*) as interactions
                from marts.fct_interactions
                where prompt_status <> 'system'
                group by customer_id
            )
            select customer_id, batch.interactions, acts.interactions as counted
            from batch
            left join acts using (customer_id)
            where batch.is_current and batch.interactions is distinct from acts.interactions
            """,
        ),
        no_rows(
            "expect_all_facts_to_hold_the_same_interactions_at_every_snapshot",
            ["interactions"],
            """
            with told as (
                select 'frequency' as fact, snapshot_date, sum(interactions) as interactions
                from marts.fct_engagement_frequency
                group by snapshot_date
                union all
                select 'context' as fact, snapshot_date, sum(interactions) as interactions
                from marts.fct_engagement_context
                group by snapshot_date
                union all
                select 'volume' as fact, snapshot_date, sum(interactions_to_date) as interactions
                from marts.fct_engagement_volume
                group by snapshot_date
                union all
                select
                    'proactiveness' as fact,
                    snapshot_date,
                    sum(unprompted + prompted + unknown) as interactions
                from marts.fct_engagement_proactiveness
                group by snapshot_date
            )
            select
                snapshot_date,
                max(interactions) filter (fact = 'frequency') as frequency,
                max(interactions) filter (fact = 'context') as context,
                max(interactions) filter (fact = 'volume') as volume,
                max(interactions) filter (fact = 'proactiveness') as proactiveness
            from told
            group by snapshot_date
            having count(*) < 4 or min(interactions) <> max(interactions)
            """,
        ),
    ]
