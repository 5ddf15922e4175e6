"""Purchases that several sources saw: each counts once, and what gave way leads to what counts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from expectations.suite import suite
from expectations.thresholds import Thresholds
from expectations.vocabulary import no_rows

if TYPE_CHECKING:
    from great_expectations.expectations.expectation import Expectation


@suite("marts", "fct_purchase_evidence")
def purchase_evidence(_: Thresholds) -> list[Expectation]:
    """Evidence is no interaction; what counts instead is one, or a test order."""
    return [
        no_rows(
            "expect_evidence_to_count_nowhere",
            ["interaction_id"],
            """
            select batch.interaction_id
            from batch
            semi join marts.fct_interactions as interactions
                on batch.interaction_id = interactions.interaction_id
            """,
        ),
        no_rows(
            "expect_evidence_to_lead_to_what_counts",
            ["counted_interaction_id"],
            """
            select batch.interaction_id, batch.counted_interaction_id
            from batch
            anti join
                (
                    select interaction_id
                    from marts.fct_interactions
                    where source_table in (select counted_source_table from batch)
                ) as interactions
                on batch.counted_interaction_id = interactions.interaction_id
            where
                batch.counted_source_table <> 'orders'
                or batch.counted_source_key not in (
                    select order_id from staging.staging.stg_orders__orders where is_test
                )
            """,
        ),
    ]
