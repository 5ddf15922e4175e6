"""The five facts by their definitions (docs/measures.md), counted anew from the rows of one customer.

Written to disagree with the models when they are wrong: no SQL, no running totals, no carried states, nothing
that a model has added up. Every number remembers which interactions and touches it was counted from.
What does NOT belong here: where the rows come from (`warehouse.trace.evidence`).
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from zoneinfo import ZoneInfo

Value = str | bool | int | float | Decimal | date | None

_TRAILING_DAYS = (7, 28, 90)


@dataclass(frozen=True)
class Act:
    """One interaction of the customer; times are naive UTC.

    Attributes:
        interaction_id: Its id.
        channel: Channel in which it happened.
        interaction_type: What was done.
        occurred_at: When.
        occurred_on: Business day.
        visit_id: Visit that it belongs to; its own id where it begins one.
        prompt_status: unprompted, prompted or unknown, as published.
        prompt_rule: Rule that decided about it, as published.
        prompt_touch_id: Touch that it answers, as published.
        campaign_id: Campaign on the record or of the touch.
        context: Situation in which it happened.
        in_promotion: Whether a promotion had a part in it.
        is_offline: Whether it happened outside the net.
        engaged_seconds: Time spent; None where nobody measured it.
        sentiment: From -1 to 1; None where there is none.
        revenue: As published: 0 once the order is cancelled.
        source_table: Raw table.
        source_key: Key of the row in it.
        loaded_at: Load time of the version that counts.
    """

    interaction_id: str
    channel: str
    interaction_type: str
    occurred_at: datetime
    occurred_on: date
    visit_id: str
    prompt_status: str
    prompt_rule: str
    prompt_touch_id: str | None
    campaign_id: str | None
    context: str
    in_promotion: bool
    is_offline: bool
    engaged_seconds: float | None
    sentiment: float | None
    revenue: Decimal | None
    source_table: str
    source_key: str
    loaded_at: datetime


@dataclass(frozen=True)
class Touch:
    """One touch that reached the customer; times are naive UTC.

    Attributes:
        touch_id: Its id.
        channel: Channel of the touch.
        campaign_id: Campaign, if one.
        touched_at: When; the start of the day where only the day is known.
        touched_on: Business day.
        source_table: Raw table.
        source_key: Key of the row in it.
        loaded_at: Load time of the version that counts.
    """

    touch_id: str
    channel: str
    campaign_id: str | None
    touched_at: datetime
    touched_on: date
    source_table: str
    source_key: str
    loaded_at: datetime


@dataclass(frozen=True)
class Booking:
    """What an order or a return was booked with, and when that was taken back.

    Attributes:
        amount: In the reporting currency; negative for a return.
        cancelled_on: Business day of the cancellation; None while the order stands.
    """

    amount: Decimal
    cancelled_on: date | None


@dataclass(frozen=True)
class Rules:
    """The business decisions that the definitions name, from the seeds.

    Attributes:
        thresholds: Seed `thresholds`.
        windows: Seed `prompt_windows`: touch channel to the length of its window.
        weights: Seed `interaction_types`: type to weight.
        types: Seed `interaction_types`: type to its row.
    """

    thresholds: Mapping[str, float]
    windows: Mapping[str, timedelta]
    weights: Mapping[str, float]
    types: Mapping[str, Mapping[str, str]] = field(default_factory=dict)


@dataclass(frozen=True)
class Evidence:
    """Everything that the numbers of one customer at one snapshot date follow from.

    Attributes:
        customer_id: The customer.
        snapshot_date: Last business day that counts.
        as_of: Last business day that the night knows of.
        zone: Business time zone.
        rules: The seeds.
        acts: The customer's interactions until the snapshot date, what a system did left out, in order.
        touches: The customer's touches until the snapshot date, in order.
        feeds_start_at: First touch of anybody: before it nothing can be said about prompts.
        history_starts_on: First business day of the source of the customer's first interaction.
        population_gaps: Gap in days to the number of such gaps of all customers until the end of the
            snapshot's month.
        bookings: Interaction to what was booked; None where the build files cannot tell.
    """

    customer_id: str
    snapshot_date: date
    as_of: date
    zone: ZoneInfo
    rules: Rules
    acts: Sequence[Act]
    touches: Sequence[Touch]
    feeds_start_at: datetime | None
    history_starts_on: date
    population_gaps: Mapping[int, int]
    bookings: Mapping[str, Booking] | None

    @property
    def days(self) -> list[date]:
        """Active days, in order."""
        return sorted({act.occurred_on for act in self.acts})

    @property
    def gaps(self) -> list[int]:
        """Days between consecutive active days."""
        return [(later - earlier).days for earlier, later in pairwise(self.days)]

    @property
    def month_start(self) -> date:
        """First day of the snapshot's month."""
        return self.snapshot_date.replace(day=1)

    def day_start(self, day: date) -> datetime:
        """Return the first moment of a business day, naive UTC."""
        local = datetime(day.year, day.month, day.day, tzinfo=self.zone)
        return local.astimezone(UTC).replace(tzinfo=None)


