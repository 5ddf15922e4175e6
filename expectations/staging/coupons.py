"""Coupons redeemed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from expectations.suite import suite
from expectations.thresholds import Thresholds
from expectations.vocabulary import named

if TYPE_CHECKING:
    from great_expectations.expectations.expectation import Expectation


@suite("staging", "stg_coupons__redemptions")
def redemptions(thresholds: Thresholds) -> list[Expectation]:
    """Most coupons are redeemed by somebody known."""
    return [named("stg_coupons__redemptions", ("customer_ref", "loyalty_id", "email"), thresholds)]
