"""Retention, survival and the outcomes of engagement, computed a second time and in another way.

Customer by customer and day by day, in plain Python and pandas, from `fct_interactions` and the answers to
surveys; SciPy estimates the survival and the rank correlations. Nothing is shared with the models; windows
and thresholds are written out, as the definitions give them.
"""

import calendar
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from functools import cached_property
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

FLOOR_DAYS, MEAN_GAPS, INACTIVE_MONTHS, WINDOW_DAYS = 30, 3, 24, 90


def month_of(day: date) -> date:
    """First day of a day's month."""
    return day.replace(day=1)


def month_end(day: date) -> date:
    """Last day of a day's month."""
    return day.replace(day=calendar.monthrange(day.year, day.month)[1])


def later(day: date, months: int) -> date:
    """The same day some months later, or the last of that month."""
    years, month = divmod(day.month - 1 + months, 12)
    last = calendar.monthrange(day.year + years, month + 1)[1]
    return date(day.year + years, month + 1, min(day.day, last))


@dataclass(frozen=True)
class Purchase:
    """An order: the days on which it was placed and cancelled."""

    on: date
    cancelled_on: date | None


@dataclass(frozen=True)
class History:
    """All that is known of the customers at T.

    Attributes:
        through: T.
        days: Active days of every customer, in order.
        channels: Channel of every customer's first act.
        truncated: Whether the first act lies in the first 30 days of its source's history.
        money: Day and amount of everything that was booked, per customer.
        purchases: Orders per customer.
        answers: Moment, id, day and answer (0 to 10) of every NPS response, per customer.
    """

    through: date
    days: Mapping[str, Sequence[date]]
    channels: Mapping[str, str]
    truncated: Mapping[str, bool]
    money: Mapping[str, Sequence[tuple[date, Decimal]]]
    purchases: Mapping[str, Sequence[Purchase]]
    answers: Mapping[str, Sequence[tuple[pd.Timestamp, str, date, float]]]

    @cached_property
    def snapshots(self) -> list[date]:
        """Months' ends from the first act on, then T."""
        found, day = [], month_end(min(days[0] for days in self.days.values()))
        while day < self.through:
            found.append(day)
            day = month_end(day + timedelta(days=1))
        return [*found, self.through]

    @cached_property
    def population_gaps(self) -> dict[date, int]:
        """Month -> the least gap that nine in ten of the gaps ended by then do not exceed."""
        ended = [
            (then, (then - before).days) for days in self.days.values() for before, then in pairwise(days)
        ]
        found = {}
        for snapshot in self.snapshots:
            gaps = sorted(gap for on, gap in ended if on <= snapshot)
            if gaps:
                found[month_of(snapshot)] = gaps[int(np.ceil(0.9 * len(gaps) - 1e-9)) - 1]
        return found

    def threshold(self, days: Sequence[date], month: date) -> float:
        """Lapse threshold after some active days, with the population as of a month for want of gaps."""
        if len(days) >= 3:
            return max(FLOOR_DAYS, MEAN_GAPS * (days[-1] - days[0]).days / (len(days) - 1))
        return max(FLOOR_DAYS, self.population_gaps.get(month, 0))

    def lapses(self, customer: str) -> list[date]:
        """Days on which a silence became a lapse."""
        days, found = self.days[customer], []
        for number, last in enumerate(days, start=1):
            until = days[number] if number < len(days) else self.through
            usual = self.threshold(days[:number], later(month_of(last), -1))
            gone = later(last, INACTIVE_MONTHS)
            day = last
            while day < until:
                day += timedelta(days=1)
                if (day - last).days > usual or day > gone:
                    found.append(day)
                    break
        return found

    def is_unlapsed(self, customer: str, snapshot: date) -> bool:
        """Whether a customer is there at a snapshot and has not lapsed, as the longevity fact tells it."""
        days = [day for day in self.days[customer] if day <= snapshot]
        if not days or later(days[-1], INACTIVE_MONTHS) < snapshot:
            return False
        return (snapshot - days[-1]).days <= self.threshold(days, month_of(snapshot))


