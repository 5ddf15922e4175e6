"""Acts on social networks, and followers per account and day."""

from expectations.raw.contract_table import contract_table

social_events = contract_table("social_events")
social_account_days = contract_table("social_account_days")
