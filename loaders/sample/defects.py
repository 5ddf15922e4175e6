"""Plants what real logs suffer from: late rows, duplicates, corrections, deletions, and rows to quarantine.

Every planted row is marked, so that ``truth`` can tell. Rows that make or carry identity, and rows that are
already a history of versions, are left alone.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from loaders.sample.arrays import Bools, Ints, Values
from loaders.sample.clock import DAY, HOUR, Clock
from loaders.sample.dice import Dice, scrambled
from loaders.sample.frames import UNREADABLE_TIME, Column, Frame, Kind, flag, text
from loaders.sample.social import EVENTS

Change = Callable[[Frame], Frame]

LEAST_ROWS = 20
LATE_SHARE = 0.004
DUPLICATE_SHARE = 0.002
CORRECTION_SHARE = 0.002
DELETION_SHARE = 0.0005
QUARANTINE_SHARE = 0.0005
MOST_QUARANTINED_PER_RULE = 3

RULES = (
    "unknown_event_name",
    "impossible_time",
    "missing_event_id",
    "missing_event_name",
    "unknown_message_channel",
    "no_exchange_rate",
    "negative_total_amount",
    "unknown_sales_channel",
    "unreadable_entered_at",
    "unreadable_occurred_at",
    "unknown_author_role",
)

_TEN_YEARS = 3_653 * DAY
_FOREIGN_CURRENCY = "CHF"


@dataclass(frozen=True)
class Profile:
    """What may be planted in a table.

    Attributes:
        event_time: Column of the time that the row is about.
        correct: Changes a row's content, as a later version does.
        deletable: Which rows may be taken back without breaking others.
        quarantine: Rules, each with the change that breaks it and nothing else.
    """

    event_time: str
    correct: Change | None = None
    deletable: Callable[[Frame], Bools] | None = None
    quarantine: Sequence[tuple[str, Change]] = ()


def plant(dice: Dice, clock: Clock, frame: Frame) -> Frame:
    """Add defects to a table by its profile; tables without one, or with few rows, stay as they are."""
    profile = PROFILES.get(frame.table)
    if profile is None or len(frame) < LEAST_ROWS:
        return frame
    rng = dice.stream(f"defects of {frame.table}")
    count = len(frame)
    event = frame.columns[profile.event_time].values
    free = (frame.mark("fixed") == 0) & (event < clock.end - 3 * DAY) & (event >= clock.start)
    free &= frame.loaded < clock.load_end - 2 * DAY
    candidates = rng.permutation(np.flatnonzero(free))
    numbers = [
        _some(count, share) for share in (LATE_SHARE, DUPLICATE_SHARE, DUPLICATE_SHARE, CORRECTION_SHARE)
    ]
    bounds = np.cumsum(numbers)
    late, exact, again, corrected = (np.sort(part) for part in np.split(candidates, bounds)[:4])
    rest = candidates[bounds[-1] :]

    loaded = frame.loaded.copy()
    loaded[late] = np.minimum(
        event[late] + 2 * DAY + (rng.random(len(late)) ** 2 * 120 * DAY).astype(np.int64), clock.load_end
    )
    is_late = np.zeros(count, dtype=np.bool_)
    is_late[late] = True
    frame = frame.but(loaded=loaded, traits={"late": is_late})
    added = [_copies(frame, exact, "duplicate_exact", np.zeros(len(exact), np.int64))]
    added.append(_copies(frame, again, "duplicate_later", _delay(rng, clock, frame.loaded[again])))
    if profile.correct is not None:
        copies = _copies(frame, corrected, "corrected", _delay(rng, clock, frame.loaded[corrected]))
        added.append(profile.correct(copies))
    if profile.deletable is not None:
        may_go = profile.deletable(frame) & (frame.mark("touch") < 0) & (frame.mark("explicit") == 0)
        gone = np.sort(rest[may_go[rest]][: _some(count, DELETION_SHARE)])
        tombstones = _copies(frame, gone, "deleted", _delay(rng, clock, frame.loaded[gone]))
        added.append(tombstones.but(marks={"deleted": np.ones(len(gone), dtype=np.int64)}))
    added.extend(_broken(rng, frame, profile.quarantine, rest[::-1]))
    return frame.followed_by(*added)


def _some(rows: int, share: float) -> int:
    return max(1, round(rows * share))


def _delay(rng: np.random.Generator, clock: Clock, loaded: Ints) -> Ints:
    """How much later a second version is loaded: 6 hours to 10 days, before loading ends."""
    delay = 6 * HOUR + (rng.random(len(loaded)) * 10 * DAY).astype(np.int64)
    return np.minimum(delay, clock.load_end - loaded)


def _copies(frame: Frame, rows: Ints, trait: str, delay: Ints) -> Frame:
    """Rows once more; of their traits the copies keep none but the new one."""
    copies = frame.take(rows)
    traits = {name: np.zeros(len(rows), dtype=np.bool_) for name in copies.traits}
    traits[trait] = np.ones(len(rows), dtype=np.bool_)
    return copies.but(loaded=copies.loaded + delay, traits=traits)


def _broken(
    rng: np.random.Generator, frame: Frame, rules: Sequence[tuple[str, Change]], rows: Ints
) -> list[Frame]:
    """Rows of new keys that each break one rule, few enough to stay below ``QUARANTINE_SHARE``."""
    budget = min(int(len(frame) * QUARANTINE_SHARE), MOST_QUARANTINED_PER_RULE * len(rules), len(rows))
    found = []
    for place in range(budget):
        rule, change = rules[place % len(rules)]
        copy = _copies(frame, rows[place : place + 1], "quarantined", np.zeros(1, dtype=np.int64))
        nobody = {"touch": np.array([-1]), "explicit": np.array([0]), "rule": np.array([RULES.index(rule)])}
        key = frame.key[0]
        fresh = copy.but(columns={key: _new_key(frame, key, place)}, marks=nobody)
        found.append(change(fresh))
    return found


def _new_key(frame: Frame, key: str, place: int) -> Column:
    column = frame.columns[key]
    if column.kind is Kind.HEX:
        return Column(Kind.HEX, scrambled(np.array([len(frame) + place]), 1))
    number = int(column.values.max()) + 1 + place
    return Column(column.kind, np.array([number], dtype=column.values.dtype), column.words, column.prefix)


def _set(column: str, value: int) -> Change:
    """Change that stores one value (code, number, instant or the one for null) in every row of a column."""

    def change(frame: Frame) -> Frame:
        return frame.but(columns={column: frame.columns[column].but_codes(value)})

    return change


def _say(column: str, word: str) -> Change:
    """Change that writes a word which the column's list does not hold."""

    def change(frame: Frame) -> Frame:
        return frame.but(columns={column: text(np.zeros(len(frame), dtype=np.int8), [word])})

    return change


