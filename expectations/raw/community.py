"""Acts in the brand's own community."""

from expectations.raw.contract_table import contract_table

community_events = contract_table("community_events")
