"""Channel days and survey scores by their definitions (docs/measures.md), with pandas and plain loops.

Written to be compared with the models and to be read: from single rows (interactions, touches, staged
tables), without the additive tables, carried states and running sums that the models build on.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from datetime import date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd

Frame = Callable[[str], pd.DataFrame]
Cells = dict[tuple[str, date], float]

_UTC = ZoneInfo("UTC")
_TRACKED = ("web", "app")
_SUBSCRIBED = ("email", "sms", "push", "direct_mail")
_PAGE_VIEWS = ("page_view", "product_view", "pricing_view")
_DEPARTURES = ("social_unfollow",)


class Clock:
    """Business days and hours: Monday to Friday from 9 to 17, but for New Year's Day and Christmas."""

    def __init__(self, as_of: date, zone: str) -> None:
        self.as_of = as_of
        self.zone = ZoneInfo(zone)

    def day(self, at: datetime) -> date:
        """Business day of a naive UTC instant."""
        return at.replace(tzinfo=_UTC).astimezone(self.zone).date()

    def is_known(self, at: Any) -> bool:
        """Whether an instant is one, and not after T."""
        return not pd.isna(at) and self.day(at) <= self.as_of

    def open_seconds(self, start: datetime, end: datetime) -> float:
        """Seconds between two instants in which the house is open."""
        seconds, day = 0.0, self.day(start)
        while day <= self.day(end):
            if day.isoweekday() <= 5 and (day.month, day.day) not in ((1, 1), (12, 25)):
                opens, closes = (
                    datetime.combine(day, time(hour), self.zone).astimezone(_UTC).replace(tzinfo=None)
                    for hour in (9, 17)
                )
                seconds += max(0.0, (min(end, closes) - max(start, opens)).total_seconds())
            day += timedelta(days=1)
        return seconds


def channel_days(frame: Frame, clock: Clock) -> dict[str, Cells]:
    """Every additive measure of fct_channel_days that is not nought, by channel and day.

    Args:
        frame: Runs a query over the build files.
        clock: Snapshot date and time zone.
    """
    found: dict[str, Cells] = defaultdict(lambda: defaultdict(float))

    def add(measure: str, channel: str, day: date, amount: float = 1) -> None:
        found[measure][channel, day] += amount

    acts = frame("select * from engagement.marts.fct_interactions where prompt_status <> 'system'")
    touches = frame("select * from engagement.marts.fct_touches")
    _count_acts(acts, clock, add)
    _count_visits(acts, clock, add)
    _count_carts(acts, clock, add)
    _count_touches(touches, acts, clock, add)
    _count_messages(frame, clock, add)
    _count_tickets(frame, clock, add)
    _count_feedback(frame, clock, add)
    _count_followers(frame, clock, acts, add)
    return {
        measure: {key: value for key, value in cells.items() if value} for measure, cells in found.items()
    }


def _count_acts(acts: pd.DataFrame, clock: Clock, add: Callable[..., None]) -> None:
    types = {
        "message_open": "opens",
        "message_click": "clicks",
        "message_reply": "replies",
        "unsubscribe": "unsubscribes",
        "spam_complaint": "spam_complaints",
        "order": "placed_orders",
        "order_return": "returns",
    }
    for act in acts.itertuples():
        day = clock.day(act.occurred_at)
        add("interactions", act.channel, day)
        if act.prompt_status in ("prompted", "unprompted"):
            add(f"{act.prompt_status}_interactions", act.channel, day)
        add("promotion_interactions", act.channel, day, int(act.in_promotion))
        add("weighted_interactions", act.channel, day, act.weight)
        add("engaged_seconds", act.channel, day, 0 if pd.isna(act.engaged_seconds) else act.engaged_seconds)
        if act.interaction_type in types:
            add(types[act.interaction_type], act.channel, day)
        if act.channel == "social" and act.interaction_type not in _DEPARTURES:
            add("social_interactions", "social", day)


