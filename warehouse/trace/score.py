"""A customer's row of `customer_engagement`, counted anew.

It follows from the five facts counted anew, the acts of the last year, and the measures of the customers it
is ranked among; of these nothing is counted anew, their published measures are taken. What does NOT belong
here: the five facts (`warehouse.trace.counted`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal

from warehouse.trace.counted import (
    Act,
    Counted,
    Evidence,
    Rows,
    Value,
    agrees,
    context,
    frequency,
    longevity,
    orders,
    proactiveness,
    revenue,
    volume,
)

MODEL = "customer_engagement"
DIMENSIONS = ("longevity", "proactiveness", "frequency", "context", "volume")

_FOUR_IS = ("involvement", "interaction", "intimacy", "influence")
_FUNCTIONS = ("emotional", "conative", "cognitive")
_SUMS = {
    "weighted_interactions": "weighted_interactions_to_date",
    "engaged_seconds": "engaged_seconds_to_date",
    "visits": "visits_to_date",
    "orders": "orders_to_date",
    "revenue": "revenue_to_date",
}
_NOT_COVERED = "not covered by trace"
_OTHERS = (
    "explanation",
    "journey_stage",
    "latest_csat_share",
    "latest_ces_share",
    "latest_nps_score",
    "latest_nps_on",
    "nps_group",
    "weights_version",
    "bands_version",
    "tiers_version",
    "stages_version",
    "journey_version",
    "taxonomy_version",
)

Row = Mapping[str, str]


@dataclass(frozen=True)
class Peer:
    """Another customer of the current snapshot.

    Attributes:
        tenure_band: Band that the customer is ranked in.
        measures: Dimension to the published measure; None where it is not known.
    """

    tenure_band: str | None
    measures: Mapping[str, float | None]


@dataclass(frozen=True)
class Ranking:
    """What a score needs beside the customer's own rows.

    Attributes:
        own: Dimension to the customer's own published measure.
        peers: The other customers of the current snapshot.
        renewals: Business day and revenue of what renewed itself: no act, but worth something.
        dimensions: Seed `score_dimensions`.
        bands: Seed `tenure_bands`.
        tiers: Seed `engagement_tiers`.
        stages: Seed `engagement_stages`.
    """

    own: Mapping[str, float | None]
    peers: Sequence[Peer]
    renewals: Sequence[tuple[date, Decimal]]
    dimensions: Sequence[Row]
    bands: Sequence[Row]
    tiers: Sequence[Row]
    stages: Sequence[Row]


def score(evidence: Evidence, ranking: Ranking) -> Rows:
    """Count the row anew; columns from surveys and the journey, words and versions are not covered."""
    facts = {
        "longevity": longevity(evidence)[""],
        "proactiveness": proactiveness(evidence)[""],
        "frequency": frequency(evidence)[""],
    }
    known = _union(facts["proactiveness"]["unprompted"], facts["proactiveness"]["prompted"])
    row: dict[str, Counted] = {
        **{name: facts["longevity"][name] for name in ("lifecycle_state", "recency_days", "is_lapsed")},
        "is_left_truncated": facts["longevity"]["is_left_truncated"],
        "is_low_sample": facts["proactiveness"]["is_low_sample"],
        "prompt_known_interactions": Counted(len(known), known),
        **_ranked(evidence, ranking, _measures(evidence, facts)),
        **_levels(evidence, ranking.tiers, "engagement_level", "tier"),
        **_levels(evidence, ranking.stages, "engagement_stage", "engagement_stage"),
        **_last_year(evidence),
        **_worth(evidence, ranking),
    }
    return {"": row | {name: Counted(None, unknown=_NOT_COVERED) for name in _OTHERS}}


def _measures(evidence: Evidence, facts: Mapping[str, Mapping[str, Counted]]) -> dict[str, Counted]:
    """Return every measure that seed `score_dimensions` may choose."""
    found = {name: number for fact in facts.values() for name, number in fact.items()}
    contexts, channels = context(evidence), volume(evidence)
    everything = tuple(act.interaction_id for act in evidence.acts)
    promoted = next(iter(contexts.values()))["promotion_share"].value
    found["unpromoted_share"] = Counted(1 - _number(promoted), everything)
    found["contexts"] = Counted(len(contexts), everything)
    for name, column in _SUMS.items():
        parts = [channel[column] for channel in channels.values()]
        reason = next((part.unknown for part in parts if part.unknown), "")
        total = None if reason else sum(_number(part.value) for part in parts)
        found[name] = Counted(total, _union(*parts), unknown=reason)
    return found


def _ranked(evidence: Evidence, ranking: Ranking, measures: Mapping[str, Counted]) -> dict[str, Counted]:
    tenure = (evidence.snapshot_date - evidence.days[0]).days
    band = next((row["tenure_band"] for row in ranking.bands if _is_within(tenure, row)), None)
    in_band = [peer for peer in ranking.peers if peer.tenure_band == band]
    is_in_band = band is not None and (len(in_band) + 1 >= evidence.rules.thresholds["score_band_customers"])
    peers = in_band if is_in_band else ranking.peers
    chosen = {row["dimension"]: (row["measure"], float(row["weight"])) for row in ranking.dimensions}
    named = {name: chosen.get(name, ("", 0.0)) for name in DIMENSIONS}
    own = {name: measures.get(measure, Counted(None)) for name, (measure, _) in named.items()}
    reason = next((number.unknown for number in own.values() if number.unknown), "")
    all_weights = sum(weight for _, weight in named.values())
    known_weights = sum(weight for name, (_, weight) in named.items() if own[name].value is not None)
    row: dict[str, Counted] = {
        "tenure_band": Counted(band),
        "is_ranked_in_band": Counted(is_in_band),
        "ranked_customers": Counted(len(peers) + 1),
        "weight_coverage": Counted(known_weights / all_weights if all_weights else None, unknown=reason),
    }
    points: list[float] = []
    for name, (_, weight) in named.items():
        number = own[name]
        # ties are told among published numbers: the last digit of one counted anew may differ
        published = ranking.own.get(name)
        value = published if agrees(published, number.value) else number.value
        percentile = _percentile(value, [peer.measures[name] for peer in peers])
        contribution = None
        if percentile is not None and known_weights:
            contribution = 100 * weight * percentile / known_weights
            points.append(contribution)
        rows = (number.acts, number.touches)
        row[f"{name}_measure"] = number
        row[f"{name}_percentile"] = Counted(percentile, *rows, unknown=number.unknown)
        row[f"{name}_weight"] = Counted(weight)
        row[f"{name}_contribution"] = Counted(contribution, *rows, unknown=reason)
    everything = tuple(act.interaction_id for act in evidence.acts)
    row["score"] = Counted(sum(points) if known_weights else None, everything, unknown=reason)
    return row


def _is_within(tenure: int, band: Row) -> bool:
    return int(band["from_days"]) <= tenure and (not band["until_days"] or tenure < int(band["until_days"]))


def _percentile(own: Value, others: Sequence[float | None]) -> float | None:
    """Return (mid-rank - 0.5) / n of a measure among those that are known."""
    if own is None:
        return None
    measure = _number(own)
    known = [other for other in others if other is not None]
    less = sum(other < measure for other in known)
    ties = 1 + sum(other == measure for other in known)
    return (less + ties / 2) / (len(known) + 1)


def _levels(evidence: Evidence, seed: Sequence[Row], kind: str, name: str) -> dict[str, Counted]:
    """Return the acts of every tier or stage, and the highest that is reached."""
    number = f"{name.removeprefix('engagement_')}_number"
    counted: dict[str, Counted] = {}
    reached: tuple[int, str, list[Act]] = (0, "none", [])
    for level in seed:
        label = level[name]
        acts = [
            act
            for act in evidence.acts
            if evidence.rules.types[act.interaction_type][kind] == label
            and (evidence.snapshot_date - act.occurred_on).days < int(level["window_days"])
        ]
        counted[f"{label}_acts"] = Counted(len(acts), tuple(act.interaction_id for act in acts))
        if len(acts) >= int(level["acts_min"]):
            reached = max(reached, (int(level[number]), label, acts), key=lambda one: one[0])
    _, label, acts = reached
    ids = tuple(act.interaction_id for act in acts)
    counted[name] = Counted(label, ids)
    if name == "tier":
        types = sorted(
            Counter(act.interaction_type for act in acts).items(), key=lambda one: (-one[1], one[0])
        )
        said = ", ".join(f"{type_} {count}" for type_, count in types)
        counted["tier_acts"] = Counted(len(acts), ids)
        counted["tier_act_types"] = Counted(said or None, ids)
    return counted


def _last_year(evidence: Evidence) -> dict[str, Counted]:
    acts = _since(evidence, 365)
    ids = tuple(act.interaction_id for act in acts)
    row = {"interactions_365": Counted(len(acts), ids)}
    for kind, values in (("four_i", _FOUR_IS), ("jakobson_function", _FUNCTIONS)):
        for value in values:
            mine = [act for act in acts if evidence.rules.types[act.interaction_type][kind] == value]
            row[f"{value}_acts_365"] = Counted(len(mine), tuple(act.interaction_id for act in mine))
            if kind == "jakobson_function":
                row[f"{value}_share_365"] = Counted(len(mine) / len(acts) if acts else None, ids)
    told = [act for act in acts if act.sentiment is not None]
    sentiments = [act.sentiment for act in told if act.sentiment is not None]
    tellers = tuple(act.interaction_id for act in told)
    row["sentiments_365"] = Counted(len(sentiments), tellers)
    mean = sum(sentiments) / len(sentiments) if sentiments else None
    row["mean_sentiment_365"] = Counted(mean, tellers)
    return row


def _worth(evidence: Evidence, ranking: Ranking) -> dict[str, Counted]:
    row: dict[str, Counted] = {}
    for days in (90, 365):
        since = evidence.snapshot_date - timedelta(days=days - 1)
        row[f"orders_{days}"] = orders(evidence, evidence.acts, since)
        earned = revenue(evidence, evidence.acts, since)
        renewed = sum((amount for day, amount in ranking.renewals if day >= since), Decimal())
        if isinstance(earned.value, Decimal):
            earned = Counted(earned.value + renewed, earned.acts)
        row[f"revenue_{days}"] = earned
    return row


def _since(evidence: Evidence, days: int) -> list[Act]:
    return [act for act in evidence.acts if (evidence.snapshot_date - act.occurred_on).days < days]


def _number(value: Value) -> float:
    return float(value) if isinstance(value, int | float | Decimal) else 0.0


def _union(*numbers: Counted) -> tuple[str, ...]:
    return tuple(dict.fromkeys(name for number in numbers for name in number.acts))
