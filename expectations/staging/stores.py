"""Visits to stores."""

from __future__ import annotations

from typing import TYPE_CHECKING

from expectations.suite import suite
from expectations.thresholds import Thresholds
from expectations.vocabulary import no_rows, not_below

if TYPE_CHECKING:
    from great_expectations.expectations.expectation import Expectation


@suite("staging", "stg_stores__visits")
def visits(thresholds: Thresholds) -> list[Expectation]:
    """Nobody leaves a store before coming in, or stays for days."""
    return [
        not_below("left_at", "entered_at"),
        no_rows(
            "expect_no_visit_longer_than_a_day",
            ["entered_at", "left_at"],
            """
            select visit_id, entered_at, left_at
            from batch
            where left_at > entered_at + to_hours(:hours)
            """,
            {"hours": int(thresholds.value("staging", "stg_stores__visits", "store_visit_hours_max"))},
        ),
    ]
