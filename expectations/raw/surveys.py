"""Answers to surveys."""

from expectations.raw.contract_table import contract_table

survey_responses = contract_table("survey_responses")
