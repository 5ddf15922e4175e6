"""Retention: who comes back month after month, and how long customers last.

What does NOT belong here: what engagement has to do with it (`outcomes`).
"""

from __future__ import annotations

from collections import defaultdict
from datetime import date
from typing import Any

import duckdb

from report import charts, privacy, words
from report.content import Cell, Figure, Section, Table
from report.sections import ask

_COHORTS = 13
_MONTHS = 13
_CHURN_MONTHS = 24
_SURVIVAL_DAYS = (30, 60, 90, 180, 365, 730)

_RETENTION = """
    select
        cohort_month, months_since_first, customers, active_customers, left_truncated_customers,
        last_day(snapshot_date) = snapshot_date as is_over
    from marts.fct_cohort_retention order by cohort_month, months_since_first
"""
_CHURN = """
    select
        snapshot_date, sum(at_risk_customers)::bigint, sum(newly_lapsed_customers)::bigint,
        last_day(snapshot_date) = snapshot_date as is_over
    from marts.fct_cohort_retention group by snapshot_date order by snapshot_date
"""
_SURVIVAL = """
    select
        days_since_first, at_risk_customers, survival, survival_lower, survival_upper, customers
    from marts.fct_customer_survival
    where population = 'all' and acquisition_channel = 'all' order by days_since_first
"""
_BY_CHANNEL = """
    with curves as (
        select
            acquisition_channel, max(customers) as customers, max(lapsed_to_date) as lapsed,
            max(censored_to_date) as censored,
            min(days_since_first) filter (where survival <= 0.5) as median_days
        from marts.fct_customer_survival where population = 'all' and acquisition_channel <> 'all'
        group by acquisition_channel
    )
    select coalesce(channel_name, acquisition_channel), curves.* exclude (acquisition_channel)
    from curves left join marts.dim_channels on channel = acquisition_channel
    order by customers desc, acquisition_channel
"""


def section(connection: duckdb.DuckDBPyConnection) -> Section:
    """Return the cohorts and the survival curve."""
    cohorts = ask.rows(connection, _RETENTION)
    if not cohorts:
        return Section(notes=("There are no cohorts yet.",))
    figures = (_again(cohorts), _churn(connection), _survival(connection))
    channels = _by_channel(connection)
    return Section(
        lede=_lede(cohorts),
        figures=[figure for figure in figures if figure],
        tables=(_heat_table(cohorts), *([channels] if channels else [])),
        notes=(
            "Retention: customers of a cohort active in that month. A month that is not over is in brackets,"
            " and in no chart.",
            "The first cohort of a history holds also who had been a customer before it.",
            privacy.WHY,
        ),
    )


def _lede(cohorts: list[tuple[date, int, int, int, int, bool]]) -> str:
    again = [
        (active, customers) for _, since, customers, active, _, is_over in cohorts if since == 1 and is_over
    ]
    customers = sum(whole for _, whole in again)
    active = sum(part for part, _ in again)
    if customers < privacy.LEAST or any(privacy.hidden([active, customers - active])):
        return ""
    return (
        f"{words.percent(active / customers)} of {words.count(customers)} customers were active again in the"
        " month after their first."
    )


def _heat_table(cohorts: list[tuple[date, int, int, int, int, bool]]) -> Table:
    by_cohort: dict[date, dict[int, tuple[int, int, bool]]] = defaultdict(dict)
    for cohort, since, customers, active, _, is_over in cohorts:
        by_cohort[cohort][since] = (customers, active, is_over)
    shown = sorted(by_cohort)[-_COHORTS:]
    last = min(_MONTHS, 1 + max(since for cohort in shown for since in by_cohort[cohort]))
    rows: list[list[Cell | str]] = []
    for cohort in shown:
        months = by_cohort[cohort]
        customers = months[min(months)][0]
        row: list[Cell | str] = [
            words.month(cohort),
            privacy.NOT_SHOWN if privacy.is_small(customers) else words.count(customers),
        ]
        for since in range(1, last):
            row.append(_cell(*months[since]) if since in months else "")
        rows.append(row)
    headings = ("Cohort", "Customers", *(f"+{since}" for since in range(1, last)))
    return Table("Share of a cohort that is active, by months since the first", headings, rows)


