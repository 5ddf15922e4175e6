"""Events of the loyalty programme."""

from expectations.raw.contract_table import contract_table

loyalty_events = contract_table(
    "loyalty_events",
    columns=(
        "event_id",
        "loyalty_id",
        "customer_ref",
        "email",
        "event_name",
        "points",
        "occurred_at",
    ),
    event_time="occurred_at",
    numbers=("points",),
)
