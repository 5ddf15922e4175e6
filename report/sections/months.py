"""Month by month: how many are active, of whose accord, and what is sold.

What does NOT belong here: cohorts (`retention`), days and single channels (`channels`).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

import duckdb

from report import charts, privacy, words
from report.content import Figure, Section, Table
from report.sections import ask

_MONTHS = 24

_ACTIVE = """
    select
        date_trunc('month', snapshot_date)::date as month,
        count(*) filter (where lifecycle_state = 'new'),
        count(*) filter (where lifecycle_state = 'returning'),
        count(*) filter (where lifecycle_state = 'resurrected')
    from marts.fct_engagement_longevity group by month
"""
_CHANNEL_DAYS = """
    select
        date_trunc('month', day)::date as month, coalesce(sum(unprompted_interactions), 0)::bigint,
        coalesce(sum(prompted_interactions), 0)::bigint,
        coalesce(sum(revenue), 0) + coalesce(sum(renewal_revenue), 0)
    from marts.fct_channel_days group by month
"""
_IS_MONTH_END = "select last_day($day::date) = $day::date"


@dataclass(frozen=True)
class _Month:
    month: date
    new: int
    returning: int
    resurrected: int
    unprompted: int
    prompted: int
    revenue: float

    @property
    def active(self) -> int:
        return self.new + self.returning + self.resurrected

    @property
    def is_small(self) -> bool:
        return privacy.is_small(self.active)

    @property
    def proactive_share(self) -> float | None:
        return None if self.is_small else words.share(self.unprompted, self.unprompted + self.prompted)


def section(connection: duckdb.DuckDBPyConnection) -> Section:
    """Return what the last two years brought, month by month."""
    night = ask.published(connection)
    months = _months(connection)
    if not months:
        return Section(notes=("No month has any activity yet.",))
    labels = [words.month(month.month) for month in months]
    notes = []
    if not ask.row(connection, _IS_MONTH_END, {"day": night.as_of})[0]:
        notes.append(f"{labels[-1]} is not over: it ends with {night.as_of}.")
    if any(_states_hidden(month) for month in months):
        notes.append(privacy.WHY)
    figures = (
        _active_figure(months, labels),
        _proactive_figure(months, labels),
        _revenue_figure(months, labels, night.currency),
    )
    return Section(
        lede=_lede(months, labels),
        figures=figures,
        notes=notes,
    )


def _months(connection: duckdb.DuckDBPyConnection) -> list[_Month]:
    active = {month: states for month, *states in ask.rows(connection, _ACTIVE)}
    days = {month: sums for month, *sums in ask.rows(connection, _CHANNEL_DAYS)}
    months = [
        _Month(month, *active.get(month, [0, 0, 0]), *days.get(month, [0, 0, 0]))
        for month in sorted(active.keys() | days.keys())[-_MONTHS:]
    ]
    # what the brand sent before anybody acted is no part of the picture
    first = next((position for position, month in enumerate(months) if month.active), len(months))
    return months[first:]


def _lede(months: list[_Month], labels: list[str]) -> str:
    told = [(month, label) for month, label in zip(months, labels, strict=True) if not month.is_small]
    if not told:
        return ""
    most, label = max(told, key=lambda pair: pair[0].active)
    return f"Most customers, {words.count(most.active)}, were active in {label}."


def _states_hidden(month: _Month) -> bool:
    return any(privacy.hidden([month.new, month.returning, month.resurrected]))


def _active_figure(months: list[_Month], labels: list[str]) -> Figure:
    title = "Active customers"
    series: dict[str, list[float | None]] = {"Returning": [], "New": [], "Resurrected": []}
    rows = []
    for month, label in zip(months, labels, strict=True):
        parts = [month.returning, month.new, month.resurrected]
        hide = privacy.hidden(parts)
        for numbers, part, is_hidden in zip(series.values(), parts, hide, strict=True):
            numbers.append(None if is_hidden else part)
        texts = [
            privacy.NOT_SHOWN if is_hidden else words.count(part)
            for part, is_hidden in zip(parts, hide, strict=True)
        ]
        rows.append((label, *texts, privacy.NOT_SHOWN if month.is_small else words.count(month.active)))
    last = rows[-1]
    description = (
        f"Customers active in each month, by state. In {last[0]}: {last[4]} active; {last[1]} had been active"
        f" the month before, {last[2]} were new, {last[3]} came back."
    )
    drawing = charts.months("active", title, description, labels, series)
    return Figure(
        "active",
        title,
        description,
        drawing,
        Table(title, ("Month", "Returning", "New", "Resurrected", "Active"), rows),
    )


def _proactive_figure(months: list[_Month], labels: list[str]) -> Figure:
    title = "Share of acts of their own accord"
    shares = [month.proactive_share for month in months]
    description = (
        "Unprompted acts as a share of those whose prompt is known, by month. "
        f"In {labels[-1]}: {words.percent(shares[-1], 1)}."
    )
    drawing = charts.line("own_accord", title, description, labels, shares)
    rows = [
        (label, privacy.NOT_SHOWN, privacy.NOT_SHOWN, words.NOTHING)
        if month.is_small
        else (label, words.count(month.unprompted), words.count(month.prompted), words.percent(share, 1))
        for month, label, share in zip(months, labels, shares, strict=True)
    ]
    table = Table(title, ("Month", "Unprompted", "Prompted", "Share"), rows)
    return Figure("own_accord", title, description, drawing, table)


def _revenue_figure(months: list[_Month], labels: list[str], currency: str) -> Figure:
    title = f"Revenue ({currency})"
    last = months[-1]
    description = (
        "Revenue by month, less returns and cancelled orders, automatic renewals included."
        f" In {labels[-1]}: {privacy.NOT_SHOWN if last.is_small else words.count(last.revenue)}."
    )
    numbers = [None if month.is_small else float(month.revenue) for month in months]
    drawing = charts.months("revenue", title, description, labels, {"Revenue": numbers})
    rows = [
        (label, privacy.NOT_SHOWN if month.is_small else words.decimal(month.revenue))
        for month, label in zip(months, labels, strict=True)
    ]
    return Figure("revenue", title, description, drawing, Table(title, ("Month", title), rows))
