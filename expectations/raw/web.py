"""Events of the web site and the app."""

from expectations.raw.contract_table import contract_table

web_events = contract_table("web_events")
