"""Campaigns."""

from __future__ import annotations

from typing import TYPE_CHECKING

from expectations.suite import suite
from expectations.thresholds import Thresholds
from expectations.vocabulary import not_below

if TYPE_CHECKING:
    from great_expectations.expectations.expectation import Expectation


@suite("staging", "stg_campaigns__campaigns")
def campaigns(_: Thresholds) -> list[Expectation]:
    """A campaign ends after it starts."""
    return [not_below("ends_at", "starts_at")]
