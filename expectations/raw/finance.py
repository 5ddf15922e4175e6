"""Exchange rates."""

from expectations.raw.contract_table import contract_table

exchange_rates = contract_table("exchange_rates")
