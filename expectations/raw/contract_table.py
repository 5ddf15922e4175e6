"""What is expected of every raw table alike.

The columns are said again here, and not read from where staging declares them: this gate is the
witness that what staging reads is still the public contract.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from expectations.suite import Suite
from expectations.thresholds import Thresholds
from expectations.vocabulary import columns_in_order, no_rows, readable

if TYPE_CHECKING:
    from great_expectations.expectations.expectation import Expectation

# Every table ends with these two; the view adds the file that a row came from.
CLOSING_COLUMNS = ("is_deleted", "loaded_at", "source_file")


def contract_table(
    table: str, *, columns: Sequence[str], event_time: str, numbers: Sequence[str] = ()
) -> Suite:
    """Make the suite of a raw table.

    Shape: the contract's columns in the contract's order. Load time: in every row, readable, and not in
    the future, because a row without it can be neither ordered nor counted as read; one such row stops
    the night. Distribution: the time of the event and the numbers are readable nearly everywhere; single
    bad rows go to quarantine in staging, but a feed that changed its format must not end there unseen.

    Args:
        table: The raw table.
        columns: The contract's columns, in its order, without those that close every table.
        event_time: The column with the time or day that a row is about.
        numbers: Columns that hold numbers.

    Returns:
        The suite.
    """

    def build(thresholds: Thresholds) -> list[Expectation]:
        share_max = thresholds.value("raw", table, "unreadable_share_max")
        tolerated = thresholds.value("raw", table, "unreadable_rows_tolerated")
        return [
            columns_in_order((*columns, *CLOSING_COLUMNS)),
            no_rows(
                "expect_loaded_at_in_every_row",
                ["loaded_at"],
                "select source_file, loaded_at from batch where loaded_at is null",
            ),
            no_rows(
                "expect_loaded_at_to_be_a_time_that_has_come",
                ["loaded_at"],
                """
                select source_file, loaded_at
                from batch
                where
                    loaded_at is not null
                    and coalesce(
                        try_cast(loaded_at as timestamptz) > now() + to_hours(:load_ahead_hours_max), true
                    )
                """,
                {"load_ahead_hours_max": int(thresholds.value("raw", table, "load_ahead_hours_max"))},
            ),
            readable(event_time, "timestamptz", share_max, tolerated),
            *(readable(number, "double", share_max, tolerated) for number in numbers),
        ]

    return Suite("raw", table, build)
