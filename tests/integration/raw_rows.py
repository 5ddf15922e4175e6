"""Draws raw rows of every table of the contract, from small alphabets: everything collides with everything.

What a row says follows from its table, its index and the seed alone: leaving one out changes no other, so
that a failing history can be made smaller row by row. What does NOT belong here: when rows arrive, and
in which files (`histories`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from random import Random
from typing import Final
from zoneinfo import ZoneInfo

Values = dict[str, str]
"""What a row says, by column; a column that is absent is null."""

DAY: Final = timedelta(days=1)
BOTS: Final = ("Mozilla/5.0", "Mozilla/5.0", "Mozilla/5.0", "Googlebot/2.1", "curl/8.0")
WEB_EVENTS: Final = (
    *("page_view", "product_view", "search", "add_to_cart", "checkout_started", "purchase", "purchase"),
    *("login", "form_submit", "share"),
)
MESSAGE_EVENTS: Final = (
    *("sent", "sent", "delivered", "delivered", "opened", "clicked", "bounced"),
    *("replied", "unsubscribed", "complained", "purchased", "purchased"),
)
SOCIAL_EVENTS: Final = ("follow", "unfollow", "like", "comment", "mention", "message", "message", "post")
LOYALTY_EVENTS: Final = ("enrolled", "points_earned", "points_redeemed", "tier_changed", "left")
COMMUNITY_EVENTS: Final = ("join", "question", "answer", "idea", "vote", "comment")
PURPOSES: Final = ("promotional", "promotional", "informational", "survey", "review_request", "winback")
ROLES: Final = ("customer", "customer", "agent", "system")
CURRENCIES: Final = ("", "", "USD", "EUR", "GBP")
BROKEN: Final = {
    "missing": "",
    "number": "twelve",
    "negative": "-3",
    "time": "not a time",
    "ancient": "1985-01-01",
    "unknown": "nobody knows this",
}


@dataclass(frozen=True)
class Setting:
    """What all rows of a history have in common.

    Attributes:
        seed: What everything is drawn from.
        people: Persons, before any of them merge.
        time_zone: Business time zone.
        snapshots: Snapshot date of every night.
    """

    seed: int
    people: int
    time_zone: str
    snapshots: Sequence[date]

    def midnight(self, day: date) -> datetime:
        """Return the start of a business day, naive UTC."""
        local = datetime.combine(day, time(), ZoneInfo(self.time_zone))
        return local.astimezone(ZoneInfo("UTC")).replace(tzinfo=None)


class Draw:
    """One row in the making: chance, and the night that it comes in.

    Args:
        setting: The history.
        name: What to draw from, besides the seed.
        night: Night of arrival, counted from 0.
    """

    def __init__(self, setting: Setting, name: str, night: int) -> None:
        self.setting = setting
        self.night = night
        self._random = Random(f"{setting.seed} {name}")
        self._person = self._random.randrange(setting.people)

    def chance(self, share: float) -> bool:
        """Return true in that share of all cases."""
        return self._random.random() < share

    def one(self, values: Sequence[str]) -> str:
        """Return one of them."""
        return self._random.choice(values)

    def some(self, values: Sequence[str], share: float = 0.75) -> str:
        """Return one of them in that share of all cases, or nothing."""
        return self.one(values) if self.chance(share) else ""

    def key(self, prefix: str, many: int) -> str:
        """Return one of that many keys."""
        return f"{prefix}{self._random.randrange(many)}"

    def person(self, kind: str, share: float = 0.6) -> str:
        """Return an identifier of the row's person; sometimes that of another, a blocked one, or none."""
        if not self.chance(share):
            return ""
        if self.chance(0.03):
            return BLOCKED.get(kind, "")
        owner = self._random.randrange(self.setting.people) if self.chance(0.1) else self._person
        return identifier(kind, owner, self._random.choice((0, 0, 0, 1)))

    def identifiers(self, *kinds: str) -> Values:
        """Return identifiers of these kinds by column."""
        return {kind: self.person(kind) for kind in kinds}

    def moment(self) -> datetime:
        """Return when something happened, naive UTC: lately, long ago, at an edge, or after the snapshot."""
        snapshot = self.setting.snapshots[self.night]
        end = self.setting.midnight(snapshot + DAY)
        kind = self._random.random()
        if kind < 0.1:
            # after the snapshot of the night that brings it: known only to a later one
            return end + timedelta(hours=self._random.choice((0, 1, 12, 20)))
        if kind < 0.5:
            # on the last days, in few places, so that rows meet
            return end - timedelta(minutes=self._random.choice((1, 15, 60, 61, 720, 1440, 1441, 2880, 7000)))
        if kind < 0.65:
            first = snapshot.replace(day=1) - DAY * self._random.choice((0, 0, 40, 200))
            edge = self.setting.midnight(first.replace(day=1))
            return edge + timedelta(seconds=self._random.choice((-1, 0, 0, 1)))
        if kind < 0.9:
            return end - timedelta(hours=self._random.randrange(24 * 120))
        return end - timedelta(days=self._random.randrange(120, 1_200), hours=self._random.randrange(24))

    def later(self, moment: datetime, share: float = 0.4) -> str:
        """Return a time after another, in that share of all cases: minutes, days or years later."""
        if not self.chance(share):
            return ""
        hours = self._random.choice((0, 0.2, 1, 24, 24 * 3, 24 * 13, 24 * 14, 24 * 45, 24 * 400))
        return written(moment + timedelta(hours=hours))

    def when(self, column: str, moment: datetime | None = None, *, may_be_a_day: bool = False) -> Values:
        """Return a time in one of the spellings that loaders use; sometimes only its day is known."""
        moment = moment or self.moment()
        if may_be_a_day and self.chance(0.3):
            return {column: moment.date().isoformat(), "is_date_only": "true"}
        return {column: self.one((written(moment), f"{written(moment)}Z", f"{written(moment)}+00:00"))}


