"""The five facts by their definitions (docs/measures.md), one customer and one snapshot at a time.

Written to be compared with the models and to be read: no running totals, no carried states, everything
counted anew from the acts. Statistics come from scipy and the standard library.
"""

import calendar
import csv
import math
import statistics
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from zoneinfo import ZoneInfo

from scipy import stats

SEEDS = Path(__file__).parents[2] / "seeds"
UTC = ZoneInfo("UTC")
Value = float | int | str | bool | date | None
Measures = dict[str, Value]


def _seed(name: str) -> list[dict[str, str]]:
    with (SEEDS / f"{name}.csv").open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


THRESHOLDS = {row["threshold"]: float(row["value"]) for row in _seed("thresholds")}
WINDOWS = {row["touch_channel"]: timedelta(days=float(row["window_days"])) for row in _seed("prompt_windows")}
TYPES = {row["interaction_type"]: row for row in _seed("interaction_types")}
CHANNELS = {row["channel"]: row for row in _seed("channels")}


@dataclass
class Act:
    """One interaction as the conformers tell it; times are naive UTC."""

    id: str
    customer: str
    channel: str
    type: str
    at: datetime
    explicit: bool = False
    campaign: str | None = None
    on_promotion: bool = False
    engaged_seconds: float | None = None
    amount: float | None = None
    cancelled_at: datetime | None = None
    # found by the reference
    visit: str = ""
    rule: str = ""
    touch: str | None = None
    lag: float | None = None
    context: str = ""
    in_promotion: bool = False

    @property
    def is_system(self) -> bool:
        return TYPES[self.type]["actor"] == "system"


@dataclass
class Touch:
    """One touch; times are naive UTC."""

    id: str
    customer: str
    channel: str
    at: datetime
    campaign: str | None = None

    @property
    def window_ends_at(self) -> datetime:
        return self.at + WINDOWS[self.channel]