def _count_visits(acts: pd.DataFrame, clock: Clock, add: Callable[..., None]) -> None:
    for _, mine in acts.groupby("customer_id"):
        visits: list[list[Any]] = []
        last = None
        for act in mine.sort_values(["occurred_at", "interaction_id"]).itertuples():
            if act.channel not in _TRACKED or act.is_date_only:
                visits.append([act])
            elif last is not None and act.occurred_at - last[-1].occurred_at < timedelta(minutes=30):
                last.append(act)
            else:
                last = [act]
                visits.append(last)
        seen: set[str] = set()
        for visit in sorted(visits, key=lambda one: one[0].occurred_at):
            channel, day = visit[0].channel, clock.day(visit[0].occurred_at)
            add("visits", channel, day)
            if channel in seen:
                add("repeat_visits", channel, day)
            seen.add(channel)
            if channel not in _TRACKED:
                continue
            pages = sum(act.interaction_type in _PAGE_VIEWS for act in visit)
            seconds = sum(act.engaged_seconds for act in visit if not pd.isna(act.engaged_seconds))
            add("tracked_visits", channel, day)
            add("bounces", channel, day, int(pages == 1 and seconds < 10))
            add("page_views", channel, day, pages)
            add("visit_seconds", channel, day, seconds)
            add("converted_visits", channel, day, int(any(act.interaction_type == "order" for act in visit)))


def _count_carts(acts: pd.DataFrame, clock: Clock, add: Callable[..., None]) -> None:
    patience = timedelta(hours=24)
    for _, mine in acts[acts.interaction_type.isin(("add_to_cart", "order"))].groupby("customer_id"):
        put_in = mine[mine.interaction_type == "add_to_cart"]
        ordered_at = sorted(mine[mine.interaction_type == "order"].occurred_at)
        for product in put_in.itertuples():
            at = product.occurred_at
            order = next((one for one in ordered_at if at <= one <= at + patience), None)
            until = at + patience if order is None else order
            if ((put_in.occurred_at > at) & (put_in.occurred_at <= until)).any():
                continue  # another product came before the order or the end: it is the last one
            if order is not None or clock.is_known(at + patience):
                add("carts", product.channel, clock.day(at))
                add("abandoned_carts", product.channel, clock.day(at), int(order is None))


def _count_touches(touches: pd.DataFrame, acts: pd.DataFrame, clock: Clock, add: Callable[..., None]) -> None:
    first_answers = acts.groupby("prompt_touch_id").prompt_lag_seconds.min()
    for touch in touches.itertuples():
        day = clock.day(touch.touched_at)
        add("touches", touch.channel, day)
        if touch.touch_id in first_answers.index:
            add("answered_touches", touch.channel, day)
            add("response_seconds", touch.channel, day, first_answers[touch.touch_id])
    grace = timedelta(days=10)
    left = acts[acts.interaction_type.isin(("unsubscribe", "spam_complaint"))]
    wanted = touches[touches.channel.isin(_SUBSCRIBED) & (touches.purpose != "transactional")]
    events: dict[tuple[str, str], list[tuple[datetime, int]]] = defaultdict(list)
    for touch in wanted.itertuples():
        events[touch.customer_id, touch.channel].append((touch.touched_at, 0))
    for act in left[left.channel.isin(_SUBSCRIBED)].itertuples():
        events[act.customer_id, act.channel].append((act.occurred_at, 1))
    for (_, channel), signs in events.items():
        subscribed, left_at = False, None
        for at, is_leaving in sorted(signs):
            if is_leaving:
                if subscribed:
                    add("lost_subscribers", channel, clock.day(at))
                subscribed, left_at = False, at
            elif not subscribed and (left_at is None or at - left_at >= grace):
                add("new_subscribers", channel, clock.day(at))
                subscribed = True


