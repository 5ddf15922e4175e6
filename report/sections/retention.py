"""Retention: who comes back month after month, and how long customers last.

What does NOT belong here: what engagement has to do with it (`outcomes`).
"""

from __future__ import annotations

from collections import defaultdict
from datetime import date

import duckdb

from report import charts, privacy, words
from report.content import Cell, Figure, Section, Table
from report.sections import ask

_COHORTS = 13
_MONTHS = 13

_RETENTION = """
    select
        cohort_month, months_since_first, customers, active_customers, left_truncated_customers,
        last_day(snapshot_date) = snapshot_date as is_over
    from marts.fct_cohort_retention order by cohort_month, months_since_first
"""
_SURVIVAL = """
    select days_since_first, at_risk_customers, survival, survival_lower, survival_upper, lapsed_to_date, customers
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
    survival = _survival(connection)
    channels = _by_channel(connection)
    return Section(lede=_lede(cohorts),
        figures=(survival,) if survival else (),
        tables=(_heat_table(cohorts), *([channels] if channels else [])),
        notes=(
            "Retention: customers of a cohort active in that month. A month that is not over is in brackets, and not in the row of all.",
            "The first cohort of a history holds also who had been a customer before it.",
            privacy.WHY,
        ),
    )


def _lede(cohorts: list[tuple[date, int, int, int, int, bool]]) -> str:
    again = [(active, customers) for _, since, customers, active, _, is_over in cohorts if since == 1 and is_over]
    customers = sum(whole for _, whole in again)
    active = sum(part for part, _ in again)
    if customers < privacy.LEAST or any(privacy.hidden([active, customers - active])):
        return ""
    return (
        f"{words.percent(active / customers)} of {words.count(customers)} customers were active again in the month"
        " after their first."
    )


def _heat_table(cohorts: list[tuple[date, int, int, int, int, bool]]) -> Table:
    by_cohort: dict[date, dict[int, tuple[int, int, bool]]] = defaultdict(dict)
    for cohort, since, customers, active, _, is_over in cohorts:
        by_cohort[cohort][since] = (customers, active, is_over)
    shown = sorted(by_cohort)[-_COHORTS:]
    last = min(_MONTHS, 1 + max(since for cohort in shown for since in by_cohort[cohort]))
    whole: list[Cell | str] = ["All shown", ""]
    for since in range(last):
        cells = [by_cohort[cohort][since] for cohort in shown if since in by_cohort[cohort]]
        over = [(customers, active) for customers, active, is_over in cells if is_over]
        whole.append(_cell(sum(row[0] for row in over), sum(row[1] for row in over)))
    rows: list[list[Cell | str]] = [whole]
    for cohort in shown:
        months = by_cohort[cohort]
        customers = months[min(months)][0]
        row: list[Cell | str] = [
            words.month(cohort),
            privacy.NOT_SHOWN if privacy.is_small(customers) else words.count(customers),
        ]
        for since in range(last):
            row.append(_cell(*months[since]) if since in months else "")
        rows.append(row)
    headings = ("Cohort", "Customers", *(f"+{since}" if since else "First month" for since in range(last)))
    return Table("Share of a cohort that is active, by months since the first", headings, rows)


def _cell(customers: int, active: int, is_over: bool = True) -> Cell | str:
    if not customers:
        return ""
    if privacy.is_small(customers) or privacy.is_small(active):
        return Cell("·")
    share = active / customers
    text = words.percent(share)
    return Cell(text if is_over else f"({text})", heat=share)


def _survival(connection: duckdb.DuckDBPyConnection) -> Figure | None:
    found = [row for row in ask.rows(connection, _SURVIVAL) if row[1] >= privacy.LEAST]
    if not found:
        return None
    title = "Customers who have not lapsed, by days since their first act"
    points = [charts.Point(0, 1.0)] + [
        charts.Point(days, survival, lower, upper) for days, _, survival, lower, upper, _, _ in found
    ]
    customers = found[0][6]
    half = next((days for days, _, survival, *_ in found if survival <= 0.5), None)
    tail = f"Half have lapsed after {words.count(half)} days." if half else "Fewer than half have lapsed."
    description = (
        f"Kaplan-Meier estimate over {words.count(customers)} customers with its 95 % band; who has not lapsed counts as long as"
        f" he was seen. {tail}"
    )
    drawing = charts.curve("survival", title, description, points, "days since the first act")
    kept = [
        max((row for row in found if row[0] <= days), key=lambda row: row[0], default=None)
        for days in (30, 60, 90, 180, 365, 730)
        if days <= found[-1][0]
    ]
    named = [days for days in (30, 60, 90, 180, 365, 730) if days <= found[-1][0]]
    rows = [
        (
            words.count(days),
            words.percent(row[2] if row else 1.0, 1),
            words.NOTHING if row is None or row[3] is None else f"{words.percent(row[3], 1)} to {words.percent(row[4], 1)}",
        )
        for days, row in zip(named, kept, strict=True)
    ]
    return Figure(
        "survival", title, description, drawing, Table(title, ("Days", "Not lapsed", "95 % interval"), rows)
    )


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
