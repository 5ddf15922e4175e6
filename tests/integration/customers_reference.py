"""Score, tier and journey of customers by their definitions (docs/measures.md), written to be read.

Ranks come from scipy; the journey is walked through day by day instead of being added up; everything else is
counted anew from the acts. What does NOT belong here: the five facts, which have references of their own.
"""

import csv
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import pairwise
from pathlib import Path

import numpy as np
from scipy import stats

SEEDS = Path(__file__).parents[2] / "seeds"
DIMENSIONS = ("longevity", "proactiveness", "frequency", "context", "volume")
STAGES = ("awareness", "familiarity", "consideration", "purchase", "loyalty")
DAY = timedelta(days=1)


def _seed(name: str) -> list[dict[str, str]]:
    with (SEEDS / f"{name}.csv").open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


TYPES = {row["interaction_type"]: row for row in _seed("interaction_types")}
TIERS = {row["tier"]: row for row in _seed("engagement_tiers")}
ENGAGEMENT_STAGES = {row["engagement_stage"]: row for row in _seed("engagement_stages")}
HOLDS = {row["journey_stage"]: int(row["holds_days"] or 0) for row in _seed("journey_stages")}
WEIGHTS = {row["dimension"]: float(row["weight"]) for row in _seed("score_dimensions")}
BANDS = _seed("tenure_bands")
BAND_CUSTOMERS = next(
    float(row["value"]) for row in _seed("thresholds") if row["threshold"] == "score_band_customers"
)


@dataclass(frozen=True)
class Deed:
    """What a customer did on a day, or what happened by itself (`is_system`).

    Attributes:
        is_order: Order or renewal, whether it stands or not.
        is_cancelled: The order was cancelled by T.
    """

    on: date
    type: str
    is_order: bool = False
    is_cancelled: bool = False
    is_system: bool = False


@dataclass(frozen=True)
class Stay:
    """How a customer got to a stage of the journey, and how it went."""

    reached_on: date
    days_in_stage: int
    times_dropped_back: int
    is_held: bool
    is_current: bool


def tier(deeds: Iterable[Deed], as_of: date) -> tuple[str, int, str | None]:
    """Return the tier, the acts that earned it, and these in words."""
    acts = [deed for deed in deeds if not deed.is_system]
    for name, rule in reversed(TIERS.items()):
        earned = Counter(
            deed.type
            for deed in acts
            if TYPES[deed.type]["engagement_level"] == name
            and (as_of - deed.on).days < int(rule["window_days"])
        )
        if earned.total() >= int(rule["acts_min"]):
            told = sorted(earned.items(), key=lambda item: (-item[1], item[0]))
            return name, earned.total(), ", ".join(f"{kind} {count}" for kind, count in told)
    return "none", 0, None


def engagement_stage(deeds: Iterable[Deed], as_of: date) -> str:
    """Return whom the customer engages with lately."""
    acts = [deed for deed in deeds if not deed.is_system]
    for name, rule in reversed(ENGAGEMENT_STAGES.items()):
        count = sum(
            TYPES[deed.type]["engagement_stage"] == name and (as_of - deed.on).days < int(rule["window_days"])
            for deed in acts
        )
        if count >= int(rule["acts_min"]):
            return name
    return "none"


def acts_of_a_year(deeds: Iterable[Deed], as_of: date) -> dict[str, int]:
    """Return the acts of 365 days: all, by the four I's, and by Jakobson's functions."""
    counts: Counter[str] = Counter()
    for deed in deeds:
        if not deed.is_system and (as_of - deed.on).days < 365:
            kinds = TYPES[deed.type]
            counts.update(["interactions", kinds["four_i"], kinds["jakobson_function"]])
    return dict(counts)


def journey(deeds: Sequence[Deed], touched_on: Sequence[date], as_of: date) -> dict[str, Stay]:
    """Walk from the first sign of the customer to T, and note the furthest stage that holds on each day."""
    steps = _steps(deeds)
    aware_on = min([*touched_on, *(day for day, _ in steps), *(d.on for d in deeds if not d.is_system)])
    reached: dict[str, date] = {"awareness": aware_on}
    lived: Counter[str] = Counter()
    dropped: Counter[str] = Counter()
    held_before: set[str] = set()
    day = aware_on
    while True:
        held = {"awareness"}
        for on, furthest in steps:
            if on <= day:
                for number in range(1, furthest + 1):
                    longest = max(HOLDS[stage] for stage in STAGES[number : furthest + 1])
                    if (day - on).days <= longest:
                        held.add(STAGES[number])
        for stage in held:
            reached.setdefault(stage, day)
        dropped.update(held_before - held)
        furthest_held = max(held, key=STAGES.index)
        lived[furthest_held] += 1
        if day == as_of:
            return {
                stage: Stay(
                    reached[stage], lived[stage], dropped[stage], stage in held, stage == furthest_held
                )
                for stage in reached
            }
        held_before, day = held, day + DAY


def _steps(deeds: Sequence[Deed]) -> list[tuple[date, int]]:
    """Return the furthest stage (its place in `STAGES`) of every day with one beyond awareness."""
    ordered = sorted({deed.on for deed in deeds if deed.is_order and not deed.is_cancelled})
    furthest: dict[date, int] = {}
    for deed in deeds:
        stage = TYPES[deed.type]["journey_stage"]
        if deed.is_cancelled:
            stage = "consideration"
        if stage:
            furthest[deed.on] = max(furthest.get(deed.on, 0), STAGES.index(stage))
    for before, on in pairwise(ordered):
        if (on - before).days <= HOLDS["purchase"]:
            furthest[on] = max(furthest[on], STAGES.index("loyalty"))
    return [(on, stage) for on, stage in sorted(furthest.items()) if stage > 0]


def scores(customers: Mapping[str, Mapping[str, float | None]]) -> dict[str, dict[str, float | None]]:
    """Rank and score all customers of one snapshot.

    Args:
        customers: Per customer the five measures by dimension, and `tenure_days`.

    Returns:
        Per customer `score`, `weight_coverage`, and `<dimension>_percentile` and `_contribution`.
    """
    bands = {name: _band(float(row["tenure_days"] or 0)) for name, row in customers.items()}
    sizes = Counter(bands.values())
    found: dict[str, dict[str, float | None]] = {name: {} for name in customers}
    for dimension in DIMENSIONS:
        known = [name for name, row in customers.items() if row[dimension] is not None]
        for band in {None, *bands.values()}:
            group = [name for name in known if band is None or bands[name] == band]
            ranks = stats.rankdata(np.array([customers[name][dimension] for name in group], dtype=float))
            for name, rank in zip(group, ranks, strict=True):
                if band == (bands[name] if sizes[bands[name]] >= BAND_CUSTOMERS else None):
                    found[name][f"{dimension}_percentile"] = (rank - 0.5) / len(group)
    for row in found.values():
        percentiles = {name: row.setdefault(f"{name}_percentile", None) for name in DIMENSIONS}
        weight = sum(WEIGHTS[name] for name, value in percentiles.items() if value is not None)
        for name, value in percentiles.items():
            row[f"{name}_contribution"] = None if value is None else 100 * WEIGHTS[name] * value / weight
        row["score"] = sum(row[f"{name}_contribution"] or 0.0 for name in DIMENSIONS)
        row["weight_coverage"] = weight / sum(WEIGHTS.values())
    return found


def _band(tenure_days: float) -> str:
    return next(
        band["tenure_band"]
        for band in BANDS
        if int(band["from_days"]) <= tenure_days < float(band["until_days"] or "inf")
    )
