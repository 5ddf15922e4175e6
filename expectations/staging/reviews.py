"""Reviews and ratings."""

from __future__ import annotations

from typing import TYPE_CHECKING

from expectations.suite import suite
from expectations.thresholds import Thresholds
from expectations.vocabulary import named, no_rows, within

if TYPE_CHECKING:
    from great_expectations.expectations.expectation import Expectation


@suite("staging", "stg_reviews__reviews")
def reviews(thresholds: Thresholds) -> list[Expectation]:
    """Ratings lie on their scale (five at most where none is given), sentiment in [-1, 1]."""
    return [
        named("stg_reviews__reviews", ("customer_ref", "user_id", "email", "handle"), thresholds),
        within("sentiment", -1, 1),
        no_rows(
            "expect_ratings_on_their_scale",
            ["rating", "rating_max"],
            "select review_id, rating, rating_max from batch where rating > coalesce(rating_max, 5)",
        ),
    ]
