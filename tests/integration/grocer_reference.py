"""The five measures of the grocer's households, computed a second time and in another way.

Straight from the package's files with pandas, one household after the other, with NumPy and SciPy for what
they know (Wilson's interval, entropy, variation) and plain loops for the rules. Nothing here is shared with
the loader or the models; windows and thresholds are written out, as the definitions give them.
"""

import bisect
from collections import Counter
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

TIME_ZONE = "America/New_York"
DAY = 86_400.0
WINDOW = 14 * DAY


@dataclass(frozen=True)
class Act:
    """One interaction: seconds since 1970 (UTC), local day, type, cents and the campaign on its record."""

    at: float
    on: date
    type: str
    cents: int
    campaign: int | None
    key: str


@dataclass(frozen=True)
class Grocer:
    """Acts and mailings (moment, campaign) of every household, each in order of time."""

    acts: dict[int, list[Act]]
    mailings: dict[int, list[tuple[float, int]]]


def _seconds(moments: pd.Series) -> pd.Series:
    """Seconds since 1970 of moments with a time zone."""
    return (moments - pd.Timestamp(0, tz="UTC")).dt.total_seconds()


def read(data: Path) -> Grocer:
    """Read the package's files."""
    lines = pd.read_parquet(
        data / "transactions.parquet",
        columns=["household_id", "basket_id", "sales_value", "transaction_timestamp"],
    )
    lines["cents"] = (lines["sales_value"] * 100).round().astype("int64")
    baskets = lines.groupby("basket_id", as_index=False).agg(
        household_id=("household_id", "first"),
        moment=("transaction_timestamp", "first"),
        cents=("cents", "sum"),
    )
    moments = baskets["moment"].dt.tz_localize("UTC")
    baskets["at"] = _seconds(moments)
    baskets["on"] = moments.dt.tz_convert(TIME_ZONE).dt.date

    redemptions = pd.read_parquet(data / "coupon_redemptions.parquet")
    redemptions["at"] = _seconds(redemptions["redemption_date"].dt.tz_localize(TIME_ZONE))
    redemptions["on"] = redemptions["redemption_date"].dt.date
    campaigns_of_day: dict[tuple[int, date], set[int]] = {}
    for row in redemptions.itertuples():
        campaigns_of_day.setdefault((row.household_id, row.on), set()).add(row.campaign_id)
    baskets_of_day = Counter(zip(baskets["household_id"], baskets["on"], strict=True))

    acts: dict[int, list[Act]] = {}
    for row in baskets.itertuples():
        day = (row.household_id, row.on)
        # A redemption names its basket where the household had only one that day.
        campaigns = campaigns_of_day.get(day) if baskets_of_day[day] == 1 else None
        campaign = min(campaigns, key=str) if campaigns else None
        act = Act(row.at, row.on, "order", row.cents, campaign, str(row.basket_id))
        acts.setdefault(row.household_id, []).append(act)
    for row in redemptions.itertuples():
        act = Act(row.at, row.on, "coupon_redemption", 0, row.campaign_id, "")
        acts.setdefault(row.household_id, []).append(act)

    sent = pd.read_parquet(data / "campaigns.parquet").merge(
        pd.read_parquet(data / "campaign_descriptions.parquet"), on="campaign_id"
    )
    sent["at"] = _seconds(sent["start_date"].dt.tz_localize(TIME_ZONE))
    mailings: dict[int, list[tuple[float, int]]] = {household: [] for household in acts}
    for row in sent.itertuples():
        mailings[row.household_id].append((row.at, row.campaign_id))
    for household in acts:
        acts[household].sort(key=lambda act: act.at)
        mailings[household].sort()
    return Grocer(acts, mailings)


def _start_of(day: date) -> float:
    """Seconds since 1970 at which a local day starts."""
    return pd.Timestamp(day, tz=TIME_ZONE).timestamp()


def _month(day: date) -> date:
    return day.replace(day=1)


def _monday(day: date) -> date:
    return day - timedelta(days=day.weekday())


def _population_gap(grocer: Grocer, known_through: date) -> float:
    """Smallest gap that at least 90 % of the gaps which ended by a day do not exceed; 0 without gaps."""
    gaps: list[int] = []
    for acts in grocer.acts.values():
        days = sorted({act.on for act in acts if act.on <= known_through})
        gaps += [(later - earlier).days for earlier, later in pairwise(days)]
    return float(np.quantile(gaps, 0.9, method="inverted_cdf")) if gaps else 0.0


