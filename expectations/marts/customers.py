"""Resolved customers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from expectations.suite import suite
from expectations.thresholds import Thresholds
from expectations.vocabulary import between, no_rows

if TYPE_CHECKING:
    from great_expectations.expectations.expectation import Expectation


@suite("marts", "dim_customers")
def customers(thresholds: Thresholds) -> list[Expectation]:
    """Every customer is known by something, and nobody has swallowed the others.

    A placeholder that many rows share (an address of staff, a shop's own card) merges strangers without
    breaking any rule on single rows; it shows in one customer who gathers identifiers.
    """
    return [
        between("identifiers", 1),
        no_rows(
            "expect_no_customer_to_swallow_the_others",
            ["identifiers"],
            """
            select customer_id, identifiers as unexpected_count, total as element_count
            from batch
            cross join (select sum(identifiers) as total from batch)
            where identifiers > :tolerated and identifiers > :share_max * total
            """,
            {
                "tolerated": thresholds.value("marts", "dim_customers", "identifiers_tolerated"),
                "share_max": thresholds.value("marts", "dim_customers", "identifiers_share_max"),
            },
        ),
    ]
