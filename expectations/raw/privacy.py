"""Requests to be forgotten."""

from expectations.raw.contract_table import contract_table

erasure_requests = contract_table("erasure_requests")
