"""Orders and returns."""

from expectations.raw.contract_table import contract_table

orders = contract_table("orders")
order_returns = contract_table("order_returns")
