"""Events of the web site and the app."""

from expectations.raw.contract_table import contract_table

web_events = contract_table(
    "web_events",
    columns=(
        "event_id",
        "platform",
        "anonymous_id",
        "user_id",
        "email",
        "event_name",
        "occurred_at",
        "page_url",
        "referrer_url",
        "utm_source",
        "utm_medium",
        "utm_campaign",
        "campaign_id",
        "click_id",
        "engaged_seconds",
        "user_agent",
        "product_id",
        "order_id",
    ),
    event_time="occurred_at",
    numbers=("engaged_seconds",),
)
