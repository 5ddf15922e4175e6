"""Channels: where customers act, what the brand sends, and what is answered, in the 90 days that end with T.

What does NOT belong here: campaigns one by one.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import duckdb

from report import charts, privacy, words
from report.content import Figure, Section, Table
from report.sections import ask

_SHOWN_IN_CHARTS = 10

# Who acted and who was reached is counted for one reason: to know which channels are too small to be told.
_CHANNELS = """
    with
    days as (
        select
            channel,
            sum(interactions)::bigint as interactions, sum(unprompted_interactions)::bigint as unprompted,
            sum(prompted_interactions)::bigint as prompted, sum(visits)::bigint as visits,
            sum(tracked_visits)::bigint as tracked_visits, sum(bounces)::bigint as bounces,
            sum(converted_visits)::bigint as converted_visits, sum(touches)::bigint as touches,
            sum(answered_touches)::bigint as answered_touches, sum(orders)::bigint as orders,
            coalesce(sum(revenue), 0) as revenue, sum(unsubscribes)::bigint as unsubscribes
        from marts.fct_channel_days where day > $as_of::date - 90 and day <= $as_of::date
        group by channel
    ),
    acting as (
        select channel, count(distinct customer_id) as customers
        from marts.fct_engagement_days where active_on > $as_of::date - 90 and active_on <= $as_of::date
        group by channel
    ),
    reached as (
        select channel, count(distinct customer_id) as customers
        from marts.fct_touches where touched_on > $as_of::date - 90 and touched_on <= $as_of::date
        group by channel
    )
    select
        coalesce(named.channel_name, days.channel) as name,
        coalesce(acting.customers, 0), coalesce(reached.customers, 0), days.* exclude (channel)
    from days
    left join acting using (channel)
    left join reached using (channel)
    left join marts.dim_channels as named using (channel)
    where days.interactions > 0 or days.touches > 0
    order by days.interactions desc, days.touches desc, name
"""


@dataclass(frozen=True)
class _Channel:
    name: str
    acting: int
    reached: int
    interactions: int
    unprompted: int
    prompted: int
    visits: int
    tracked_visits: int
    bounces: int
    converted_visits: int
    touches: int
    answered_touches: int
    orders: int
    revenue: Any
    unsubscribes: int

    def act(self, text: str) -> str:
        """Return what customers did there, unless too few did."""
        return privacy.NOT_SHOWN if privacy.is_small(self.acting) else text

    def touch(self, text: str) -> str:
        """Return what the brand sent there, unless it reached too few."""
        return privacy.NOT_SHOWN if privacy.is_small(self.reached) else text


def section(connection: duckdb.DuckDBPyConnection) -> Section:
    """Return the channels of the last 90 days."""
    night = ask.published(connection)
    found = [_Channel(*row) for row in ask.rows(connection, _CHANNELS, {"as_of": night.as_of})]
    found.sort(key=lambda row: privacy.is_small(row.acting))
    if not found:
        return Section(notes=(f"Nothing happened on any channel in the 90 days until {night.as_of}.",))
    figures = [
        _figure(
            "interactions_by_channel",
            "Interactions by channel",
            "Interactions",
            [(row.name, row.interactions, row.act(words.short(row.interactions))) for row in found],
        ),
        _figure(
            "revenue_by_channel",
            f"Revenue by channel ({night.currency})",
            "Revenue",
            sorted(
                [(row.name, float(row.revenue), row.act(words.short(row.revenue))) for row in found],
                key=lambda row: -row[1],
            ),
        ),
        _figure(
            "answers_by_channel",
            "Touches answered, by channel",
            "Share",
            sorted(
                [
                    (
                        row.name,
                        row.answered_touches / row.touches,
                        row.touch(words.percent(row.answered_touches / row.touches)),
                    )
                    for row in found
                    if row.touches
                ],
                key=lambda row: -row[1],
            ),
        ),
    ]
    shown = [figure for figure in figures if figure]
    is_hidden = any(privacy.is_small(row.acting) or privacy.is_small(row.reached) for row in found)
    return Section(
        lede=f"The 90 days until {night.as_of}: what customers did where, and what came of what was sent.",
        figures=shown,
        tables=(_table(found, night.currency),),
        notes=(
            "Rates are sums divided by sums. Bounces and conversion are those of visits to web site and app.",
            *([privacy.WHY] if is_hidden else []),
        ),
    )


def _figure(key: str, title: str, heading: str, rows: list[tuple[str, float, str]]) -> Figure | None:
    # what is not shown stands last: its place would tell how much it is
    told = sorted((row for row in rows if row[1]), key=lambda row: row[2] == privacy.NOT_SHOWN)
    if not told:
        return None
    said = ", ".join(f"{label} {text}" for label, _, text in told[:_SHOWN_IN_CHARTS])
    description = f"{title}, 90 days: {said}."
    drawing = charts.bars(
        key,
        title,
        description,
        [
            charts.Bar(label, None if text == privacy.NOT_SHOWN else value, text)
            for label, value, text in told[:_SHOWN_IN_CHARTS]
        ],
    )
    table = Table(title, ("Channel", heading), [(label, text) for label, _, text in told])
    return Figure(key, title, description, drawing, table)


def _table(found: list[_Channel], currency: str) -> Table:
    columns: dict[str, Callable[[_Channel], str]] = {
        "Channel": lambda row: row.name,
        "Customers": lambda row: row.act(words.count(row.acting)),
        "Interactions": lambda row: row.act(words.count(row.interactions)),
        "Own accord": lambda row: row.act(
            words.percent(words.share(row.unprompted, row.unprompted + row.prompted))
        ),
        "Visits": lambda row: row.act(words.count(row.visits)),
        "Bounces": lambda row: row.act(words.percent(words.share(row.bounces, row.tracked_visits))),
        "Conversion": lambda row: row.act(
            words.percent(words.share(row.converted_visits, row.tracked_visits), 1)
        ),
        "Orders": lambda row: row.act(words.count(row.orders)),
        f"Revenue ({currency})": lambda row: row.act(words.count(row.revenue)),
        "Touches": lambda row: row.touch(words.count(row.touches)),
        "Answered": lambda row: row.touch(words.percent(words.share(row.answered_touches, row.touches))),
        "Unsubscribed": lambda row: row.touch(words.count(row.unsubscribes)),
    }
    rows = [tuple(write(row) for write in columns.values()) for row in found]
    return Table("All channels, 90 days", tuple(columns), rows)