@dataclass(frozen=True)
class Counted:
    """A number counted anew.

    Attributes:
        value: The number.
        acts: Interactions that it was counted from.
        touches: Touches that it was counted from.
        unknown: Why it could not be counted; empty where it was.
    """

    value: Value
    acts: tuple[str, ...] = ()
    touches: tuple[str, ...] = ()
    unknown: str = ""


# Column to its number, for every part of a customer's snapshot (a context, a channel, or nothing).
Rows = dict[str, dict[str, Counted]]

NO_BOOKINGS = "needs the orders in the build files"


@dataclass(frozen=True)
class Prompt:
    """Why an interaction happened, as the rules say.

    Attributes:
        rule: explicit, window, no_prompt or no_coverage.
        touch_id: The touch that it answers.
        lag_seconds: Time since that touch.
    """

    rule: str
    touch_id: str | None = None
    lag_seconds: float | None = None


def prompts(evidence: Evidence) -> dict[str, Prompt]:
    """Return the prompt of every interaction, found anew among the customer's touches.

    Whether the record itself names a prompt is taken from the published rule: the raw row shows it.
    """
    return {act.interaction_id: _prompt(evidence, act) for act in evidence.acts}


def _prompt(evidence: Evidence, act: Act) -> Prompt:
    before = [touch for touch in evidence.touches if touch.touched_at < act.occurred_at]
    opened = _latest(
        touch
        for touch in before
        if act.occurred_at <= touch.touched_at + evidence.rules.windows.get(touch.channel, timedelta())
    )
    if act.prompt_rule == "explicit":
        same = _latest(touch for touch in before if touch.campaign_id == act.campaign_id)
        return _answer("explicit", act, same if act.campaign_id is not None else opened)
    if opened is not None:
        return _answer("window", act, opened)
    is_covered = evidence.feeds_start_at is not None and evidence.feeds_start_at <= act.occurred_at
    return Prompt("no_prompt" if is_covered else "no_coverage")


def _latest(touches: Iterable[Touch]) -> Touch | None:
    return max(touches, key=lambda touch: (touch.touched_at, touch.touch_id), default=None)


def _answer(rule: str, act: Act, touch: Touch | None) -> Prompt:
    if touch is None:
        return Prompt(rule)
    return Prompt(rule, touch.touch_id, (act.occurred_at - touch.touched_at).total_seconds())


def longevity(evidence: Evidence) -> Rows:
    """Count section 1 of the definitions."""
    days, gaps, snapshot = evidence.days, evidence.gaps, evidence.snapshot_date
    limits = evidence.rules.thresholds
    everything = _ids(evidence.acts)
    first = _ids(act for act in evidence.acts if act.occurred_on == days[0])
    last = _ids(act for act in evidence.acts if act.occurred_on == days[-1])
    weeks = {_week(day) for day in days}
    months = {day.replace(day=1) for day in days}
    threshold = _lapse_threshold(evidence)
    recency = (snapshot - days[-1]).days
    calendar_weeks = (_week(snapshot) - _week(days[0])).days // 7 + 1
    return {
        "": {
            "is_current": Counted(snapshot == evidence.as_of),
            "first_active_on": Counted(days[0], first),
            "last_active_on": Counted(days[-1], last),
            "span_days": Counted((days[-1] - days[0]).days, _union(first, last)),
            "tenure_days": Counted((snapshot - days[0]).days, first),
            "recency_days": Counted(recency, last),
            "active_days": Counted(len(days), everything),
            "active_weeks": Counted(len(weeks), everything),
            "active_months": Counted(len(months), everything),
            "active_week_ratio": Counted(len(weeks) / calendar_weeks, everything),
            "longest_gap_days": Counted(max(gaps, default=None), everything),
            "lapse_threshold_days": Counted(threshold, everything),
            "lapses": Counted(sum(gap > threshold for gap in gaps), everything),
            "is_lapsed": Counted(recency > threshold, everything),
            "is_left_truncated": Counted(
                (days[0] - evidence.history_starts_on).days < limits["left_truncation_days"], first
            ),
            "lifecycle_state": Counted(_lifecycle(evidence, months), everything),
        }
    }