def written(moment: datetime) -> str:
    """Spell a time without an offset."""
    return moment.isoformat(" ", "seconds")


def identifier(kind: str, owner: int, spare: int = 0) -> str:
    """Return an identifier of a person."""
    name = f"{owner}{'b' if spare else ''}"
    return {
        "email": f"Person{name}@example.com",
        "phone": f"+1 555 {owner}{spare}",
        "handle": f"@person{name}",
    }.get(kind, f"{kind[0]}{name}")


BLOCKED: Final[Mapping[str, str]] = {
    "email": "info@example.com",
    "phone": "0000000000",
    "customer_ref": "0",
    "user_id": "0",
    "loyalty_id": "0",
    "anonymous_id": "00000000-0000-0000-0000-000000000000",
}


def _linked(draw: Draw, side: str) -> Values:
    kind = draw.one(("customer_ref", "user_id", "anonymous_id", "email", "phone", "loyalty_id", "handle"))
    value = draw.person(kind, 1.0)
    return {f"{side}_type": kind, f"{side}_value": f"instagram/{value}" if kind == "handle" else value}


def _web_event(draw: Draw) -> Values:
    return {
        **draw.identifiers("anonymous_id", "user_id", "email"),
        **draw.when("occurred_at"),
        "platform": draw.one(("", "web", "app")),
        "event_name": draw.one(WEB_EVENTS),
        "page_url": draw.some(("https://shop.example/a", "https://shop.example/b?gclid=1")),
        "referrer_url": draw.some(("https://search.example/", "https://shop.example/a"), 0.3),
        "utm_source": draw.some(("newsletter", "search"), 0.2),
        "utm_medium": draw.some(("email", "cpc"), 0.2),
        "utm_campaign": draw.some(("spring",), 0.1),
        "campaign_id": draw.some(("g0", "g1", "g2"), 0.15),
        "click_id": draw.some(("click",), 0.1),
        "engaged_seconds": draw.some(("0", "3.25", "10", "61.7")),
        "user_agent": draw.some(BOTS),
        "product_id": draw.some(("sku",), 0.3),
        "order_id": draw.key("o", 12) if draw.chance(0.5) else "",
    }


