"""Quality gates between the layers: Great Expectations suites as code, and a small runner.

What belongs here: shape, volume, distribution, and drift between layers, one module per channel or
mart. What does not: keys, relationships and accepted values (dbt tests own those), single bad rows
(staging moves them to quarantine) and anything that knows the orchestrator or dbt.
"""
