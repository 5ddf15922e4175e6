"""Acts on social networks, and followers per account and day."""

from expectations.raw.contract_table import contract_table

social_events = contract_table(
    "social_events",
    columns=(
        "event_id",
        "network",
        "handle",
        "customer_ref",
        "event_name",
        "in_reply_to",
        "is_brand_author",
        "post_id",
        "sentiment",
        "occurred_at",
    ),
    event_time="occurred_at",
    numbers=("sentiment",),
)

social_account_days = contract_table(
    "social_account_days",
    columns=(
        "network",
        "account_id",
        "observed_on",
        "followers",
    ),
    event_time="observed_on",
    numbers=("followers",),
)