def measure(grocer: Grocer, through: date) -> dict[str, pd.DataFrame]:
    """Everything that is known at the end of a local day.

    Returns:
        Frames `longevity`, `frequency`, `proactiveness` (by household), `context` (by household and context),
        `volume` (by household and channel) and `orders` (prompt and context of every order, by its id).
    """
    end = _start_of(through + timedelta(days=1))
    months = pd.date_range("2016-12-31", through, freq="ME").date
    population_gap = {
        _month(month_end + timedelta(days=1)): _population_gap(grocer, month_end) for month_end in months
    }
    population_gap_now = _population_gap(grocer, through)
    rows: dict[str, list[dict[str, Any]]] = {
        name: [] for name in ("longevity", "frequency", "proactiveness", "context", "volume", "orders")
    }
    for household, all_acts in sorted(grocer.acts.items()):
        acts = [act for act in all_acts if act.at < end]
        if not acts:
            continue
        mailings = [mailing for mailing in grocer.mailings[household] if mailing[0] < end]
        days = sorted({act.on for act in acts})
        gaps = np.diff([day.toordinal() for day in days])
        own = {"household": household}

        rows["longevity"].append(own | _longevity(days, gaps, through, population_gap_now))
        rows["frequency"].append(own | _frequency(acts, days, gaps, through))
        prompts = [_prompt(act, mailings) for act in acts]
        rows["proactiveness"].append(own | _proactiveness(acts, prompts, mailings, days[0], end))
        ordered = [act.at for act in acts if act.type == "order"]
        contexts = [_context(act, ordered, days, population_gap) for act in acts]
        # Every campaign here is promotional: whatever a mailing prompted happened under a promotion.
        in_promotion = [prompt[0] != "no_prompt" for prompt in prompts]
        for context in set(contexts):
            chosen = [number for number, found in enumerate(contexts) if found == context]
            rows["context"].append(
                own
                | {
                    "context": context,
                    "interactions": len(chosen),
                    "share": len(chosen) / len(acts),
                    "promotion_interactions": sum(in_promotion[number] for number in chosen),
                    "offline_interactions": sum(acts[number].type == "order" for number in chosen),
                    "promotion_share": sum(in_promotion) / len(acts),
                    "is_promotion_only": sum(in_promotion) / len(acts) >= 0.8 and len(acts) >= 3,
                }
            )
        for channel, kind in (("store", "order"), ("coupons", "coupon_redemption")):
            chosen_acts = [act for act in acts if act.type == kind]
            if chosen_acts:
                in_month = [act for act in chosen_acts if _month(act.on) == _month(through)]
                rows["volume"].append(
                    own
                    | {
                        "channel": channel,
                        "interactions": len(in_month),
                        "visits": len(in_month),
                        "interactions_to_date": len(chosen_acts),
                        "visits_to_date": len(chosen_acts),
                        "weighted_interactions_to_date": {"order": 10, "coupon_redemption": 3}[kind]
                        * len(chosen_acts),
                        "orders_to_date": len(chosen_acts) if kind == "order" else 0,
                        "revenue_to_date": sum(act.cents for act in chosen_acts) / 100,
                        "interactions_per_30_days": 30 * len(chosen_acts) / max((through - days[0]).days, 30),
                    }
                )
        rows["orders"] += [
            {
                "order_id": act.key,
                "prompt_rule": prompt[0],
                "prompt_lag_seconds": prompt[1],
                "context": context,
            }
            for act, prompt, context in zip(acts, prompts, contexts, strict=True)
            if act.type == "order"
        ]
    return {name: pd.DataFrame(found) for name, found in rows.items()}


def _longevity(days: list[date], gaps: np.ndarray, through: date, population_gap: float) -> dict[str, Any]:
    own_threshold = 3 * gaps.mean() if len(gaps) >= 2 else population_gap
    threshold = max(30.0, own_threshold)
    months = {_month(day) for day in days}
    this_month = _month(through)
    active_now, active_before = this_month in months, _month(this_month - timedelta(days=1)) in months
    weeks = {_monday(day) for day in days}
    if not active_now:
        state = "dormant"
    elif _month(days[0]) == this_month:
        state = "new"
    else:
        state = "returning" if active_before else "resurrected"
    return {
        "first_active_on": days[0],
        "last_active_on": days[-1],
        "span_days": (days[-1] - days[0]).days,
        "tenure_days": (through - days[0]).days,
        "recency_days": (through - days[-1]).days,
        "active_days": len(days),
        "active_weeks": len(weeks),
        "active_months": len(months),
        "active_week_ratio": len(weeks) / ((_monday(through) - _monday(days[0])).days / 7 + 1),
        "longest_gap_days": gaps.max() if len(gaps) else None,
        "lapse_threshold_days": threshold,
        "lapses": int((gaps > threshold).sum()),
        "is_lapsed": (through - days[-1]).days > threshold,
        "is_left_truncated": (days[0] - date(2017, 1, 1)).days < 30,
        "lifecycle_state": state,
    }


