"""The parts of the page, one module each: the query, the words and the charts of one topic.

A section is a function of a read-only connection to the published file. It raises what DuckDB raises when a
table or column is not there; `report.page` then says that it is missing. The order here is that of the page.
What does NOT belong here: how a chart or a table looks.
"""

from collections.abc import Callable, Mapping

import duckdb

from report.content import Section
from report.sections import (
    audit,
    channels,
    dimensions,
    headline,
    months,
    outcomes,
    quality,
    retention,
    surveys,
    tiers,
)

SECTIONS: Mapping[str, tuple[str, Callable[[duckdb.DuckDBPyConnection], Section]]] = {
    "glance": ("At a glance", headline.section),
    "engaged": ("Who is engaged", tiers.section),
    "dimensions": ("The five dimensions", dimensions.section),
    "months": ("Month by month", months.section),
    "channels": ("Channels", channels.section),
    "retention": ("Retention", retention.section),
    "outcomes": ("What engagement goes with", outcomes.section),
    "surveys": ("What customers say", surveys.section),
    "quality": ("Freshness and checks", quality.section),
    "run": ("Run and versions", audit.section),
}
"""Name on the page -> heading, and the function that fills what stands under it."""
