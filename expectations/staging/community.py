"""Acts in the brand's own community."""

from __future__ import annotations

from typing import TYPE_CHECKING

from expectations.suite import suite
from expectations.thresholds import Thresholds
from expectations.vocabulary import named

if TYPE_CHECKING:
    from great_expectations.expectations.expectation import Expectation


@suite("staging", "stg_community__events")
def events(thresholds: Thresholds) -> list[Expectation]:
    """Most members are known by some name."""
    return [named("stg_community__events", ("customer_ref", "user_id", "email", "handle"), thresholds)]