def _message_event(draw: Draw) -> Values:
    return {
        **draw.identifiers("customer_ref", "email", "phone"),
        **draw.when("occurred_at", may_be_a_day=True),
        "message_channel": draw.one(("email", "email", "sms", "push", "direct_mail", "ad")),
        "event_name": draw.one(MESSAGE_EVENTS),
        "campaign_id": draw.some(("g0", "g1", "g2")),
        "is_machine": draw.some(("true", "false", "false"), 0.4),
        "order_id": draw.key("o", 12) if draw.chance(0.5) else "",
    }


def _order(draw: Draw) -> Values:
    moment = draw.moment()
    return {
        **draw.identifiers("customer_ref", "user_id", "email", "phone", "loyalty_id"),
        **draw.when("ordered_at", moment),
        "sales_channel": draw.one(("online", "online", "in_store", "app", "phone")),
        "store_id": draw.some(("s1", "s2"), 0.3),
        "status": draw.some(("paid", "shipped")),
        "cancelled_at": draw.later(moment, 0.3),
        "total_amount": draw.one(("0", "10", "19.99", "0.1", "249.9")),
        "discount_amount": draw.some(("0", "1.5"), 0.5),
        "currency": draw.one(CURRENCIES),
        "coupon_code": draw.some(("k0", "k1"), 0.4),
        "promotion_id": draw.some(("p0", "p1"), 0.2),
        "is_auto_renewal": draw.some(("true", "false"), 0.2),
        "is_test": draw.some(("true", "false", "false", "false"), 0.3),
    }


def _ticket(draw: Draw) -> Values:
    moment = draw.moment()
    return {
        **draw.identifiers("customer_ref", "user_id", "email"),
        **draw.when("created_at", moment),
        "handle": f"instagram/{draw.person('handle', 1.0)}" if draw.chance(0.3) else "",
        "via": draw.some(("email", "chat", "phone", "web", "social")),
        "ticket_type": draw.some(("question", "problem", "complaint", "request")),
        "created_by": draw.some(ROLES),
        "status": draw.some(("open", "solved")),
        "solved_at": draw.later(moment, 0.6),
    }


def _referral(draw: Draw) -> Values:
    moment = draw.moment()
    return {
        **draw.when("sent_at", moment),
        "referrer_ref": draw.person("customer_ref", 1.0),
        "referred_ref": draw.person("customer_ref", 0.4),
        "referred_email": draw.person("email"),
        "converted_at": draw.later(moment),
    }


def _survey_response(draw: Draw) -> Values:
    moment = draw.moment()
    return {
        **draw.identifiers("customer_ref", "email"),
        **draw.when("responded_at", moment),
        "survey_id": draw.some(("q",)),
        "metric": draw.one(("nps", "csat", "ces", "other")),
        "score": draw.one(("0", "4", "9.5", "10")),
        "scale_min": draw.some(("0", "1"), 0.5),
        "scale_max": draw.some(("10", "5"), 0.5),
        "higher_is_better": draw.some(("true", "false"), 0.3),
        "invited_at": written(moment - timedelta(days=1)) if draw.chance(0.4) else "",
        "sentiment": draw.some(("-1", "0.25"), 0.3),
    }


def _calendar(draw: Draw) -> Values:
    """A period around some moment."""
    moment = draw.moment()
    return {
        **draw.when("starts_at", moment),
        "name": draw.some(("Spring", "Summer")),
        "ends_at": draw.later(moment, 1.0),
    }


@dataclass(frozen=True)
class Sketch:
    """How rows of a table are drawn.

    Attributes:
        columns: What a row says, without its key.
        keys: Key column to prefix and number of keys; few, so that rows correct each other.
        weight: How often the table is chosen.
    """

    columns: Callable[[Draw], Values]
    keys: Mapping[str, tuple[str, int]]
    weight: int = 1


