"""Support tickets and their messages."""

from expectations.raw.contract_table import contract_table

support_tickets = contract_table(
    "support_tickets",
    columns=(
        "ticket_id",
        "customer_ref",
        "user_id",
        "email",
        "handle",
        "via",
        "ticket_type",
        "created_by",
        "status",
        "created_at",
        "solved_at",
    ),
    event_time="created_at",
)

support_messages = contract_table(
    "support_messages",
    columns=(
        "message_id",
        "ticket_id",
        "author_role",
        "is_public",
        "sent_at",
    ),
    event_time="sent_at",
)