def _count_messages(frame: Frame, clock: Clock, add: Callable[..., None]) -> None:
    names = {"sent": "sends", "delivered": "deliveries", "bounced": "failed_sends"}
    for event in frame("select * from staging.staging.stg_messages__events").itertuples():
        if clock.is_known(event.occurred_at):
            if event.event_name in names:
                add(names[event.event_name], event.message_channel, clock.day(event.occurred_at))
            elif event.event_name == "opened" and event.is_machine is True:
                add("machine_opens", event.message_channel, clock.day(event.occurred_at))


def _count_tickets(frame: Frame, clock: Clock, add: Callable[..., None]) -> None:
    answers: dict[str, list[datetime]] = defaultdict(list)
    for message in frame("select * from staging.staging.stg_support__messages").itertuples():
        is_answer = message.author_role == "agent" and message.is_public is not False
        if is_answer and clock.is_known(message.sent_at):
            answers[message.ticket_id].append(message.sent_at)
    for ticket in frame("select * from staging.staging.stg_support__tickets").itertuples():
        created = ticket.created_at
        if ticket.created_by in ("agent", "system") or not clock.is_known(created):
            continue
        add("tickets", "support", clock.day(created))
        add("complaints", "support", clock.day(created), int(ticket.ticket_type == "complaint"))
        ends = {
            "first_response": min(answers[ticket.ticket_id], default=None),
            "resolution": ticket.solved_at,
        }
        for kind, end in ends.items():
            if not clock.is_known(end):
                continue
            end = max(end, created)
            add(f"{kind}s", "support", clock.day(end))
            add(f"{kind}_seconds", "support", clock.day(end), (end - created).total_seconds())
            add(f"{kind}_business_seconds", "support", clock.day(end), clock.open_seconds(created, end))


def _count_feedback(frame: Frame, clock: Clock, add: Callable[..., None]) -> None:
    for review in frame("select * from staging.staging.stg_reviews__reviews").itertuples():
        if clock.is_known(review.created_at):
            day = clock.day(review.created_at)
            rating = review.rating / (5 if pd.isna(review.rating_max) else review.rating_max)
            add("reviews", "reviews", day)
            add("rating_sum", "reviews", day, rating)
            add("positive_reviews", "reviews", day, int(rating >= 0.8))
            add("negative_reviews", "reviews", day, int(rating <= 0.4))
    for event in frame("select * from staging.staging.stg_loyalty__events").itertuples():
        if clock.is_known(event.occurred_at):
            day = clock.day(event.occurred_at)
            if event.event_name in ("enrolled", "left"):
                add({"enrolled": "enrolments", "left": "exits"}[event.event_name], "loyalty", day)
            elif event.event_name.startswith("points") and not pd.isna(event.points):
                add(event.event_name, "loyalty", day, event.points)
    for stay in frame("select * from staging.staging.stg_stores__visits").itertuples():
        if clock.is_known(stay.left_at) and stay.left_at >= stay.entered_at:
            day = clock.day(stay.entered_at)
            add("stays", "store", day)
            add("stay_seconds", "store", day, (stay.left_at - stay.entered_at).total_seconds())
    for post in frame("select * from staging.staging.stg_social__events").itertuples():
        if post.is_brand_author is True and post.event_name == "post" and clock.is_known(post.occurred_at):
            add("brand_posts", "social", clock.day(post.occurred_at))


def _count_followers(frame: Frame, clock: Clock, acts: pd.DataFrame, add: Callable[..., None]) -> None:
    counts = frame("select * from staging.staging.stg_social__account_days")
    counted_on = pd.to_datetime(counts.observed_on)
    first = counted_on.min()
    for day in pd.date_range(first, pd.Timestamp(clock.as_of)):
        known = counts[counted_on <= day].sort_values("observed_on")
        add(
            "followers", "social", day.date(), known.groupby(["network", "account_id"]).followers.last().sum()
        )
    social = acts[(acts.channel == "social") & ~acts.interaction_type.isin(_DEPARTURES)]
    for at in social.occurred_at:
        if pd.Timestamp(clock.day(at)) >= first:
            add("followed_interactions", "social", clock.day(at))


