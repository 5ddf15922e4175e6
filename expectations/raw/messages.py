"""Messages to customers (mail, text, push, post, ads) and what they did with them."""

from expectations.raw.contract_table import contract_table

message_events = contract_table("message_events")