def _shift(column: str, by: int) -> Change:
    """Change that moves times."""

    def change(frame: Frame) -> Frame:
        return frame.but(columns={column: _changed(frame, column, lambda values: values + by)})

    return change


def _add(column: str, amount: float) -> Change:
    """Change that adds to a number and leaves nulls null."""

    def change(frame: Frame) -> Frame:
        known = ~frame.columns[column].nulls()
        return frame.but(
            columns={column: _changed(frame, column, lambda values: np.round(values + amount * known, 2))}
        )

    return change


def _halve(column: str) -> Change:
    """Change that brings a number closer to 0, so that it stays within its limits."""

    def change(frame: Frame) -> Frame:
        return frame.but(columns={column: _changed(frame, column, lambda values: np.round(values / 2, 4))})

    return change


def _negate(column: str) -> Change:
    def change(frame: Frame) -> Frame:
        return frame.but(columns={column: _changed(frame, column, lambda values: -values - 1)})

    return change


def _next_word(column: str) -> Change:
    """Change that replaces each word by the next one of the column's list."""

    def change(frame: Frame) -> Frame:
        words = frame.columns[column].words
        size = len(words) if words is not None else 1
        return frame.but(columns={column: _changed(frame, column, lambda codes: (codes + 1) % size)})

    return change


def _turn(column: str) -> Change:
    def change(frame: Frame) -> Frame:
        return frame.but(columns={column: flag(frame.columns[column].values == 0)})

    return change


def _changed(frame: Frame, column: str, function: Callable[[Values], Values]) -> Column:
    found = frame.columns[column]
    return Column(found.kind, function(found.values), found.words, found.prefix)


def _all(frame: Frame) -> Bools:
    return np.ones(len(frame), dtype=np.bool_)


PROFILES: Mapping[str, Profile] = {
    "customers": Profile("created_at", _next_word("country")),
    "web_events": Profile(
        "occurred_at",
        _add("engaged_seconds", 1.5),
        lambda frame: (frame.columns["order_id"].values < 0) & (frame.columns["user_id"].values < 0),
        (
            ("unknown_event_name", _say("event_name", "teleported")),
            ("impossible_time", _shift("occurred_at", 365 * DAY)),
            ("missing_event_name", _set("event_name", -1)),
            ("impossible_time", _shift("occurred_at", -6 * _TEN_YEARS)),
        ),
    ),
    "message_events": Profile(
        "occurred_at",
        None,
        None,
        (
            ("unknown_event_name", _say("event_name", "evaporated")),
            ("missing_event_id", _set("event_id", -1)),
            ("unknown_message_channel", _say("message_channel", "pigeon")),
        ),
    ),
    "orders": Profile(
        "ordered_at",
        _add("total_amount", 5),
        lambda frame: ~frame.trait("not_deletable"),
        (
            ("no_exchange_rate", _say("currency", _FOREIGN_CURRENCY)),
            ("negative_total_amount", _negate("total_amount")),
            ("unknown_sales_channel", _say("sales_channel", "séance")),
        ),
    ),
    "order_returns": Profile("returned_at", _add("amount", 1)),
    "coupon_redemptions": Profile("redeemed_at"),
    "support_messages": Profile(
        "sent_at", None, None, (("unknown_author_role", _say("author_role", "parrot")),)
    ),
    "social_events": Profile(
        "occurred_at",
        _halve("sentiment"),
        lambda frame: frame.columns["event_name"].values == EVENTS.index("like"),
        (("unknown_event_name", _say("event_name", "poked")),),
    ),
    "reviews": Profile("created_at", _turn("has_text"), lambda frame: frame.columns["email"].nulls()),
    "loyalty_events": Profile(
        "occurred_at", _add("points", 10), None, (("unknown_event_name", _say("event_name", "points_found")),)
    ),
    "survey_responses": Profile("responded_at", _halve("sentiment")),
    "community_events": Profile(
        "occurred_at", None, _all, (("unreadable_occurred_at", _set("occurred_at", UNREADABLE_TIME)),)
    ),
    "store_visits": Profile(
        "entered_at", None, _all, (("unreadable_entered_at", _set("entered_at", UNREADABLE_TIME)),)
    ),
}