def survey_scores(frame: Frame, clock: Clock) -> dict[tuple[Any, ...], Mapping[str, float]]:
    """Scores of every survey, month, quarter, year, channel and tier with a response that counts."""
    scales = {"nps": (0, 10), "csat": (1, 5), "ces": (1, 7), "other": (0, 10)}
    tiers = frame("select customer_id, tier from engagement.marts.customer_engagement")
    tier_of = dict(zip(tiers.customer_id, tiers.tier, strict=True))
    invitations = frame("select * from engagement.marts.fct_touches where purpose = 'survey'")
    owners = frame(
        "select source_key, customer_id from engagement.marts.fct_interactions"
        " where source_table = 'survey_responses'"
    )
    owner_of = dict(zip(owners.source_key, owners.customer_id, strict=True))
    latest: dict[tuple[Any, ...], tuple[Any, ...]] = {}
    for row in frame("select * from staging.staging.stg_surveys__responses").itertuples():
        if not clock.is_known(row.responded_at):
            continue
        low, high = (
            default if pd.isna(given) else given
            for given, default in zip((row.scale_min, row.scale_max), scales[row.metric], strict=True)
        )
        if not low <= row.score <= high:
            continue
        customer = owner_of.get(row.response_id)
        channel = _invitation_channel(row, customer, invitations)
        is_better_high = row.higher_is_better is not False
        day = pd.Timestamp(clock.day(row.responded_at))
        for unit in ("month", "quarter", "year"):
            window = day.to_period({"month": "M", "quarter": "Q", "year": "Y"}[unit]).start_time.date()
            respondent = customer or f"response {row.response_id}"
            survey = row.survey_id if isinstance(row.survey_id, str) else "none"
            cell = (survey, row.metric, low, high, is_better_high, unit, window, channel)
            answer = (row.responded_at, row.response_id, row.score, (*cell, tier_of.get(customer, "unknown")))
            key = (survey, row.metric, unit, window, respondent)
            latest[key] = max(latest.get(key, answer), answer)
    scores = defaultdict(list)
    for _, _, score, cell in latest.values():
        scores[cell].append(score)
    return {cell: _scored(cell, np.array(values)) for cell, values in scores.items()}


def _invitation_channel(row: Any, customer: str | None, invitations: pd.DataFrame) -> str:
    asked_at = row.responded_at if pd.isna(row.invited_at) else min(row.invited_at, row.responded_at)
    mine = invitations[(invitations.customer_id == customer) & (invitations.touched_at <= asked_at)]
    if mine.empty:
        return "surveys"
    last = mine.sort_values(["touched_at", "touch_id"], ascending=[False, True]).iloc[0]
    is_answer = row.responded_at - last.touched_at <= timedelta(days=30)
    return str(last.channel) if is_answer else "surveys"


def _scored(cell: tuple[Any, ...], scores: np.ndarray[Any, np.dtype[np.float64]]) -> Mapping[str, float]:
    """NPS is the mean of +100, 0, -100; its standard error theirs."""
    _, metric, low, high, is_better_high, *_ = cell
    measures = {"respondents": float(len(scores)), "mean_score": float(scores.mean())}
    if metric == "nps" and (low, high) == (0, 10):
        votes = np.where(scores >= 9, 100.0, np.where(scores <= 6, -100.0, 0.0))
        measures |= {"nps": votes.mean(), "nps_standard_error": votes.std() / np.sqrt(len(votes))}
    if metric == "csat":
        measures["csat"] = float((scores >= high - 1 if is_better_high else scores <= low + 1).mean())
    if metric == "ces":
        measures["ces"] = float(scores.mean())
    return measures


def nonzero(rows: Iterable[Mapping[str, Any]], measure: str) -> Cells:
    """A column of fct_channel_days in the form of `channel_days`."""
    return {(row["channel"], row["day"]): float(row[measure]) for row in rows if row[measure]}
