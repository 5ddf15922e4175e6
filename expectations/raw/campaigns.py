"""Campaigns."""

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
