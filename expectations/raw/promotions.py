"""Promotions."""

from expectations.raw.contract_table import contract_table

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