SKETCHES: Final[Mapping[str, Sketch]] = {
    "web_events": Sketch(_web_event, {"event_id": ("w", 25)}, 8),
    "orders": Sketch(_order, {"order_id": ("o", 12)}, 7),
    "message_events": Sketch(_message_event, {"event_id": ("m", 25)}, 7),
    "order_returns": Sketch(
        lambda draw: {
            **draw.when("returned_at"),
            "order_id": draw.key("o", 12),
            "amount": draw.some(("0", "5", "19.99")),
            "currency": draw.one(CURRENCIES),
        },
        {"return_id": ("r", 6)},
        3,
    ),
    "coupon_redemptions": Sketch(
        lambda draw: {
            **draw.identifiers("customer_ref", "email", "loyalty_id"),
            **draw.when("redeemed_at", may_be_a_day=True),
            "coupon_code": draw.some(("k0", "k1")),
            "campaign_id": draw.some(("g0", "g1")),
            "promotion_id": draw.some(("p0", "p1"), 0.3),
            "order_id": draw.key("o", 12) if draw.chance(0.5) else "",
        },
        {"redemption_id": ("c", 6)},
        3,
    ),
    "support_tickets": Sketch(_ticket, {"ticket_id": ("t", 5)}, 3),
    "support_messages": Sketch(
        lambda draw: {
            **draw.when("sent_at"),
            "ticket_id": draw.key("t", 5),
            "author_role": draw.one(ROLES),
            "is_public": draw.some(("true", "true", "false"), 0.4),
        },
        {"message_id": ("a", 10)},
        4,
    ),
    "customers": Sketch(
        lambda draw: {
            **draw.identifiers("email", "phone", "loyalty_id"),
            "created_at": written(draw.moment()) if draw.chance(0.7) else "",
            "country": draw.some(("US", "DE")),
        },
        {"customer_ref": ("c", 6)},
        3,
    ),
    "identity_links": Sketch(
        lambda draw: {
            **_linked(draw, "left"),
            **_linked(draw, "right"),
            "observed_at": written(draw.moment()) if draw.chance(0.8) else "",
        },
        {"link_id": ("l", 8)},
        3,
    ),
    "exchange_rates": Sketch(
        lambda draw: {
            "rate_on": draw.moment().date().replace(day=1).isoformat(),
            "currency": draw.one(("EUR", "GBP")),
            "rate": draw.one(("0.5", "1.1", "1.2345")),
        },
        {},
        4,
    ),
    "campaigns": Sketch(
        lambda draw: {
            **_calendar(draw),
            "channel": draw.some(("email", "direct_mail", "ad")),
            "purpose": draw.some(PURPOSES),
            "promotion_id": draw.some(("p0", "p1"), 0.3),
        },
        {"campaign_id": ("g", 3)},
        2,
    ),
    "promotions": Sketch(
        lambda draw: {
            **_calendar(draw),
            "sales_channel": draw.some(("online", "in_store", "app"), 0.5),
            "discount_rate": draw.some(("0.1", "0.5")),
        },
        {"promotion_id": ("p", 3)},
        2,
    ),
    "store_visits": Sketch(
        lambda draw: {
            **draw.identifiers("customer_ref", "loyalty_id"),
            **draw.when("entered_at", moment := draw.moment()),
            "left_at": draw.later(moment),
            "store_id": draw.some(("s1", "s2")),
        },
        {"visit_id": ("v", 8)},
        2,
    ),
    "social_events": Sketch(
        lambda draw: {
            **draw.identifiers("handle", "customer_ref"),
            **draw.when("occurred_at"),
            "network": draw.one(("instagram", "instagram", "x")),
            "event_name": draw.one(SOCIAL_EVENTS),
            "in_reply_to": draw.some(("none", "brand", "customer"), 0.5),
            "is_brand_author": draw.some(("true", "false"), 0.4),
            "post_id": draw.some(("post1",), 0.3),
            "sentiment": draw.some(("-0.5", "1"), 0.3),
        },
        {"event_id": ("s", 10)},
        3,
    ),
    "social_account_days": Sketch(
        lambda draw: {"followers": draw.one(("0", "10", "1000"))},
        {"network": ("n", 2), "account_id": ("b", 2), "observed_on": ("2024-01-0", 4)},
    ),
    "reviews": Sketch(
        lambda draw: {
            **draw.identifiers("customer_ref", "user_id", "email", "handle"),
            **draw.when("created_at"),
            "site": draw.some(("trust",), 0.6),
            "rating": draw.one(("1", "4.5", "5")),
            "rating_max": draw.some(("5", "10"), 0.5),
            "has_text": draw.some(("true", "false")),
            "is_invited": draw.some(("true", "false"), 0.5),
            "sentiment": draw.some(("-1", "0.25"), 0.3),
            "product_id": draw.some(("sku",), 0.5),
        },
        {"review_id": ("r", 6)},
    ),
    "loyalty_events": Sketch(
        lambda draw: {
            **draw.identifiers("customer_ref", "email"),
            **draw.when("occurred_at"),
            "loyalty_id": draw.person("loyalty_id", 1.0),
            "event_name": draw.one(LOYALTY_EVENTS),
            "points": draw.some(("5", "100")),
        },
        {"event_id": ("y", 8)},
        2,
    ),
    "survey_responses": Sketch(_survey_response, {"response_id": ("q", 6)}),
    "community_events": Sketch(
        lambda draw: {
            **draw.identifiers("handle", "customer_ref", "user_id", "email"),
            **draw.when("occurred_at"),
            "event_name": draw.one(COMMUNITY_EVENTS),
            "in_reply_to": draw.some(("none", "brand", "customer"), 0.5),
        },
        {"event_id": ("u", 8)},
    ),
    "referrals": Sketch(_referral, {"referral_id": ("f", 5)}),
    "erasure_requests": Sketch(
        lambda draw: {
            **draw.when("requested_at"),
            "identifier_type": "email",
            "identifier_value": draw.person("email", 1.0),
        },
        {"request_id": ("e", 2)},
    ),
}

