"""Referrals of friends."""

from __future__ import annotations

from typing import TYPE_CHECKING

from expectations.suite import suite
from expectations.thresholds import Thresholds
from expectations.vocabulary import not_below

if TYPE_CHECKING:
    from great_expectations.expectations.expectation import Expectation


@suite("staging", "stg_referrals__referrals")
def referrals(_: Thresholds) -> list[Expectation]:
    """Nobody becomes a customer by a referral before it was sent."""
    return [not_below("converted_at", "sent_at")]