def _lifecycle(evidence: Evidence, months: set[date]) -> str:
    this_month = evidence.month_start
    if this_month not in months:
        return "dormant"
    if min(months) == this_month:
        return "new"
    month_before = (this_month - timedelta(days=1)).replace(day=1)
    return "returning" if month_before in months else "resurrected"


def _lapse_threshold(evidence: Evidence) -> float:
    limits, gaps = evidence.rules.thresholds, evidence.gaps
    if len(gaps) >= 2:
        return max(limits["lapse_floor_days"], limits["lapse_mean_gap_multiple"] * sum(gaps) / len(gaps))
    pooled = sorted(evidence.population_gaps.items())
    wanted = sum(count for _, count in pooled) * limits["lapse_population_quantile"]
    reached = 0
    for gap, count in pooled:
        reached += count
        # a share like 0.9 is no exact number
        if reached >= wanted - 1e-9:
            return max(limits["lapse_floor_days"], float(gap))
    return limits["lapse_floor_days"]


def proactiveness(evidence: Evidence) -> Rows:
    """Count section 2 of the definitions, prompts found anew among the touches."""
    found = prompts(evidence)
    by_rule = {
        rule: _ids(act for act in evidence.acts if found[act.interaction_id].rule == rule)
        for rule in ("no_prompt", "explicit", "window", "no_coverage")
    }
    own, explicit, windowed = by_rule["no_prompt"], by_rule["explicit"], by_rule["window"]
    unknown = by_rule["no_coverage"]
    known = _union(own, explicit, windowed)
    share = len(own) / len(known) if known else None
    lower, upper = _wilson(len(own), len(known), evidence.rules.thresholds["wilson_z"])
    received = tuple(touch.touch_id for touch in evidence.touches)
    lags: dict[str, float] = {}
    for prompt in found.values():
        if prompt.touch_id is not None and prompt.lag_seconds is not None:
            lags[prompt.touch_id] = min(prompt.lag_seconds, lags.get(prompt.touch_id, prompt.lag_seconds))
    answered = tuple(sorted(lags))
    answering = _ids(act for act in evidence.acts if found[act.interaction_id].touch_id is not None)
    saturation = _saturation(evidence)
    window_base = _union(windowed, own)
    windowed_share = len(windowed) / len(window_base) if window_base else None
    adjusted = (
        None
        if windowed_share is None or saturation == 1
        else (windowed_share - saturation) / (1 - saturation)
    )
    response_seconds = sum(lags.values())
    return {
        "": {
            "is_current": Counted(evidence.snapshot_date == evidence.as_of),
            "unprompted": Counted(len(own), own),
            "prompted": Counted(len(explicit) + len(windowed), _union(explicit, windowed), answered),
            "prompted_explicitly": Counted(len(explicit), explicit),
            "prompted_by_window": Counted(
                len(windowed),
                windowed,
                tuple(sorted({str(found[act].touch_id) for act in windowed})),
            ),
            "unknown": Counted(len(unknown), unknown),
            "proactive_share": Counted(share, known),
            "proactive_share_lower": Counted(lower, known),
            "proactive_share_upper": Counted(upper, known),
            "coverage": Counted(len(known) / len(evidence.acts), _ids(evidence.acts)),
            "strict_proactive_share": Counted(len(window_base) / len(known) if known else None, known),
            "touches_received": Counted(len(received), (), received),
            "touches_answered": Counted(len(answered), answering, answered),
            "response_rate": Counted(
                len(answered) / len(received) if received else None, answering, received
            ),
            "response_seconds": Counted(response_seconds, answering, answered),
            "mean_response_seconds": Counted(
                response_seconds / len(answered) if answered else None, answering, answered
            ),
            "is_low_sample": Counted(
                len(known) < evidence.rules.thresholds["low_sample_interactions"], known
            ),
            "saturation": Counted(saturation, (), received),
            "windowed_share": Counted(windowed_share, window_base),
            "adjusted_prompted_share": Counted(adjusted, window_base, received),
        }
    }


