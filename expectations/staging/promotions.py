"""Promotions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from expectations.suite import suite
from expectations.thresholds import Thresholds
from expectations.vocabulary import not_below, share

if TYPE_CHECKING:
    from great_expectations.expectations.expectation import Expectation


@suite("staging", "stg_promotions__promotions")
def promotions(_: Thresholds) -> list[Expectation]:
    """A promotion ends after it starts, and takes off a share of the price, not a percentage."""
    return [not_below("ends_at", "starts_at"), share("discount_rate")]