TABLES: Final = tuple(SKETCHES)
WEIGHTED_TABLES: Final = tuple(table for table, sketch in SKETCHES.items() for _ in range(sketch.weight))


def night_of(setting: Setting, table: str, index: int) -> int:
    """Return the night before which a row arrives, counted from 0."""
    return Random(f"{setting.seed} {table} {index} arrives").randrange(len(setting.snapshots))


def draw_row(setting: Setting, table: str, index: int) -> Values:
    """Draw a row: one time in twelve what the one before it says, the same row once more.

    Args:
        setting: The history.
        table: Raw table.
        index: Which of its rows.
    """
    draw = Draw(setting, f"{table} {index}", night_of(setting, table, index))
    if index and draw.chance(1 / 12):
        return draw_row(setting, table, index - 1)
    sketch = SKETCHES[table]
    values = sketch.columns(draw)
    values |= {column: draw.key(prefix, many) for column, (prefix, many) in sketch.keys.items()}
    if draw.chance(0.1):
        values["is_deleted"] = "true"
    values["loaded_at"] = written(_loaded_at(draw))
    if draw.chance(0.06):
        values[draw.one(sorted(values.keys() - {"loaded_at"}))] = draw.one(sorted(BROKEN.values()))
    return {column: value for column, value in values.items() if value or column in sketch.keys}


def _loaded_at(draw: Draw) -> datetime:
    """Return when a row was loaded: mostly at one and the same time of its night, else out of order."""
    nightly = draw.setting.midnight(draw.setting.snapshots[draw.night] + DAY) + timedelta(hours=2)
    if draw.chance(0.65):
        return nightly
    return nightly + timedelta(hours=float(draw.one(("-2000", "-100", "-24", "-1", "1", "20"))))
