"""The customer journey: awareness, familiarity, consideration, purchase, loyalty."""

from __future__ import annotations

from typing import TYPE_CHECKING

from expectations.suite import suite
from expectations.thresholds import Thresholds
from expectations.vocabulary import between, no_rows

if TYPE_CHECKING:
    from great_expectations.expectations.expectation import Expectation


@suite("marts", "fct_customer_journey")
def journey(_: Thresholds) -> list[Expectation]:
    """Every day since awareness is spent in one stage, and every customer is in one now."""
    return [
        between("days_in_stage", 0),
        between("times_dropped_back", 0),
        no_rows(
            "expect_stages_to_add_up_to_the_days_since_awareness",
            ["days_in_stage"],
            """
            select customer_id, sum(days_in_stage) as days_in_stages
            from batch
            group by customer_id
            having sum(days_in_stage) <> any_value(snapshot_date) - min(reached_on) + 1
            """,
        ),
        no_rows(
            "expect_one_current_stage_of_every_customer",
            ["is_current_stage"],
            """
            select customer_id, count(*) filter (where is_current_stage) as current_stages
            from batch
            full join (
                select customer_id from marts.fct_engagement_longevity where is_current
            ) as current_customers using (customer_id)
            group by customer_id
            having count(*) filter (where is_current_stage) <> 1
            """,
        ),
    ]
