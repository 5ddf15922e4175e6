"""Visits to stores."""

from expectations.raw.contract_table import contract_table

store_visits = contract_table("store_visits")
