"""Reviews and ratings."""

from expectations.raw.contract_table import contract_table

reviews = contract_table("reviews")
