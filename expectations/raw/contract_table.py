"""What is expected of every raw table alike; the contract says which columns it has and what is in them."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from expectations.suite import Suite
from expectations.thresholds import Thresholds
from expectations.vocabulary import columns_in_order, no_rows, readable, shape
from warehouse.contract import RawColumn, RawContract, read_contract

if TYPE_CHECKING:
    from great_expectations.expectations.expectation import Expectation

PROJECT = Path(__file__).resolve().parents[2]

# Contract type -> the type in which a value must be readable. Times may bear an offset or not.
READ_AS = {
    "timestamp": "timestamptz",
    "date": "timestamptz",
    "double": "double",
    "integer": "double",
    "decimal": "double",
}


def contract_table(table: str) -> Suite:
    """Make the suite of a raw table.

    Shape: the contract's columns in the contract's order. Load time: in every row, readable, and not in
    the future, because a row without it can be neither ordered nor counted as read; one such row stops
    the night. Distribution: numbers and the times that matter are readable nearly everywhere; single bad
    rows go to quarantine in staging, but a feed that changed its format must not end there unseen.

    Args:
        table: The raw table.

    Returns:
        The suite; the contract is read when the gate runs.
    """

    def build(thresholds: Thresholds) -> list[Expectation]:
        columns = _contract()[table].columns
        share_max = thresholds.value("raw", table, "unreadable_share_max")
        tolerated = thresholds.value("raw", table, "unreadable_rows_tolerated")
        return [
            columns_in_order([*(column.name for column in columns), "source_file"]),
            no_rows(
                "expect_loaded_at_in_every_row",
                ["loaded_at"],
                "select source_file, loaded_at from batch where loaded_at is null",
            ),
            no_rows(
                "expect_loaded_at_to_be_a_time_that_has_come",
                ["loaded_at"],
                """
                select
                    source_file,
                    case
                        when try_cast(loaded_at as timestamptz) is not null then cast(loaded_at as varchar)
                        else :shape
                    end as loaded_at
                from batch
                where
                    loaded_at is not null
                    and coalesce(
                        try_cast(loaded_at as timestamptz) > now() + to_hours(:load_ahead_hours_max), true
                    )
                """.replace(":shape", shape("loaded_at")),
                {"load_ahead_hours_max": int(thresholds.value("raw", table, "load_ahead_hours_max"))},
            ),
            *(
                readable(column.name, READ_AS[column.data_type], share_max, tolerated)
                for column in columns
                if _must_be_readable(column)
            ),
        ]

    return Suite("raw", table, build)


def _must_be_readable(column: RawColumn) -> bool:
    """Whether a column is a number, or the time that a row is about; load times have a rule of their own."""
    if column.name == "loaded_at" or column.data_type not in READ_AS:
        return False
    is_time = READ_AS[column.data_type] == "timestamptz"
    return not is_time or column.is_event_time or column.is_required


@cache
def _contract() -> RawContract:
    return read_contract(PROJECT)
