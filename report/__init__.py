"""The engagement report: one self-contained HTML page about what is published.

The flow is the layout: `sections` ask the published file and find the words, `charts` draw, `page` puts all
into one file. Nothing is computed that the marts do not hold; what stands here is sums, shares and words.
What does NOT belong here: Dagster, the environment, and anything that writes to a warehouse's tables.
"""
