"""Visits: the interactions of customers, grouped."""

from __future__ import annotations

from typing import TYPE_CHECKING

from expectations.suite import suite
from expectations.thresholds import Thresholds
from expectations.vocabulary import between, no_rows, not_below, seldom

if TYPE_CHECKING:
    from great_expectations.expectations.expectation import Expectation


@suite("marts", "fct_visits")
def visits(thresholds: Thresholds) -> list[Expectation]:
    """Visits end after they start, time out, and hold every interaction of a customer once."""
    return [
        not_below("ended_at", "started_at"),
        not_below("interactions", "page_views"),
        between("engaged_seconds", 0),
        seldom(
            "expect_visits_to_time_out",
            ["started_at", "ended_at"],
            "ended_at > started_at + to_hours(:hours)",
            thresholds.value("marts", "fct_visits", "long_visit_share_max"),
            thresholds.value("marts", "fct_visits", "long_visit_rows_tolerated"),
            {"hours": int(thresholds.value("marts", "fct_visits", "long_visit_hours"))},
            table="marts.fct_visits",
        ),
        no_rows(
            "expect_visits_to_hold_every_interaction",
            ["interactions"],
            """
            with counted as (
                select
                    (select coalesce(sum(interactions), 0) from marts.fct_visits) as visited,
                    (
                        select count(*) from marts.fct_interactions where prompt_status <> 'system'
                    ) as interactions
            )
            select abs(visited - interactions) as unexpected_count, interactions as element_count
            from counted
            where visited <> interactions
            """,
        ),
    ]
