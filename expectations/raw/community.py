"""Acts in the brand's own community."""

from expectations.raw.contract_table import contract_table

community_events = contract_table(
    "community_events",
    columns=(
        "event_id",
        "handle",
        "customer_ref",
        "user_id",
        "email",
        "event_name",
        "in_reply_to",
        "occurred_at",
    ),
    event_time="occurred_at",
)
