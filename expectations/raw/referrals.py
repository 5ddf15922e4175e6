"""Referrals of friends."""

from expectations.raw.contract_table import contract_table

referrals = contract_table("referrals")
