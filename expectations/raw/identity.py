"""Links between identifiers."""

from expectations.raw.contract_table import contract_table

identity_links = contract_table("identity_links")
