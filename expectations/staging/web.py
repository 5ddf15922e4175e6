"""Events of the web site and the app."""

from __future__ import annotations

from typing import TYPE_CHECKING

from expectations.suite import suite
from expectations.thresholds import Thresholds
from expectations.vocabulary import between, named

if TYPE_CHECKING:
    from great_expectations.expectations.expectation import Expectation


@suite("staging", "stg_web__events")
def events(thresholds: Thresholds) -> list[Expectation]:
    """No single event engages for more than a day, and most are by a known visitor."""
    return [
        between("engaged_seconds", 0, 86_400),
        named("stg_web__events", ("anonymous_id", "user_id", "email"), thresholds),
    ]
