"""Who is engaged: customers by tier and by the stage of their journey.

What does NOT belong here: how a tier is earned (docs/measures.md).
"""

from __future__ import annotations

from typing import Any

import duckdb

from report import privacy, words
from report.content import Section, Table
from report.sections import ask, parts

_MEANING = {
    "highest": "builds community: founds a group, refers, speaks for the brand",
    "high": "creates content: writes a review, a post, an idea",
    "medium": "responds: rates, votes, comments, answers a survey",
    "low": "adopts: tags, joins, follows, opens",
    "none": "none of these twice in 90 days",
}
_STATES = ("returning", "resurrected", "new", "dormant")
_STAGES = ("loyalty", "purchase", "consideration", "familiarity", "awareness")

_TIERS = """
    select tier, count(*), count(*) filter (where is_lapsed), sum(orders_365), sum(revenue_365)
    from marts.customer_engagement group by tier
"""
_JOURNEY = """
    select journey_stage, count(*) from marts.customer_engagement
    where journey_stage is not null group by journey_stage
"""
_LIFECYCLE = "select lifecycle_state, count(*) from marts.customer_engagement group by lifecycle_state"


def section(connection: duckdb.DuckDBPyConnection) -> Section:
    """Return customers by tier and journey stage."""
    currency = ask.published(connection).currency
    by_tier = {tier: rest for tier, *rest in ask.rows(connection, _TIERS)}
    tiers = [(tier, *by_tier.get(tier, [0, 0, 0, 0])) for tier in _MEANING]
    customers = sum(row[1] for row in tiers)
    if customers < privacy.LEAST:
        return Section(notes=("Too few customers to tell them apart.",))
    stages = dict(ask.rows(connection, _JOURNEY))
    hide = privacy.hidden([row[1] for row in tiers])
    engaged = sum(row[1] for row in tiers if row[0] != "none")
    states = dict(ask.rows(connection, _LIFECYCLE))
    figures = [
        parts.figure(
            parts.Whole("tiers", "Customers by tier", "Tier"),
            parts.of_customers([(words.name(tier), number) for tier, number, *_ in tiers]),
        ),
        parts.figure(
            parts.Whole("journey", "Customers by stage of the journey", "Stage"),
            parts.of_customers([(words.name(stage), stages.get(stage, 0)) for stage in _STAGES]),
        ),
        parts.figure(
            parts.Whole("lifecycle", "Customers by state in the month", "State"),
            parts.of_customers([(words.name(state), states.get(state, 0)) for state in _STATES]),
        ),
    ]
    lede = "A tier rests on kinds of behaviour, not on ranks."
    if not any(privacy.hidden([engaged, customers - engaged])):
        share = words.percent(engaged / customers) if engaged else "None"
        lede = f"{share} of {words.count(customers)} customers did twice in 90 days what earns a tier. {lede}"
    return Section(
        lede=lede,
        figures=[figure for figure in figures if figure],
        tables=(_tier_table(tiers, hide, customers, currency),),
        notes=(privacy.WHY,) if any(hide) else (),
    )


def _tier_table(tiers: list[tuple[Any, ...]], hide: list[bool], customers: int, currency: str) -> Table:
    rows = []
    for (tier, number, lapsed, orders, revenue), is_hidden in zip(tiers, hide, strict=True):
        said = [privacy.NOT_SHOWN, *[words.NOTHING] * 4]
        if not is_hidden:
            is_lapsed_told = not any(privacy.hidden([lapsed, number - lapsed]))
            said = [
                words.count(number),
                words.percent(number / customers, 1),
                words.percent(words.share(lapsed, number)) if is_lapsed_told else privacy.NOT_SHOWN,
                words.decimal(words.share(orders, number), 1),
                words.decimal(words.share(revenue, number), 2),
            ]
        rows.append((words.name(tier), _MEANING[tier], *said))
    headings = (
        "Tier",
        "Twice in 90 days",
        "Customers",
        "Share",
        "Lapsed",
        "Orders each, 365 days",
        f"Revenue each, 365 days ({currency})",
    )
    return Table("Tiers and what they are worth", headings, rows, text_columns=frozenset({0, 1}))
