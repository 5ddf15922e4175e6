"""The DuckDB side of the warehouse: raw contract, raw zone, audit tables, publication, lock.

The only Python that holds SQL. It knows neither dbt's nor Dagster's machinery.
"""
