"""Dagster's side of the warehouse: what a night consists of, when it runs, and the command that runs it."""
