"""Answers to surveys."""

from __future__ import annotations

from typing import TYPE_CHECKING

from expectations.suite import suite
from expectations.thresholds import Thresholds
from expectations.vocabulary import no_rows, not_below, within

if TYPE_CHECKING:
    from great_expectations.expectations.expectation import Expectation


@suite("staging", "stg_surveys__responses")
def responses(_: Thresholds) -> list[Expectation]:
    """Scores lie on their scale, nobody answers before being asked, sentiment lies in [-1, 1].

    A recommendation score without a scale is on 0 to 10.
    """
    return [
        not_below("scale_max", "scale_min"),
        not_below("responded_at", "invited_at"),
        within("sentiment", -1, 1),
        no_rows(
            "expect_scores_on_their_scale",
            ["score", "scale_min", "scale_max"],
            """
            select response_id, metric, score, scale_min, scale_max
            from batch
            where
                score < coalesce(scale_min, case when metric = 'nps' then 0 end)
                or score > coalesce(scale_max, case when metric = 'nps' then 10 end)
            """,
        ),
    ]
