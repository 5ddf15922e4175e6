"""What became of the raw rows, table by table."""

from __future__ import annotations

from typing import TYPE_CHECKING

from expectations.suite import suite
from expectations.thresholds import ANY_TABLE, Thresholds
from expectations.vocabulary import no_rows

if TYPE_CHECKING:
    from great_expectations.expectations.expectation import Expectation


@suite("staging", "stg_quarantine__row_accounts")
def row_accounts(thresholds: Thresholds) -> list[Expectation]:
    """Neither quarantine nor deletion takes most of a table; dbt tests that the accounts balance.

    Single bad rows are quarantined and the night goes on; a feed that mostly ends there has changed, and
    a feed that deletes most of its rows has probably been emptied by mistake.
    """
    return [
        _few("quarantined", "expect_few_rows_in_quarantine", thresholds),
        _few("deleted", "expect_few_rows_deleted", thresholds),
    ]


def _few(outcome: str, name: str, thresholds: Thresholds) -> Expectation:
    """Limit an outcome's share of the rows of a table, with the limits that tables have of their own."""

    def limit(threshold: str) -> str:
        own = thresholds.overrides("staging", threshold)
        branches = "".join(f" when '{table}' then {value}" for table, value in own.items())
        common = thresholds.value("staging", ANY_TABLE, threshold)
        return f"case source_table{branches} else {common} end" if own else str(common)

    query = """
        select source_table, :rows as unexpected_count, rows_in as element_count
        from batch
        where :rows > :tolerated and :rows > :share_max * rows_in
    """
    column = f"rows_{outcome}"
    return no_rows(
        name,
        [column],
        query.replace(":rows", column)
        .replace(":tolerated", limit(f"{outcome}_rows_tolerated"))
        .replace(":share_max", limit(f"{outcome}_share_max")),
    )
