"""Events of the loyalty programme."""

from __future__ import annotations

from typing import TYPE_CHECKING

from expectations.suite import suite
from expectations.thresholds import Thresholds
from expectations.vocabulary import seldom

if TYPE_CHECKING:
    from great_expectations.expectations.expectation import Expectation


@suite("staging", "stg_loyalty__events")
def events(thresholds: Thresholds) -> list[Expectation]:
    """Events about points say how many; a feed without them has lost a column."""
    return [
        seldom(
            "expect_events_about_points_to_say_how_many",
            ["points"],
            "points is null and event_name in ('points_earned', 'points_redeemed')",
            thresholds.value("staging", "stg_loyalty__events", "incomplete_share_max"),
            thresholds.value("staging", "stg_loyalty__events", "incomplete_rows_tolerated"),
        )
    ]
