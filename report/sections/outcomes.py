"""What engagement goes with: features at a month's end against what customers did in the time after it.

What does NOT belong here: any word that says that one causes the other.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import date
from typing import Any

import duckdb

from report import charts, privacy, words
from report.content import Cell, Figure, Section, Table
from report.sections import ask

_OUTCOMES = {
    "revenue": "Revenue in the window",
    "repurchase": "Bought again in the window",
    "lapse": "Lapsed in the window",
    "nps": "Net Promoter Score in the window",
}
_FEATURES = {
    "active_months": "Active months",
    "recency_days": "Days since last act",
    "proactive_share_lower": "Of their own accord",
    "active_days_90": "Active days in 90",
    "effective_types": "Variety of acts",
    "promotion_share": "Share in promotions",
    "visits_to_date": "Visits",
    "weighted_interactions_to_date": "Weighted interactions",
    "orders_to_date": "Orders",
    "revenue_to_date": "Revenue before",
    "tier_number": "Tier",
}
_TIERS = ("none", "low", "medium", "high", "highest")
_QUINTILES = ("1", "2", "3", "4", "5")
_FULL_HEAT = 1.0
# Where a scale of correlations may end.
_EDGES = (0.2, 0.4, 0.6, 1.0)

# The latest snapshot in which an outcome varies enough for any correlation to be told.
_ROWS = """
    with latest as (
        select outcome, max(snapshot_date) as snapshot_date
        from marts.fct_engagement_outcomes
        where segmentation = 'all' and spearman_lower is not null and customers >= $least
        group by outcome
    )
    select
        outcome, snapshot_date, window_ends_on, feature, segment, customers, difference, lift, spearman,
        spearman_lower, spearman_upper
    from marts.fct_engagement_outcomes
    join latest using (outcome, snapshot_date)
    where segmentation in ('all', 'quintile', 'tier')
    order by outcome, feature, segmentation, segment