@dataclass
class World:
    """Everything that is known, cut at the snapshot date."""

    acts: list[Act]
    touches: list[Touch]
    tickets: list[tuple[str, datetime, datetime | None]]
    promotions: list[tuple[str | None, datetime, datetime]]
    purposes: dict[str, str]
    as_of: date
    zone: ZoneInfo
    by_customer: dict[str, list[Act]] = field(default_factory=lambda: defaultdict(list))

    def day(self, at: datetime) -> date:
        return at.replace(tzinfo=UTC).astimezone(self.zone).date()

    def day_start(self, day: date) -> datetime:
        local = datetime(day.year, day.month, day.day, tzinfo=self.zone)
        return local.astimezone(UTC).replace(tzinfo=None)

    def resolve(self) -> None:
        """Cut at T, then find visit, prompt and context of every act."""
        end = self.day_start(self.as_of + timedelta(days=1))
        self.acts = [act for act in self.acts if act.at < end]
        for act in self.acts:
            if act.cancelled_at is not None and act.cancelled_at >= end:
                act.cancelled_at = None
        self.touches = [touch for touch in self.touches if touch.at < end]
        self.tickets = [
            (customer, created, solved if solved is not None and solved < end else None)
            for customer, created, solved in self.tickets
            if created < end
        ]
        for act in sorted(self.acts, key=lambda one: (one.at, one.id)):
            self.by_customer[act.customer].append(act)
        for acts in self.by_customer.values():
            self._visit(acts)
            for act in acts:
                self._prompt(act)
        for acts in self.by_customer.values():
            for act in acts:
                self._place(act)

    def _visit(self, acts: Sequence[Act]) -> None:
        previous: Act | None = None
        timeout = timedelta(minutes=THRESHOLDS["visit_timeout_minutes"])
        for act in acts:
            act.visit = act.id
            if CHANNELS[act.channel]["is_visit_tracked"] == "true" and not act.is_system:
                if previous is not None and act.at - previous.at < timeout:
                    act.visit = previous.visit
                previous = act

    def _prompt(self, act: Act) -> None:
        mine = [touch for touch in self.touches if touch.customer == act.customer and touch.at < act.at]
        opened = max(
            (touch for touch in mine if act.at <= touch.window_ends_at),
            key=lambda one: (one.at, one.id),
            default=None,
        )
        answered: Touch | None = None
        if act.is_system:
            act.rule = "system"
        elif act.explicit:
            act.rule = "explicit"
            same = [touch for touch in mine if touch.campaign == act.campaign]
            answered = max(same, key=lambda one: (one.at, one.id), default=None) if act.campaign else opened
        elif opened is not None:
            act.rule, answered = "window", opened
        elif any(touch.at <= act.at for touch in self.touches):
            act.rule = "no_prompt"
        else:
            act.rule = "no_coverage"
        if answered is not None:
            act.touch, act.lag = answered.id, (act.at - answered.at).total_seconds()
        if act.rule == "window" and act.campaign is None and answered is not None:
            act.campaign = answered.campaign

    def _place(self, act: Act) -> None:
        """Find context and promotion of an act, from what was known at its time."""
        orders = [
            other.at
            for other in self.by_customer[act.customer]
            if other.type == "order"
            and other.at < act.at
            # what is cancelled at the very instant of the act was still standing just before it
            and (
                other.cancelled_at is None
                or other.cancelled_at >= max(act.at, other.at + timedelta.resolution)
            )
        ]
        recovery = timedelta(days=THRESHOLDS["support_recovery_days"])
        in_recovery = any(
            customer == act.customer
            and created <= act.at
            and (solved is None or act.at < max(solved, created) + recovery)
            for customer, created, solved in self.tickets
        )
        day = self.day(act.at)
        earlier = [one for one in self.active_days(act.customer, day) if one < day]
        gap = (day - earlier[-1]).days if earlier else None
        month = day.replace(day=1)
        if in_recovery:
            act.context = "support_recovery"
        elif orders and act.at - max(orders) <= timedelta(days=THRESHOLDS["post_purchase_days"]):
            act.context = "post_purchase"
        elif not orders:
            act.context = "first_consideration"
        elif (
            gap is not None
            and not act.is_system
            and gap > self.lapse_threshold(earlier, month - timedelta(days=1))
        ):
            act.context = "reactivation"
        elif TYPES[act.type]["is_intent"] == "true":
            act.context = "repeat_consideration"
        else:
            act.context = "between_purchases"
        sales_channel = CHANNELS[act.channel]["sales_channel"]
        act.in_promotion = (
            act.on_promotion
            or self.purposes.get(act.campaign or "") == "promotional"
            or any(
                sales_channel and channel in (None, sales_channel) and starts <= act.at < ends
                for channel, starts, ends in self.promotions
            )
        )

    def active_days(self, customer: str, until: date) -> list[date]:
        """Return the active days up to and including a day, in order."""
        days = {self.day(act.at) for act in self.by_customer[customer] if not act.is_system}
        return sorted(day for day in days if day <= until)

    def lapse_threshold(self, days: Sequence[date], population_until: date) -> float:
        """Return the threshold (days) of a customer with these active days."""
        floor = THRESHOLDS["lapse_floor_days"]
        gaps = _gaps(days)
        if len(gaps) >= 2:
            return max(floor, THRESHOLDS["lapse_mean_gap_multiple"] * statistics.fmean(gaps))
        pooled = sorted(
            gap for other in self.by_customer for gap in _gaps(self.active_days(other, population_until))
        )
        if not pooled:
            return floor
        rank = math.ceil(len(pooled) * THRESHOLDS["lapse_population_quantile"] - 1e-12)
        return max(floor, pooled[rank - 1])

    def snapshots(self, customer: str) -> Iterator[date]:
        """Yield the snapshot dates at which the customer has rows."""
        days = self.active_days(customer, self.as_of)
        if not days:
            return
        month = days[0].replace(day=1)
        while month <= self.as_of:
            snapshot = min(_month_end(month), self.as_of)
            last = self.active_days(customer, snapshot)[-1]
            if snapshot <= _add_months(last, int(THRESHOLDS["inactive_months"])):
                yield snapshot
            month = _month_end(month) + timedelta(days=1)

    def acts_until(self, customer: str, snapshot: date) -> list[Act]:
        return [
            act for act in self.by_customer[customer] if not act.is_system and self.day(act.at) <= snapshot
        ]


