"""Campaigns and promotions."""

from expectations.raw.contract_table import contract_table

campaigns = contract_table(
    "campaigns",
    columns=(
        "campaign_id",
        "name",
        "channel",
        "purpose",
        "promotion_id",
        "starts_at",
        "ends_at",
    ),
    event_time="starts_at",
)

promotions = contract_table(
    "promotions",
    columns=(
        "promotion_id",
        "name",
        "sales_channel",
        "starts_at",
        "ends_at",
        "discount_rate",
    ),
    event_time="starts_at",
    numbers=("discount_rate",),
)
