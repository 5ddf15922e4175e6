"""Support tickets and their messages."""

from expectations.raw.contract_table import contract_table

support_tickets = contract_table("support_tickets")
support_messages = contract_table("support_messages")
