"""Touches of the brand, with the answers to them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from expectations.suite import suite
from expectations.thresholds import Thresholds
from expectations.vocabulary import between, no_rows, not_below

if TYPE_CHECKING:
    from great_expectations.expectations.expectation import Expectation


@suite("marts", "fct_touches")
def touches(_: Thresholds) -> list[Expectation]:
    """As many as were identified; answers come after their touch, and from the interactions."""
    return [
        not_below("window_ends_at", "touched_at"),
        not_below("answered_at", "touched_at"),
        between("response_seconds", 0),
        no_rows(
            "expect_as_many_rows_as_were_identified",
            ["touch_id"],
            """
            with counted as (
                select
                    (select count(*) from marts.fct_touches) as published,
                    (select count(*) from staging.intermediate.int_touches__identified) as identified
            )
            select abs(published - identified) as unexpected_count, identified as element_count
            from counted
            where published <> identified
            """,
        ),
        no_rows(
            "expect_answers_as_in_the_interactions",
            ["answers"],
            """
            with counted as (
                select
                    (select coalesce(sum(answers), 0) from marts.fct_touches) as answers,
                    (
                        select count(*) from marts.fct_interactions where prompt_touch_id is not null
                    ) as prompted
            )
            select abs(answers - prompted) as unexpected_count, prompted as element_count
            from counted
            where answers <> prompted
            """,
        ),
    ]