def retention(history: History) -> pd.DataFrame:
    """Cohorts by month, counted customer by customer."""
    rows: dict[tuple[date, date], dict[str, Any]] = defaultdict(lambda: defaultdict(int))
    cohorts = Counter(month_of(days[0]) for days in history.days.values())
    for cohort in cohorts:
        for snapshot in history.snapshots:
            if cohort <= snapshot:
                rows[cohort, snapshot]["customers"] = cohorts[cohort]
    for customer, days in history.days.items():
        cohort = month_of(days[0])
        was_unlapsed = False
        for snapshot in history.snapshots:
            if snapshot < cohort:
                continue
            row = rows[cohort, snapshot]
            month, before = month_of(snapshot), later(month_of(snapshot), -1)
            months = {month_of(day) for day in days}
            if month in months:
                state = "new" if month == cohort else "returning" if before in months else "resurrected"
                row[f"{state}_customers"] += 1
                row["active_customers"] += 1
            is_unlapsed = history.is_unlapsed(customer, snapshot)
            row["lapsed_customers"] += not is_unlapsed
            row["at_risk_customers"] += was_unlapsed
            row["newly_lapsed_customers"] += was_unlapsed and not is_unlapsed
            row["recovered_customers"] += is_unlapsed and not was_unlapsed and month > cohort
            booked = (amount for on, amount in history.money.get(customer, ()) if month_of(on) == month)
            row["revenue"] += sum(booked, Decimal(0))
            was_unlapsed = is_unlapsed
    frame = pd.DataFrame([{"cohort_month": c, "snapshot_date": s, **row} for (c, s), row in rows.items()])
    return frame.fillna(0).set_index(["cohort_month", "snapshot_date"]).sort_index()


def lifetimes(history: History) -> pd.DataFrame:
    """Per customer: channel, whether the beginning is unknown, days to first lapse or T, whether lapsed."""
    rows = []
    for customer, days in history.days.items():
        lapses = history.lapses(customer)
        ends = min(lapses) if lapses else history.through
        rows.append(
            {
                "channel": history.channels[customer],
                "truncated": history.truncated[customer],
                "days": (ends - days[0]).days,
                "lapsed": bool(lapses),
            }
        )
    return pd.DataFrame(rows)


def outcomes(history: History) -> pd.DataFrame:
    """Per customer and closed snapshot with a whole window: what came of it."""
    rows = []
    for customer, days in history.days.items():
        lapses = history.lapses(customer)
        for snapshot in history.snapshots:
            ends = snapshot + timedelta(days=WINDOW_DAYS)
            known = [day for day in days if day <= snapshot]
            if ends > history.through or not known or later(known[-1], INACTIVE_MONTHS) < snapshot:
                continue
            orders = history.purchases.get(customer, ())
            had_ordered = any(
                order.on <= snapshot and (order.cancelled_on is None or order.cancelled_on > snapshot)
                for order in orders
            )
            repurchased = any(
                snapshot < order.on <= ends and (order.cancelled_on is None or order.cancelled_on > ends)
                for order in orders
            )
            in_lapse = any(known[-1] < lapse <= snapshot for lapse in lapses)
            answers = [answer for answer in history.answers.get(customer, ()) if snapshot < answer[2] <= ends]
            rows.append(
                {
                    "customer_id": customer,
                    "snapshot_date": snapshot,
                    "revenue": sum(
                        amount for on, amount in history.money.get(customer, ()) if snapshot < on <= ends
                    ),
                    "has_repurchased": repurchased if had_ordered else None,
                    "has_lapsed": None if in_lapse else any(snapshot < lapse <= ends for lapse in lapses),
                    "nps_score": max(answers)[3] if answers else None,
                }
            )
    return pd.DataFrame(rows).set_index(["customer_id", "snapshot_date"]).sort_index()


def association(feature: pd.Series, outcome: pd.Series) -> dict[str, Any]:
    """Spearman's correlation of two columns without gaps, its interval, and the mean outcome per quintile."""
    size = len(feature)
    percentiles = (stats.rankdata(feature) - 0.5) / size
    quintiles = np.floor(5 * percentiles + 1e-12).astype(int) + 1
    means = outcome.groupby(quintiles).mean()
    sizes = outcome.groupby(quintiles).size()
    if feature.nunique() < 2 or outcome.nunique() < 2:
        r = lower = upper = float("nan")
    else:
        r = float(stats.spearmanr(feature, outcome).statistic)
        if size > 3 and abs(r) < 1:
            width = stats.norm.ppf(0.975) * np.sqrt((1 + r**2 / 2) / (size - 3))
            lower, upper = np.tanh(np.arctanh(r) - width), np.tanh(np.arctanh(r) + width)
        else:
            lower = upper = float("nan")
    return {
        "n": size,
        "mean": outcome.mean(),
        "spearman": r,
        "lower": lower,
        "upper": upper,
        "means": means.to_dict(),
        "sizes": sizes.to_dict(),
    }