def longevity(world: World, customer: str, snapshot: date) -> Measures:
    days = world.active_days(customer, snapshot)
    gaps = _gaps(days)
    threshold = world.lapse_threshold(days, snapshot)
    weeks = {day - timedelta(days=day.weekday()) for day in days}
    months = {day.replace(day=1) for day in days}
    first_week = days[0] - timedelta(days=days[0].weekday())
    last_week = snapshot - timedelta(days=snapshot.weekday())
    this_month = snapshot.replace(day=1)
    month_before = (this_month - timedelta(days=1)).replace(day=1)
    if this_month not in months:
        state = "dormant"
    elif days[0] >= this_month:
        state = "new"
    else:
        state = "returning" if month_before in months else "resurrected"
    recency = (snapshot - days[-1]).days
    return {
        "first_active_on": days[0],
        "last_active_on": days[-1],
        "span_days": (days[-1] - days[0]).days,
        "tenure_days": (snapshot - days[0]).days,
        "recency_days": recency,
        "active_days": len(days),
        "active_weeks": len(weeks),
        "active_months": len(months),
        "active_week_ratio": len(weeks) / ((last_week - first_week).days // 7 + 1),
        "longest_gap_days": max(gaps, default=None),
        "lapse_threshold_days": threshold,
        "lapses": sum(gap > threshold for gap in gaps),
        "is_lapsed": recency > threshold,
        "is_left_truncated": (days[0] - _history_start(world, customer, days[0])).days
        < THRESHOLDS["left_truncation_days"],
        "lifecycle_state": state,
    }


def _history_start(world: World, customer: str, first_day: date) -> date:
    """Return when the source of the first act begins (of several sources, the first by name)."""
    sources = {
        act.id.split(":")[0]
        for act in world.by_customer[customer]
        if world.day(act.at) == first_day and not act.is_system
    }
    return min(world.day(act.at) for act in world.acts if act.id.startswith(f"{min(sources)}:"))


def proactiveness(world: World, customer: str, snapshot: date) -> Measures:
    acts = world.acts_until(customer, snapshot)
    rules = Counter(act.rule for act in acts)
    unprompted, explicit, windowed = rules["no_prompt"], rules["explicit"], rules["window"]
    known = unprompted + explicit + windowed
    received = [
        touch for touch in world.touches if touch.customer == customer and world.day(touch.at) <= snapshot
    ]
    answers: dict[str, list[Act]] = defaultdict(list)
    for act in world.by_customer[customer]:
        if act.touch is not None:
            answers[act.touch].append(act)
    first_lags = [
        min(act.lag or 0.0 for act in given)
        for given in answers.values()
        if world.day(min(act.at for act in given)) <= snapshot
    ]
    interval = stats.binomtest(unprompted, known).proportion_ci(method="wilson") if known else None
    saturation = _saturation(world, customer, snapshot)
    windowed_share = windowed / (windowed + unprompted) if windowed + unprompted else None
    return {
        "unprompted": unprompted,
        "prompted": explicit + windowed,
        "unknown": rules["no_coverage"],
        "proactive_share": unprompted / known if known else None,
        "proactive_share_lower": interval.low if interval else None,
        "proactive_share_upper": interval.high if interval else None,
        "coverage": known / len(acts),
        "strict_proactive_share": (unprompted + windowed) / known if known else None,
        "touches_received": len(received),
        "touches_answered": len(first_lags),
        "response_rate": len(first_lags) / len(received) if received else None,
        "mean_response_seconds": statistics.fmean(first_lags) if first_lags else None,
        "is_low_sample": known < THRESHOLDS["low_sample_interactions"],
        "saturation": saturation,
        "windowed_share": windowed_share,
        "adjusted_prompted_share": None
        if windowed_share is None or saturation == 1
        else (windowed_share - saturation) / (1 - saturation),
    }


def _saturation(world: World, customer: str, snapshot: date) -> float:
    start = world.day_start(world.active_days(customer, snapshot)[0])
    end = world.day_start(snapshot + timedelta(days=1))
    covered, reached = timedelta(), start
    for touch in sorted((one for one in world.touches if one.customer == customer), key=lambda one: one.at):
        opens, closes = max(touch.at, reached), min(touch.window_ends_at, end)
        if closes > opens:
            covered += closes - opens
            reached = closes
    return covered / (end - start)


def frequency(world: World, customer: str, snapshot: date) -> Measures:
    days = world.active_days(customer, snapshot)
    gaps = _gaps(days)
    mean = statistics.fmean(gaps) if gaps else None
    sd = statistics.pstdev(gaps) if gaps else None
    cv = sd / mean if mean and sd is not None else None
    n = len(gaps)
    burstiness = adjusted = None
    if n >= 2 and cv is not None:
        burstiness = (cv - 1) / (cv + 1)
        adjusted = (math.sqrt(n + 1) * cv - math.sqrt(n - 1)) / (
            (math.sqrt(n + 1) - 2) * cv + math.sqrt(n - 1)
        )
    types = Counter(act.type for act in world.acts_until(customer, snapshot))
    entropy = float(stats.entropy(list(types.values())))
    trailing = {span: sum((snapshot - day).days < span for day in days) for span in (7, 28, 90)}
    often = trailing[90] >= THRESHOLDS["frequent_active_days_90"]
    varied = math.exp(entropy) >= THRESHOLDS["varied_effective_types"]
    return {
        "mean_gap_days": mean,
        "sd_gap_days": sd,
        "cv_gap": cv,
        "burstiness": burstiness,
        "burstiness_adjusted": adjusted,
        "active_days_7": trailing[7],
        "active_days_28": trailing[28],
        "active_days_90": trailing[90],
        "interactions": types.total(),
        "types": len(types),
        "type_entropy": entropy,
        "effective_types": math.exp(entropy),
        "type_evenness": entropy / math.log(len(types)) if len(types) >= 2 else None,
        "pattern": f"{'frequent' if often else 'sporadic'}_{'varied' if varied else 'similar'}",
    }


def contexts(world: World, customer: str, snapshot: date) -> dict[str, Measures]:
    acts = world.acts_until(customer, snapshot)
    in_promotion = sum(act.in_promotion for act in acts)
    return {
        context: {
            "interactions": count,
            "share": count / len(acts),
            "promotion_interactions": sum(act.in_promotion for act in acts if act.context == context),
            "offline_interactions": sum(
                CHANNELS[act.channel]["is_offline"] == "true" for act in acts if act.context == context
            ),
            "promotion_share": in_promotion / len(acts),
            "is_promotion_only": in_promotion / len(acts) >= THRESHOLDS["promotion_only_share"]
            and len(acts) >= THRESHOLDS["promotion_only_interactions"],
        }
        for context, count in Counter(act.context for act in acts).items()
    }


def volumes(world: World, customer: str, snapshot: date) -> dict[str, Measures]:
    acts = world.acts_until(customer, snapshot)
    tenure = (snapshot - world.active_days(customer, snapshot)[0]).days
    found: dict[str, Measures] = {}
    for channel in {act.channel for act in acts}:
        mine = [act for act in acts if act.channel == channel]
        standing = [
            act
            for act in mine
            if act.cancelled_at is None or world.day(max(act.cancelled_at, act.at)) > snapshot
        ]
        found[channel] = {
            "interactions": sum(world.day(act.at) >= snapshot.replace(day=1) for act in mine),
            "interactions_to_date": len(mine),
            "visits_to_date": sum(act.visit == act.id for act in mine),
            "weighted_interactions_to_date": sum(float(TYPES[act.type]["weight"]) for act in mine),
            "engaged_seconds_to_date": sum(act.engaged_seconds or 0.0 for act in mine),
            "orders_to_date": sum(act.type == "order" for act in standing),
            "revenue_to_date": round(sum(act.amount or 0.0 for act in standing), 4),
            "interactions_per_30_days": len(mine) * 30 / max(tenure, THRESHOLDS["rate_floor_days"]),
        }
    return found


def _gaps(days: Sequence[date]) -> list[int]:
    return [(later - earlier).days for earlier, later in pairwise(days)]


def _month_end(day: date) -> date:
    return day.replace(day=calendar.monthrange(day.year, day.month)[1])


def _add_months(day: date, months: int) -> date:
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    return date(year, month + 1, min(day.day, calendar.monthrange(year, month + 1)[1]))