def _again(cohorts: list[tuple[date, int, int, int, int, bool]]) -> Figure | None:
    """Draw how many come back after so many months, over all cohorts that have come so far."""
    sums: dict[int, list[int]] = defaultdict(lambda: [0, 0])
    for _, since, customers, active, _, is_over in cohorts:
        if is_over and 0 < since < _MONTHS:
            sums[since][0] += customers
            sums[since][1] += active
    told = {
        since: (customers, active)
        for since, (customers, active) in sorted(sums.items())
        if not any(privacy.hidden([active, customers - active]))
    }
    if not told:
        return None
    title = "Active again, by months since the first"
    first = next(iter(told))
    description = (
        f"All cohorts together, each as far as it has come. After {first} months:"
        f" {words.percent(words.share(told[first][1], told[first][0]))} of"
        f" {words.count(told[first][0])} customers."
    )
    drawing = charts.columns(
        "again",
        title,
        description,
        [
            charts.Bar(f"+{since}", active / customers, f"{100 * active / customers:.0f}")
            for since, (customers, active) in told.items()
        ],
        "months since the first; percent of the customers",
    )
    rows = [
        (f"+{since}", words.count(customers), words.count(active), words.percent(active / customers, 1))
        for since, (customers, active) in told.items()
    ]
    headings = ("Months since the first", "Customers", "Active", "Share")
    return Figure("again", title, description, drawing, Table(title, headings, rows))


def _churn(connection: duckdb.DuckDBPyConnection) -> Figure | None:
    """Draw who lapsed in a month as a share of those who could."""
    months = [
        (day, at_risk, lapsed)
        for day, at_risk, lapsed, is_over in ask.rows(connection, _CHURN)
        if is_over and at_risk >= privacy.LEAST
    ][-_CHURN_MONTHS:]
    if not months:
        return None
    title = "Churn: newly lapsed of those at risk"
    labels = [words.month(day) for day, _, _ in months]
    hide = [any(privacy.hidden([lapsed, at_risk - lapsed])) for _, at_risk, lapsed in months]
    shares = [
        None if is_hidden else lapsed / at_risk
        for (_, at_risk, lapsed), is_hidden in zip(months, hide, strict=True)
    ]
    description = f"{title}, by month. In {labels[-1]}: {words.percent(shares[-1], 1)}."
    drawing = charts.line("churn", title, description, labels, shares)
    rows = [
        (label, words.count(at_risk), privacy.NOT_SHOWN, words.NOTHING)
        if is_hidden
        else (label, words.count(at_risk), words.count(lapsed), words.percent(share, 1))
        for (_, at_risk, lapsed), label, share, is_hidden in zip(months, labels, shares, hide, strict=True)
    ]
    headings = ("Month", "At risk at its start", "Newly lapsed", "Churn")
    return Figure("churn", title, description, drawing, Table(title, headings, rows))


def _cell(customers: int, active: int, is_over: bool) -> Cell | str:
    if privacy.is_small(customers) or privacy.is_small(active):
        return Cell("·")
    share = active / customers
    text = words.percent(share)
    return Cell(text if is_over else f"({text})", heat=share)


def _survival(connection: duckdb.DuckDBPyConnection) -> Figure | None:
    found = [row for row in ask.rows(connection, _SURVIVAL) if row[1] >= privacy.LEAST]
    if not found:
        return None
    title = "Survival: customers not yet lapsed"
    points = [charts.Point(0, 1.0)] + [
        charts.Point(days, survival, lower, upper) for days, _, survival, lower, upper, _ in found
    ]
    half = next((days for days, _, survival, *_ in found if survival <= 0.5), None)
    tail = f"Half have lapsed after {words.count(half)} days." if half else "Fewer than half have lapsed."
    description = (
        f"Kaplan-Meier estimate over {words.count(found[0][5])} customers with its 95 % band; who has not"
        f" lapsed counts for as long as seen. {tail}"
    )
    drawing = charts.curve("survival", title, description, points, "days since the first act")
    rows = [_survival_row(days, found) for days in _SURVIVAL_DAYS if days <= found[-1][0]]
    table = Table(title, ("Days", "Not lapsed", "95 % interval"), rows)
    return Figure("survival", title, description, drawing, table)


def _survival_row(days: int, found: list[tuple[Any, ...]]) -> tuple[str, str, str]:
    """Return what the curve says on a day: the last step at or before it."""
    steps = [row for row in found if row[0] <= days]
    if not steps:
        return words.count(days), words.percent(1.0, 1), words.NOTHING
    _, _, survival, lower, upper, _ = steps[-1]
    interval = words.NOTHING if lower is None else f"{words.percent(lower, 1)} to {words.percent(upper, 1)}"
    return words.count(days), words.percent(survival, 1), interval


def _by_channel(connection: duckdb.DuckDBPyConnection) -> Table | None:
    rows = [
        (
            name,
            words.count(customers),
            privacy.NOT_SHOWN if any(privacy.hidden([lapsed, customers - lapsed])) else words.count(lapsed),
            words.NOTHING if median is None else words.count(median),
        )
        for name, customers, lapsed, _, median in ask.rows(connection, _BY_CHANNEL)
        if customers >= privacy.LEAST
    ]
    if not rows:
        return None
    headings = ("First seen on", "Customers", "Lapsed so far", "Days until half have lapsed")
    return Table("By the channel of the first act", headings, rows)
