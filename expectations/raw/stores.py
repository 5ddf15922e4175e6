"""Visits to stores."""

from expectations.raw.contract_table import contract_table

store_visits = contract_table(
    "store_visits",
    columns=(
        "visit_id",
        "customer_ref",
        "loyalty_id",
        "store_id",
        "entered_at",
        "left_at",
    ),
    event_time="entered_at",
)
