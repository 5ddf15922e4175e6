"""Events of the loyalty programme."""

from expectations.raw.contract_table import contract_table

loyalty_events = contract_table("loyalty_events")
