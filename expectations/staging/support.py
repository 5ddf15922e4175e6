"""Support tickets and their messages."""

from __future__ import annotations

from typing import TYPE_CHECKING

from expectations.suite import suite
from expectations.thresholds import Thresholds
from expectations.vocabulary import named, not_below

if TYPE_CHECKING:
    from great_expectations.expectations.expectation import Expectation


@suite("staging", "stg_support__tickets")
def tickets(thresholds: Thresholds) -> list[Expectation]:
    """No ticket is solved before it was created, and most are by somebody known."""
    return [
        not_below("solved_at", "created_at"),
        named("stg_support__tickets", ("customer_ref", "user_id", "email", "handle"), thresholds),
    ]
