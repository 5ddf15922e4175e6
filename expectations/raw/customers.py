"""The CRM's customers."""

from expectations.raw.contract_table import contract_table

customers = contract_table("customers")
