"""Raw zones that arrive night by night, with everything that goes wrong between a source and a warehouse.

A history is a function of a seed: a few people whose identifiers get mixed up, all channels, small alphabets
so that keys repeat (corrections, deletions, duplicates, older versions that come late), rows that occur years
before they arrive or after the night that loads them, facts that change what happened before (rates,
campaigns, promotions, cancellations, bounces), and files that change or vanish. What does NOT belong here:
models.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

Row = Mapping[str, Any]

_STEPS = (0, 1, 1, 2, 5, 20, 31, 45, 400)
_AGES = (0, 1, 2, 3, 10, 30, 31, 60, 100, 365, 800)
_BLOCKED = {
    "email": "info@example.com",
    "customer_ref": "0",
    "user_id": "0",
    "loyalty_id": "0",
    "phone": "0000000000",
}


@dataclass(frozen=True)
class Arrival:
    """What one night finds.

    Attributes:
        as_of: Its snapshot date.
        tables: Rows by raw table, one new file each.
        vanishes: Whether a file of an earlier night is gone.
        changes: Whether a file of an earlier night has other content.
    """

    as_of: date
    tables: Mapping[str, Sequence[Row]]
    vanishes: bool
    changes: bool


def history(seed: int) -> list[Arrival]:
    """Return three to six nights of arrivals; equal seeds give equal histories."""
    random = Random(seed)
    days = [date(2024, random.randint(1, 12), random.choice((1, 15, 28)))]
    for _ in range(random.randint(2, 5)):
        days.append(days[-1] + timedelta(days=random.choice(_STEPS)))
    people = random.randint(2, 4)
    arrivals = []
    for number, as_of in enumerate(days):
        previous = days[number - 1] if number else as_of - timedelta(days=500)
        night = _Night(random, people, days, as_of, previous)
        tables = night.tables()
        arrivals.append(
            Arrival(as_of, tables, vanishes=random.random() < 0.15, changes=random.random() < 0.15)
        )
    return arrivals


def land(arrival: Arrival, number: int, raw: Path) -> None:
    """Bring a raw zone to what the night of that number finds."""
    for table, rows in arrival.tables.items():
        (raw / table).mkdir(parents=True, exist_ok=True)
        lines = (
            json.dumps({name: value for name, value in row.items() if value is not None}) for row in rows
        )
        (raw / table / f"{number}.jsonl").write_text("".join(f"{line}\n" for line in lines))
    random = Random(number)
    if arrival.vanishes and (earlier := _earlier_files(raw, number)):
        random.choice(earlier).unlink()
    if arrival.changes and (earlier := _earlier_files(raw, number)):
        changed = random.choice(earlier)
        kept = changed.read_text().splitlines(keepends=True)
        random.shuffle(kept)
        changed.write_text("".join(kept[: len(kept) // 2 + 1]))


def _earlier_files(raw: Path, number: int) -> list[Path]:
    return sorted(path for path in raw.rglob("*.jsonl") if path.stem != str(number))


@dataclass
class _Night:
    """Draws the rows that arrive in one night."""

    random: Random
    people: int
    days: Sequence[date]
    as_of: date
    previous: date
    loads: list[datetime] = field(init=False)

    def __post_init__(self) -> None:
        load = datetime.combine(self.as_of, datetime.min.time()) + timedelta(days=1, hours=2)
        if self.random.random() < 0.1:
            load -= timedelta(days=self.random.randint(1, 30))
        self.loads = [load, load, load + timedelta(minutes=1)]

    def tables(self) -> dict[str, list[Row]]:
        """Draw some rows of every raw table, or none."""
        drawn: dict[str, list[Row]] = {}
        for table, row in self._rows():
            loaded: dict[str, Any] = {**row, "loaded_at": self._text(self.random.choice(self.loads))}
            if self.random.random() < 0.06:
                loaded["is_deleted"] = True
            drawn.setdefault(table, []).extend([loaded] * (2 if self.random.random() < 0.05 else 1))
        return drawn

    def _rows(self) -> Iterator[tuple[str, Row]]:
        busy = self.random.choice((0, 1, 3, 6))
        for rows in (
            self._web(3 * busy),
            self._visit_over_midnight(),
            self._messages(2 * busy),
            self._orders(busy),
            self._support(),
            self._feedback(),
            self._identity(),
            self._reference(),
        ):
            yield from rows

    def _web(self, count: int) -> Iterator[tuple[str, Row]]:
        for _ in range(count):
            yield (
                "web_events",
                {
                    "event_id": self._key("w", 40),
                    "platform": self._one("web", "app", None),
                    "event_name": self._one(
                        "page_view", "product_view", "search", "add_to_cart", "form_submit", "nonsense"
                    ),
                    "occurred_at": self._time(),
                    "engaged_seconds": self._one(None, 0.1, 3.3, 20, 7.7),
                    "campaign_id": self._one(None, None, None, None, "k1", "k2"),
                    "click_id": self._one(None, None, None, None, None, "c"),
                    "user_agent": self._one(None, "Mozilla", "Googlebot"),
                    **self._names("anonymous_id", "user_id", "email"),
                },
            )

    def _visit_over_midnight(self) -> Iterator[tuple[str, Row]]:
        midnight = datetime.combine(self.as_of, datetime.min.time()) + timedelta(days=1)
        person = self.random.randrange(self.people)
        for step in range(-2, 3) if self.random.random() < 0.5 else ():
            yield (
                "web_events",
                {
                    "event_id": f"midnight-{self.as_of}-{step}",
                    "event_name": "page_view",
                    "occurred_at": self._text(midnight + timedelta(minutes=20 * step + 5)),
                    "user_id": f"U{person}",
                },
            )

    def _messages(self, count: int) -> Iterator[tuple[str, Row]]:
        for _ in range(count):
            yield (
                "message_events",
                {
                    "event_id": self._key("m", 32),
                    "message_channel": self._one("email", "sms", "push"),
                    "event_name": self._one(
                        "sent", "sent", "delivered", "opened", "clicked", "bounced", "unsubscribed"
                    ),
                    "campaign_id": self._one(None, "k1", "k2"),
                    "is_machine": self._one(None, True, False),
                    "occurred_at": self._time(),
                    "is_date_only": self._one(None, None, True),
                    **self._names("customer_ref", "email", "phone"),
                },
            )

    def _orders(self, count: int) -> Iterator[tuple[str, Row]]:
        for _ in range(count):
            ordered = self._when()
            cancelled = ordered + timedelta(days=self._one(0, 1, 5, 40))
            yield (
                "orders",
                {
                    "order_id": self._key("o", 12),
                    "sales_channel": self._one("online", "in_store", "app", "phone"),
                    "ordered_at": self._text(ordered),
                    "status": self._one(None, "paid", "paid", "paid", "cancelled"),
                    "cancelled_at": self._one(None, None, self._text(cancelled)),
                    "total_amount": self._one(10, 20.5, -1, 33.333),
                    "currency": self._one(None, None, "USD", "EUR", "GBP"),
                    "coupon_code": self._one(None, None, "X", "Y"),
                    "promotion_id": self._one(None, None, "p1"),
                    "is_auto_renewal": self._one(None, None, None, True),
                    "is_test": self._one(None, None, None, None, None, True),
                    **self._names("customer_ref", "user_id", "email", "phone", "loyalty_id"),
                },
            )
        for _ in range(self._one(0, 1, 2)):
            yield (
                "order_returns",
                {
                    "return_id": self._key("q", 8),
                    "order_id": self._key("o", 12),
                    "returned_at": self._time(),
                    "amount": self._one(1, 5.5),
                    "currency": self._one(None, "EUR"),
                },
            )
        for _ in range(self._one(0, 1, 2)):
            yield (
                "coupon_redemptions",
                {
                    "redemption_id": self._key("r", 8),
                    "coupon_code": self._one(None, "X", "Y"),
                    "campaign_id": self._one(None, "k1", "k2"),
                    "order_id": self._one(None, "o1", "o2", "o3"),
                    "redeemed_at": self._time(),
                    **self._names("customer_ref", "email", "loyalty_id"),
                },
            )

    def _support(self) -> Iterator[tuple[str, Row]]:
        for _ in range(self._one(0, 1, 2)):
            created = self._when()
            yield (
                "support_tickets",
                {
                    "ticket_id": self._key("t", 8),
                    "ticket_type": self._one(None, "question", "complaint"),
                    "created_by": self._one("customer", "customer", "agent", "system"),
                    "created_at": self._text(created),
                    "solved_at": self._one(None, self._text(created + timedelta(days=self._one(0, 2, 20)))),
                    **self._names("customer_ref", "user_id", "email", "handle"),
                },
            )
        for _ in range(self._one(0, 1, 3)):
            yield (
                "support_messages",
                {
                    "message_id": self._key("s", 16),
                    "ticket_id": self._key("t", 8),
                    "author_role": self._one("customer", "agent", "system"),
                    "is_public": self._one(None, True, False),
                    "sent_at": self._time(),
                },
            )

    def _feedback(self) -> Iterator[tuple[str, Row]]:
        draws = {
            "social_events": lambda: {
                "event_id": self._key("z", 12),
                "network": "net",
                "event_name": self._one("like", "comment", "message", "post"),
                "in_reply_to": self._one(None, "none", "brand", "customer"),
                "is_brand_author": self._one(None, True, False),
                "sentiment": self._one(None, 0.5),
                "occurred_at": self._time(),
                **self._names("customer_ref", "handle"),
            },
            "reviews": lambda: {
                "review_id": self._key("v", 6),
                "rating": self._one(1, 3, 4),
                "rating_max": self._one(None, 5, 7),
                "has_text": self._one(None, True),
                "is_invited": self._one(None, True),
                "created_at": self._time(),
                **self._names("customer_ref", "user_id", "email"),
            },
            "loyalty_events": lambda: {
                "event_id": self._key("l", 8),
                "event_name": self._one("enrolled", "points_earned", "points_redeemed", "left"),
                "points": self._one(None, 5, 700),
                "occurred_at": self._time(),
                **self._names("customer_ref", "email"),
                "loyalty_id": f"L{self.random.randrange(self.people)}",
            },
            "survey_responses": lambda: {
                "response_id": self._key("y", 6),
                "survey_id": self._one(None, "n1", "n2"),
                "metric": self._one("nps", "nps", "csat", "ces"),
                "score": self._one(3, 4.5, 7, 9),
                "scale_max": self._one(None, None, 10),
                "higher_is_better": self._one(None, None, False),
                "invited_at": self._one(None, self._time()),
                "responded_at": self._time(),
                **self._names("customer_ref", "email"),
            },
            "community_events": lambda: {
                "event_id": self._key("x", 6),
                "event_name": "post",
                "in_reply_to": self._one(None, "brand"),
                "occurred_at": self._time(),
                **self._names("handle", "customer_ref", "user_id", "email"),
            },
            "store_visits": self._stay,
            "referrals": lambda: {
                "referral_id": self._key("d", 6),
                "referrer_ref": f"C{self.random.randrange(self.people)}",
                "referred_ref": self._one(None, f"C{self.random.randrange(self.people)}"),
                "referred_email": self._one(None, f"e{self.random.randrange(self.people)}@x.org"),
                "sent_at": self._time(),
            },
        }
        for table, draw in draws.items():
            for _ in range(self._one(0, 0, 1, 2)):
                yield table, draw()

    def _stay(self) -> Row:
        entered = self._when()
        return {
            "visit_id": self._key("b", 10),
            "store_id": "1",
            "entered_at": self._text(entered),
            "left_at": self._one(None, self._text(entered + timedelta(minutes=self._one(5, 600)))),
            **self._names("customer_ref", "loyalty_id"),
        }

    def _identity(self) -> Iterator[tuple[str, Row]]:
        for _ in range(self._one(0, 1, 2)):
            yield (
                "customers",
                {
                    "customer_ref": f"C{self.random.randrange(self.people)}",
                    "created_at": self._one(None, self._time()),
                    "country": self._one(None, "DE", "FR"),
                    **self._names("email", "phone", "loyalty_id"),
                },
            )
        left = self._names("user_id", "email", "anonymous_id")
        right = self._names("customer_ref", "phone")
        if left and right and self.random.random() < 0.3:
            (left_type, left_value), (right_type, right_value) = (
                next(iter(left.items())),
                next(iter(right.items())),
            )
            yield (
                "identity_links",
                {
                    "link_id": self._key("i", 6),
                    "left_type": left_type,
                    "left_value": left_value,
                    "right_type": right_type,
                    "right_value": right_value,
                    "observed_at": self._one(None, self._time()),
                },
            )

    def _reference(self) -> Iterator[tuple[str, Row]]:
        if self.random.random() < 0.5:
            purpose = self._one("promotional", "informational", "transactional", "survey", "survey")
            yield "campaigns", {"campaign_id": self._one("k1", "k2"), "name": "n", "purpose": purpose}
        if self.random.random() < 0.4:
            starts = self._when()
            yield (
                "promotions",
                {
                    "promotion_id": self._one("p1", "p2"),
                    "sales_channel": self._one(None, "online", "in_store"),
                    "starts_at": self._text(starts),
                    "ends_at": self._text(starts + timedelta(days=self._one(1, 10, 40))),
                },
            )
        for _ in range(self._one(0, 1, 2)):
            yield (
                "social_account_days",
                {
                    "network": "net",
                    "account_id": self._one("a", "b"),
                    "observed_on": str(self._when().date()),
                    "followers": self._one(10, 12, 700),
                },
            )
        for _ in range(self._one(0, 1, 2)):
            rated = self._when() - timedelta(days=self._one(0, 30, 300))
            rate = self._one(1.1, 1.2, 0.9)
            yield (
                "exchange_rates",
                {"rate_on": str(rated.date()), "currency": self._one("EUR", "GBP"), "rate": rate},
            )

    def _one(self, *values: Any) -> Any:
        return self.random.choice(values)

    def _key(self, prefix: str, values: int) -> str:
        return f"{prefix}{self.random.randrange(values)}"

    def _names(self, *types: str) -> dict[str, str]:
        """Some identifiers of a person, now and then one of somebody else, or one that names nobody."""
        person = self.random.randrange(self.people)
        names = {}
        for type_ in types:
            named = person if self.random.random() < 0.85 else self.random.randrange(self.people)
            values = {
                "customer_ref": f"C{named}",
                "user_id": f"U{named}",
                "email": f"e{named}@x.org",
                "phone": f"4900{named}",
                "loyalty_id": f"L{named}",
                "handle": f"h{named}",
                "anonymous_id": f"a{named}{self._one('x', 'y')}",
            }
            if self.random.random() < 0.6:
                blocked = self.random.random() < 0.04 and type_ in _BLOCKED
                names[type_] = _BLOCKED[type_] if blocked else values[type_]
        return names

    def _when(self) -> datetime:
        """Mostly since the last night, often late, sometimes not yet known to the night that loads it."""
        kind = self.random.random()
        if kind < 0.55:
            day = self.previous + timedelta(
                days=self.random.randint(0, max(1, (self.as_of - self.previous).days))
            )
        elif kind < 0.85:
            day = self.as_of - timedelta(days=self._one(*_AGES))
        else:
            day = self._one(*self.days)
        second = self._one(0, 1, 600, 43_200, 86_390, 86_399, self.random.randrange(86_400))
        moment = datetime.combine(day, datetime.min.time()) + timedelta(seconds=second)
        if kind > 0.93:
            moment = self.loads[0] + timedelta(hours=self.random.randint(-20, 20))
        return min(moment, self.loads[0]) if self.random.random() < 0.75 else moment

    def _time(self) -> str:
        return self._text(self._when())

    @staticmethod
    def _text(moment: datetime) -> str:
        return moment.isoformat(sep=" ")
