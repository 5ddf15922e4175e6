"""Everything that Dagster knows of, one module per part of the flow."""