def _wilson(successes: int, trials: int, z: float) -> tuple[float | None, float | None]:
    """Return Wilson's bounds of a share (Wilson 1927); None without a trial."""
    if trials == 0:
        return None, None
    share = successes / trials
    centre = share + z * z / (2 * trials)
    spread = z * math.sqrt(share * (1 - share) / trials + z * z / (4 * trials * trials))
    return (centre - spread) / (1 + z * z / trials), (centre + spread) / (1 + z * z / trials)


def _saturation(evidence: Evidence) -> float:
    """Return the share of the tenure that lies in open prompt windows."""
    start = evidence.day_start(evidence.days[0])
    end = evidence.day_start(evidence.snapshot_date + timedelta(days=1))
    covered, reached = timedelta(), start
    for touch in sorted(evidence.touches, key=lambda one: one.touched_at):
        opens = max(touch.touched_at, reached)
        closes = min(touch.touched_at + evidence.rules.windows.get(touch.channel, timedelta()), end)
        if closes > opens:
            covered += closes - opens
            reached = closes
    return covered / (end - start)


def frequency(evidence: Evidence) -> Rows:
    """Count section 3 of the definitions."""
    days, gaps, limits = evidence.days, evidence.gaps, evidence.rules.thresholds
    everything = _ids(evidence.acts)
    n = len(gaps)
    mean = sum(gaps) / n if n else None
    deviation = math.sqrt(n * sum(gap * gap for gap in gaps) - sum(gaps) ** 2) / n if n else None
    cv = deviation / mean if mean and deviation is not None else None
    burstiness = adjusted = None
    if n >= 2 and cv is not None:
        burstiness = (cv - 1) / (cv + 1)
        adjusted = (math.sqrt(n + 1) * cv - math.sqrt(n - 1)) / (
            (math.sqrt(n + 1) - 2) * cv + math.sqrt(n - 1)
        )
    types = Counter(act.interaction_type for act in evidence.acts)
    shares = [count / types.total() for count in types.values()]
    entropy = max(-sum(share * math.log(share) for share in shares), 0.0)
    trailing = {
        span: [day for day in days if (evidence.snapshot_date - day).days < span] for span in _TRAILING_DAYS
    }
    often = len(trailing[90]) >= limits["frequent_active_days_90"]
    varied = math.exp(entropy) >= limits["varied_effective_types"]
    pattern = f"{'frequent' if often else 'sporadic'}_{'varied' if varied else 'similar'}"
    counted: dict[str, Value] = {
        "mean_gap_days": mean,
        "sd_gap_days": deviation,
        "cv_gap": cv,
        "burstiness": burstiness,
        "burstiness_adjusted": adjusted,
        "interactions": types.total(),
        "types": len(types),
        "n_ln_n": sum(count * math.log(count) for count in types.values()),
        "type_entropy": entropy,
        "effective_types": math.exp(entropy),
        "type_evenness": entropy / math.log(len(types)) if len(types) >= 2 else None,
        "pattern": pattern,
    }
    return {
        "": {
            "is_current": Counted(evidence.snapshot_date == evidence.as_of),
            **{column: Counted(value, everything) for column, value in counted.items()},
            **{
                f"active_days_{span}": Counted(
                    len(active), _ids(act for act in evidence.acts if act.occurred_on in set(active))
                )
                for span, active in trailing.items()
            },
        }
    }


def context(evidence: Evidence) -> Rows:
    """Count section 4 of the definitions, a row per context."""
    limits = evidence.rules.thresholds
    everything = _ids(evidence.acts)
    promotion = _ids(act for act in evidence.acts if act.in_promotion)
    share = len(promotion) / len(everything)
    is_only = share >= limits["promotion_only_share"] and (
        len(everything) >= limits["promotion_only_interactions"]
    )
    rows: Rows = {}
    for name in sorted({act.context for act in evidence.acts}):
        mine = [act for act in evidence.acts if act.context == name]
        promoted = _ids(act for act in mine if act.in_promotion)
        offline = _ids(act for act in mine if act.is_offline)
        rows[name] = {
            "is_current": Counted(evidence.snapshot_date == evidence.as_of),
            "interactions": Counted(len(mine), _ids(mine)),
            "share": Counted(len(mine) / len(everything), everything),
            "promotion_interactions": Counted(len(promoted), promoted),
            "offline_interactions": Counted(len(offline), offline),
            "promotion_share": Counted(share, everything),
            "is_promotion_only": Counted(is_only, everything),
        }
    return rows


