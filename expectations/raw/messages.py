"""Messages to customers (mail, text, push, post, ads) and what they did with them."""

from expectations.raw.contract_table import contract_table

message_events = contract_table(
    "message_events",
    columns=(
        "event_id",
        "message_channel",
        "customer_ref",
        "email",
        "phone",
        "event_name",
        "campaign_id",
        "is_machine",
        "occurred_at",
        "is_date_only",
    ),
    event_time="occurred_at",
)
