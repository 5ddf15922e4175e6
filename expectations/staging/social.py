"""Acts on social networks, and followers per account and day."""

from __future__ import annotations

from typing import TYPE_CHECKING

from expectations.suite import suite
from expectations.thresholds import Thresholds
from expectations.vocabulary import between, named, within

if TYPE_CHECKING:
    from great_expectations.expectations.expectation import Expectation


@suite("staging", "stg_social__events")
def events(thresholds: Thresholds) -> list[Expectation]:
    """Sentiment lies in [-1, 1], and most acts are by somebody with a name."""
    return [
        within("sentiment", -1, 1),
        named("stg_social__events", ("customer_ref", "handle"), thresholds),
    ]


@suite("staging", "stg_social__account_days")
def account_days(_: Thresholds) -> list[Expectation]:
    """No account has fewer than no followers, or more than there are people."""
    return [between("followers", 0, 8_000_000_000)]
