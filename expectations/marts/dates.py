"""Business days."""

from __future__ import annotations

from typing import TYPE_CHECKING

from expectations.suite import suite
from expectations.thresholds import Thresholds
from expectations.vocabulary import no_rows

if TYPE_CHECKING:
    from great_expectations.expectations.expectation import Expectation


@suite("marts", "dim_dates")
def dates(_: Thresholds) -> list[Expectation]:
    """No day is missing between the first and the last: charts over days would skip it unseen."""
    return [
        no_rows(
            "expect_days_without_a_gap",
            ["date_on"],
            """
            select
                abs(max(date_on) - min(date_on) + 1 - count(*)) as unexpected_count,
                max(date_on) - min(date_on) + 1 as element_count
            from batch
            having max(date_on) - min(date_on) + 1 <> count(*)
            """,
        ),
    ]