def volume(evidence: Evidence) -> Rows:
    """Count section 5 of the definitions, a row per channel."""
    tenure = (evidence.snapshot_date - evidence.days[0]).days
    rated_days = max(tenure, evidence.rules.thresholds["rate_floor_days"])
    rows: Rows = {}
    for channel in sorted({act.channel for act in evidence.acts}):
        mine = [act for act in evidence.acts if act.channel == channel]
        ids = _ids(mine)
        month = [act for act in mine if act.occurred_on >= evidence.month_start]
        first = _ids(act for act in mine if act.visit_id == act.interaction_id)
        month_first = _ids(act for act in month if act.visit_id == act.interaction_id)
        weights = sum(evidence.rules.weights[act.interaction_type] for act in mine)
        rows[channel] = {
            "is_current": Counted(evidence.snapshot_date == evidence.as_of),
            "interactions": Counted(len(month), _ids(month)),
            "visits": Counted(len(month_first), month_first),
            "orders": orders(evidence, mine, evidence.month_start),
            "revenue": revenue(evidence, mine, evidence.month_start),
            "interactions_to_date": Counted(len(mine), ids),
            "visits_to_date": Counted(len(first), first),
            "weighted_interactions_to_date": Counted(weights, ids),
            "engaged_seconds_to_date": Counted(
                math.fsum(act.engaged_seconds or 0.0 for act in mine),
                _ids(act for act in mine if act.engaged_seconds is not None),
            ),
            "orders_to_date": orders(evidence, mine),
            "revenue_to_date": revenue(evidence, mine),
            "interactions_per_30_days": Counted(len(mine) * 30 / rated_days, ids),
        }
    return rows


def orders(evidence: Evidence, acts: Sequence[Act], since: date = date.min) -> Counted:
    """Count orders placed less orders cancelled, from a day to the snapshot date."""
    placed = [act for act in acts if act.interaction_type == "order"]
    if evidence.bookings is None:
        return Counted(None, _ids(placed), unknown=NO_BOOKINGS)
    return Counted(
        sum(
            (act.occurred_on >= since) - _is_taken_back(evidence, act.interaction_id, since) for act in placed
        ),
        _ids(placed),
    )


def revenue(evidence: Evidence, acts: Sequence[Act], since: date = date.min) -> Counted:
    """Add up what was booked less what was taken back, from a day to the snapshot date."""
    earning = [
        act for act in acts if act.interaction_id in (evidence.bookings or {}) or act.revenue is not None
    ]
    if evidence.bookings is None:
        return Counted(None, _ids(earning), unknown=NO_BOOKINGS)
    total = Decimal()
    for act in earning:
        booking = evidence.bookings.get(act.interaction_id)
        booked = booking.amount if booking is not None else act.revenue or Decimal()
        if act.occurred_on >= since:
            total += booked
        if _is_taken_back(evidence, act.interaction_id, since):
            total -= booked
    return Counted(total, _ids(earning))


def _is_taken_back(evidence: Evidence, interaction_id: str, since: date) -> bool:
    booking = (evidence.bookings or {}).get(interaction_id)
    return (
        booking is not None
        and booking.cancelled_on is not None
        and since <= booking.cancelled_on <= evidence.snapshot_date
    )


FACTS: Mapping[str, Callable[[Evidence], Rows]] = {
    "fct_engagement_longevity": longevity,
    "fct_engagement_proactiveness": proactiveness,
    "fct_engagement_frequency": frequency,
    "fct_engagement_context": context,
    "fct_engagement_volume": volume,
}


def agrees(published: Value, counted: Value) -> bool:
    """Whether a published number is the one that was counted.

    Whole numbers, texts and dates must be equal; of floating point the last digits depend on the order of
    adding; money is equal to the last published digit, a ten-thousandth.
    """
    if published is None or counted is None:
        return published is None and counted is None
    if isinstance(published, bool) or isinstance(counted, bool):
        return published is counted
    if isinstance(published, Decimal) and isinstance(counted, Decimal):
        return abs(published - counted) <= Decimal("0.0001")
    if isinstance(published, int | float | Decimal) and isinstance(counted, int | float | Decimal):
        if isinstance(published, int) and isinstance(counted, int):
            return published == counted
        return math.isclose(float(published), float(counted), rel_tol=1e-9, abs_tol=1e-9)
    return published == counted


def _ids(acts: Iterable[Act]) -> tuple[str, ...]:
    return tuple(act.interaction_id for act in acts)


def _union(*groups: Sequence[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(name for group in groups for name in group))


def _week(day: date) -> date:
    return day - timedelta(days=day.weekday())
