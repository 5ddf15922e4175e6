"""Promotions."""

from expectations.raw.contract_table import contract_table

promotions = contract_table("promotions")