def _frequency(acts: list[Act], days: list[date], gaps: np.ndarray, through: date) -> dict[str, Any]:
    counts = list(Counter(act.type for act in acts).values())
    entropy = float(stats.entropy(counts))
    variation = float(stats.variation(gaps)) if len(gaps) else np.nan
    burstiness = adjusted = None
    if len(gaps) >= 2:
        root, lower_root = np.sqrt(len(gaps) + 1), np.sqrt(len(gaps) - 1)
        burstiness = (variation - 1) / (variation + 1)
        adjusted = (root * variation - lower_root) / ((root - 2) * variation + lower_root)
    recent = {window: sum((through - day).days < window for day in days) for window in (7, 28, 90)}
    pace = "frequent" if recent[90] >= 6 else "sporadic"
    return {
        "mean_gap_days": gaps.mean() if len(gaps) else None,
        "sd_gap_days": gaps.std() if len(gaps) else None,
        "cv_gap": variation,
        "burstiness": burstiness,
        "burstiness_adjusted": adjusted,
        "active_days_7": recent[7],
        "active_days_28": recent[28],
        "active_days_90": recent[90],
        "interactions": len(acts),
        "types": len(counts),
        "type_entropy": entropy,
        "effective_types": np.exp(entropy),
        "type_evenness": entropy / np.log(len(counts)) if len(counts) > 1 else None,
        "pattern": f"{pace}_{'varied' if np.exp(entropy) >= 2.5 else 'similar'}",
    }


def _prompt(
    act: Act, mailings: list[tuple[float, int]]
) -> tuple[str, float | None, tuple[float, int] | None]:
    """Rule, seconds since the mailing that prompted the act, and that mailing.

    Mailings started in November 2016, so that the feed covers every act: what nothing prompted is unprompted.
    """
    earlier = [mailing for mailing in mailings if mailing[0] < act.at]
    if act.campaign is not None:
        answered = [mailing for mailing in earlier if mailing[1] == act.campaign]
        return ("explicit", act.at - answered[-1][0], answered[-1]) if answered else ("explicit", None, None)
    if earlier and act.at - earlier[-1][0] <= WINDOW:
        # Of several mailings at one moment any may be the latest; they differ in nothing that is measured.
        return "window", act.at - earlier[-1][0], earlier[-1]
    return "no_prompt", None, None


def _proactiveness(
    acts: list[Act],
    prompts: list[tuple[str, float | None, tuple[float, int] | None]],
    mailings: list[tuple[float, int]],
    first_day: date,
    end: float,
) -> dict[str, Any]:
    rules = Counter(prompt[0] for prompt in prompts)
    unprompted, prompted = rules["no_prompt"], rules["explicit"] + rules["window"]
    interval = stats.binomtest(unprompted, len(acts)).proportion_ci(0.95, method="wilson")
    lags: dict[tuple[float, int], float] = {}
    for _, lag, mailing in prompts:
        if mailing is not None and lag is not None:
            lags[mailing] = min(lag, lags.get(mailing, lag))
    open_windows = [(max(sent, _start_of(first_day)), min(sent + WINDOW, end)) for sent, _ in mailings]
    covered, covered_until = 0.0, -np.inf
    for opened, closed in sorted(open_windows):
        if closed > max(opened, covered_until):
            covered += closed - max(opened, covered_until)
            covered_until = closed
    saturation = covered / (end - _start_of(first_day))
    loose = unprompted + rules["window"]
    windowed = rules["window"] / loose if loose else None
    return {
        "unprompted": unprompted,
        "prompted": prompted,
        "unknown": 0,
        "proactive_share": unprompted / len(acts),
        "proactive_share_lower": interval.low,
        "proactive_share_upper": interval.high,
        "coverage": 1.0,
        "strict_proactive_share": loose / len(acts),
        "touches_received": len(mailings),
        "touches_answered": len(lags),
        "response_rate": len(lags) / len(mailings) if mailings else None,
        "mean_response_seconds": np.mean(list(lags.values())) if lags else None,
        "is_low_sample": len(acts) < 5,
        "saturation": saturation,
        "windowed_share": windowed,
        "adjusted_prompted_share": (windowed - saturation) / (1 - saturation)
        if windowed is not None and saturation < 1
        else None,
    }


def _context(act: Act, ordered: list[float], days: list[date], population_gap: dict[date, float]) -> str:
    """The stage that held just before an act; this grocer has no tickets and no intent events."""
    orders_before = bisect.bisect_left(ordered, act.at)
    if not orders_before:
        return "first_consideration"
    if act.at - ordered[orders_before - 1] <= 30 * DAY:
        return "post_purchase"
    number = days.index(act.on)
    gaps_before = np.diff([day.toordinal() for day in days[:number]])
    usual = 3 * gaps_before.mean() if len(gaps_before) >= 2 else population_gap[_month(act.on)]
    gap = (act.on - days[number - 1]).days if number else 0
    return "reactivation" if gap > max(30.0, usual) else "between_purchases"
