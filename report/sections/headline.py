"""At a glance: six numbers that stand for the rest.

What does NOT belong here: breakdowns of any of them.
"""

from __future__ import annotations

from math import sqrt

import duckdb

from report import privacy, words
from report.content import Card, Section
from report.sections import ask

_Z95 = 1.959964

_CUSTOMERS = """
    select
        count(*), count(*) filter (where is_lapsed),
        coalesce(sum(orders_90), 0), coalesce(sum(revenue_90), 0),
        count(*) filter (where nps_group = 'advocate'), count(*) filter (where nps_group = 'passive'),
        count(*) filter (where nps_group = 'detractor')
    from marts.customer_engagement
"""
_ACTIVE = """
    select count(*) filter (where active_days_28 > 0) from marts.fct_engagement_frequency where is_current
"""
_PROMPTS = """
    select coalesce(sum(unprompted), 0), coalesce(sum(prompted), 0), coalesce(sum(unknown), 0)
    from marts.fct_engagement_proactiveness where is_current
"""


def section(connection: duckdb.DuckDBPyConnection) -> Section:
    """Return the headline numbers."""
    night = ask.published(connection)
    customers, lapsed, orders, revenue, advocates, passives, detractors = ask.row(connection, _CUSTOMERS)
    if not customers:
        return Section(lede="Nobody has been active within the time that customers are followed.")
    if privacy.is_small(customers):
        return Section(lede="There are customers.", notes=(privacy.WHY,))
    (active,) = ask.row(connection, _ACTIVE)
    unprompted, prompted, unknown = ask.row(connection, _PROMPTS)
    cards = [
        Card("Customers", words.count(customers), "in the current snapshot"),
        _of_all("Active in 28 days", active, customers),
        _of_all("Lapsed", lapsed, customers),
        Card(
            "Of their own accord",
            words.percent(words.share(unprompted, unprompted + prompted)),
            f"of {words.count(unprompted + prompted)} acts whose prompt is known"
            f" ({words.percent(words.share(unprompted + prompted, unprompted + prompted + unknown))} of all)",
        ),
        Card(
            f"Revenue in 90 days ({night.currency})",
            words.count(revenue),
            f"net, {words.count(orders)} orders",
        ),
        _promoter_score(advocates, passives, detractors),
    ]
    return Section(cards=cards)


def _of_all(label: str, part: int, customers: int) -> Card:
    if any(privacy.hidden([part, customers - part])):
        return Card(label, words.NOTHING, privacy.NOT_SHOWN)
    return Card(label, words.percent(words.share(part, customers)), f"{words.count(part)} customers")


def _promoter_score(advocates: int, passives: int, detractors: int) -> Card:
    asked = advocates + passives + detractors
    if asked < privacy.LEAST:
        return Card("Net Promoter Score", words.NOTHING, privacy.NOT_SHOWN if asked else "nobody was asked")
    score = 100 * (advocates - detractors) / asked
    error = 100 * sqrt((advocates + detractors) / asked - (score / 100) ** 2) / sqrt(asked)
    return Card(
        "Net Promoter Score",
        words.signed(score, 0),
        f"± {words.decimal(_Z95 * error, 0)}, latest answers of {words.count(asked)} customers",
    )
