"""The five dimensions: how customers spread over one measure of each, in the current snapshot.

The measures are the facts' own and do not depend on what the seed of the score chooses. Classes are fixed, so
that two reports can be laid side by side. What does NOT belong here: the score.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import duckdb

from report import words
from report.content import Figure, Section
from report.sections import ask, parts


@dataclass(frozen=True)
class Classes:
    """How the values of a measure are put into classes.

    Attributes:
        key: Name on the page.
        title: The dimension and what is measured of it.
        axis_title: What the classes are.
        labels: Names of the classes, from the lowest.
        query: SQL that returns each customer's class (0 is the lowest) and the customers in it.
    """

    key: str
    title: str
    axis_title: str
    labels: Sequence[str]
    query: str


def _classes_of(value: str, upper: Sequence[float], source: str) -> str:
    """Return the query of classes whose upper bounds (inclusive) are given; the last class has none."""
    cases = " ".join(f"when {value} <= {bound} then {position}" for position, bound in enumerate(upper))
    return (
        f"select case {cases} else {len(upper)} end as class, count(*) from {source}"  # noqa: S608 - own texts
        f" where {value} is not null group by class"
    )


_SPREADS = (
    Classes(
        "longevity",
        "Longevity: from first to last active day",
        "days",
        ("0", "1-7", "8-30", "31-90", "91-180", "181-365", "366+"),
        _classes_of(
            "span_days",
            (0, 7, 30, 90, 180, 365),
            "(select span_days from marts.fct_engagement_longevity where is_current)",
        ),
    ),
    Classes(
        "proactiveness",
        "Proactiveness: share of acts unprompted",
        "percent of the acts whose prompt is known",
        ("0-20", "20-40", "40-60", "60-80", "80-100"),
        _classes_of(
            "proactive_share",
            (0.2, 0.4, 0.6, 0.8),
            "(select proactive_share from marts.fct_engagement_proactiveness where is_current)",
        ),
    ),
    Classes(
        "frequency",
        "Frequency: active days in 90",
        "days",
        ("0", "1", "2", "3-5", "6-10", "11-20", "21+"),
        _classes_of(
            "active_days_90",
            (0, 1, 2, 5, 10, 20),
            "(select active_days_90 from marts.fct_engagement_frequency where is_current)",
        ),
    ),
    Classes(
        "volume",
        "Volume: interactions to date",
        "interactions",
        ("1", "2-5", "6-10", "11-20", "21-50", "51-200", "201+"),
        _classes_of(
            "interactions",
            (1, 5, 10, 20, 50, 200),
            "(select sum(interactions_to_date) as interactions from marts.fct_engagement_volume"
            " where is_current group by customer_id)",
        ),
    ),
)
_CONTEXTS = """
    select context, sum(interactions)::bigint as interactions, count(distinct customer_id) as customers
    from marts.fct_engagement_context where is_current and interactions > 0
    group by context order by interactions desc, context
"""
_PATTERNS = """
    select pattern, count(*) as customers from marts.fct_engagement_frequency
    where is_current and pattern is not null group by pattern order by customers desc, pattern
"""


def section(connection: duckdb.DuckDBPyConnection) -> Section:
    """Return a chart of each dimension."""
    contexts = [
        parts.Part(words.name(context), interactions, customers)
        for context, interactions, customers in ask.rows(connection, _CONTEXTS)
    ]
    patterns = [(words.name(pattern), customers) for pattern, customers in ask.rows(connection, _PATTERNS)]
    longevity, proactiveness, frequency, volume = (_spread(connection, spread) for spread in _SPREADS)
    figures = (
        longevity,
        proactiveness,
        frequency,
        parts.figure(
            parts.Whole("context", "Context: situations of interactions", "Context", "Interactions"), contexts
        ),
        volume,
        parts.figure(
            parts.Whole("pattern", "Pattern: how often, and how varied", "Pattern"),
            parts.of_customers(patterns),
        ),
    )
    if not any(figures):
        return Section(notes=("Too few customers to be spread.",))
    return Section(
        lede="For how long, of whose accord, how often, in which situations and how much. Charts count"
        " customers, save that of contexts, which counts interactions.",
        figures=[figure for figure in figures if figure],
        notes=("Classes are not equally wide: most customers do little, and a few do very much.",),
    )


def _spread(connection: duckdb.DuckDBPyConnection, classes: Classes) -> Figure | None:
    found = dict(ask.rows(connection, classes.query))
    counts = [(words.span(label), found.get(position, 0)) for position, label in enumerate(classes.labels)]
    whole = parts.Whole(
        classes.key, classes.title, words.name(classes.axis_title), axis_title=classes.axis_title
    )
    return parts.figure(whole, parts.of_customers(counts))