"""


@dataclass(frozen=True)
class _Row:
    outcome: str
    snapshot_date: date
    window_ends_on: date
    feature: str
    segment: str
    customers: int
    difference: float | None
    lift: float | None
    spearman: float | None
    spearman_lower: float | None
    spearman_upper: float | None

    @property
    def change(self) -> float | None:
        """Lift over the average, or points above it where the outcome is a score."""
        return self.difference if self.outcome == "nps" else self.lift


def section(connection: duckdb.DuckDBPyConnection) -> Section:
    """Return correlations and lifts of every outcome."""
    by_outcome: dict[str, list[_Row]] = defaultdict(list)
    for row in ask.rows(connection, _ROWS, {"least": privacy.LEAST}):
        by_outcome[row[0]].append(_Row(*row))
    if not by_outcome:
        return Section(
            notes=("No closed month has a whole window after it in which outcomes differ.",),
        )
    outcomes = [outcome for outcome in _OUTCOMES if outcome in by_outcome]
    pairs = [
        (figure, _lifts(outcome, by_outcome[outcome]))
        for outcome in outcomes
        if (figure := _correlations(outcome, by_outcome[outcome]))
    ]
    by_tier = _tiers(by_outcome)
    missing = [_OUTCOMES[outcome] for outcome in _OUTCOMES if outcome not in by_outcome]
    return Section(
        lede=_lede(by_outcome),
        pairs=pairs,
        tables=(by_tier,) if by_tier else (),
        notes=(
            "Association, not cause. Spearman's rank correlation with 95 % interval; grey ones hold zero.",
            "Fifths are of the customers by the feature, 1 the lowest; equal values stay together, so that"
            " fifths may differ in size or be absent.",
            "What counts orders or revenue is not held against revenue.",
            *([f"Not enough to tell: {', '.join(missing)}."] if missing else []),
        ),
    )


def _lede(by_outcome: dict[str, list[_Row]]) -> str:
    best = max(
        (
            row
            for row in by_outcome.get("revenue", [])
            if row.segment == "5" and row.lift is not None and row.customers >= privacy.LEAST
        ),
        key=lambda row: row.lift or 0.0,
        default=None,
    )
    if best is None:
        return ""
    return (
        f"From {best.snapshot_date} to {best.window_ends_on} the fifth of the customers with the most of"
        f" “{_feature(best.feature).lower()}” brought {words.percent(best.lift)} more revenue than the"
        " average customer."
    )


def _correlations(outcome: str, rows: list[_Row]) -> Figure | None:
    told: list[Any] = [
        row
        for row in rows
        if row.segment == "all" and row.spearman_lower is not None and row.customers >= privacy.LEAST
    ]
    if not told:
        return None
    told.sort(key=lambda row: (-row.spearman, row.feature))
    title = _OUTCOMES[outcome]
    first = told[0]
    description = (
        f"{title} ({first.snapshot_date} to {first.window_ends_on}): rank correlation with each feature."
        f" Highest: {_feature(first.feature)}, {words.signed(first.spearman)}"
        f" ({words.signed(first.spearman_lower)} to {words.signed(first.spearman_upper)},"
        f" {words.count(first.customers)} customers)."
    )
    reach = max(max(abs(row.spearman_lower), abs(row.spearman_upper)) for row in told)
    edge = next((edge for edge in _EDGES if reach <= edge), 1.0)
    drawing = charts.intervals(
        f"correlation_{outcome}",
        title,
        description,
        [
            charts.Interval(_feature(row.feature), row.spearman_lower, row.spearman, row.spearman_upper)
            for row in told
        ],
        edge,
    )
    table = Table(
        title,
        ("Feature", "Spearman", "95 % interval", "Customers"),
        [
            (
                _feature(row.feature),
                words.signed(row.spearman, 3),
                f"{words.signed(row.spearman_lower, 3)} to {words.signed(row.spearman_upper, 3)}",
                words.count(row.customers),
            )
            for row in told
        ],
    )
    return Figure(f"correlation_{outcome}", title, description, drawing, table)


def _lifts(outcome: str, rows: list[_Row]) -> Table | None:
    by_feature: dict[str, dict[str, _Row]] = defaultdict(dict)
    for row in rows:
        by_feature[row.feature][row.segment] = row
    fifths = [row for row in rows if row.segment in _QUINTILES]
    if sum(row.customers >= privacy.LEAST for row in fifths) <= len(fifths) / 2:
        return None
    # as in the chart beside it: the highest correlation first
    order = sorted(
        {row.feature for row in fifths},
        key=lambda feature: (-(by_feature[feature]["all"].spearman or 0.0), _feature(feature)),
    )
    cells = [
        [_feature(feature), *(_lift_cell(by_feature[feature].get(quintile)) for quintile in _QUINTILES)]
        for feature in order
    ]
    first = rows[0]
    what = "points above the score of all" if outcome == "nps" else "lift over the average"
    caption = f"{_OUTCOMES[outcome]}, {what}, by quintile at {first.snapshot_date}"
    return Table(caption, ("Feature", *(f"Fifth {quintile}" for quintile in _QUINTILES)), cells)


def _tiers(by_outcome: dict[str, list[_Row]]) -> Table | None:
    """Return lift by the tier that customers had at the month's end, an outcome a row."""
    rows: list[list[Cell | str]] = []
    for outcome in _OUTCOMES:
        tiers = {row.segment: row for row in by_outcome.get(outcome, []) if row.feature == "tier_number"}
        if any(tier in tiers and tiers[tier].customers >= privacy.LEAST for tier in _TIERS):
            rows.append([_OUTCOMES[outcome], *(_lift_cell(tiers.get(tier)) for tier in _TIERS)])
    if not rows:
        return None
    caption = "Lift over the average, by the tier at the month's end (score: points above that of all)"
    return Table(caption, ("Outcome", *(f"Tier {tier}" for tier in _TIERS)), rows)


def _lift_cell(row: _Row | None) -> Cell | str:
    if row is None or row.change is None:
        return words.NOTHING
    if row.customers < privacy.LEAST:
        return privacy.NOT_SHOWN
    change = row.change / 100 if row.outcome == "nps" else row.change
    text = words.signed(row.change, 0) if row.outcome == "nps" else words.signed_percent(row.change)
    return Cell(text, heat=min(1.0, abs(change) / _FULL_HEAT), is_below=change < 0)


def _feature(feature: str) -> str:
    return _FEATURES.get(feature, words.name(feature))
