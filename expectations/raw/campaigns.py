"""Campaigns."""

from expectations.raw.contract_table import contract_table

campaigns = contract_table("campaigns")
