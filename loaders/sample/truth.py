"""The known truth beside a sample: tables in the folder ``_truth``, which readers of a raw zone pass over.

Truth is what the generator meant, not what the definitions of the warehouse make of it: an act that nobody
prompted may still fall into the window of some message. All times are naive UTC.
"""

from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from loaders.sample.arrays import Bools, Ints, Values
from loaders.sample.campaigns import (
    AD,
    AGENT_MESSAGE,
    CHANNELS,
    DIRECT_MAIL,
    EMAIL,
    PUSH,
    SMS,
    SOCIAL_REPLY,
    campaign_ids,
)
from loaders.sample.clock import SECOND, ZONES
from loaders.sample.defects import RULES
from loaders.sample.feedback import SITES
from loaders.sample.frames import (
    NULL_TIME,
    Column,
    Frame,
    constant,
    flag,
    integer,
    number,
    serial,
    text,
    time,
)
from loaders.sample.identity import Sightings, alias_people, chain_ids, erased_people
from loaders.sample.people import COUNTRIES, People, alias_email
from loaders.sample.social import EVENT_PREFIX as SOCIAL_PREFIX
from loaders.sample.support import MESSAGE_PREFIX as SUPPORT_PREFIX
from loaders.sample.touches import MESSAGE_PREFIX, Touches
from loaders.sample.web import Devices

EVENT_TIMES: Mapping[str, str] = {
    "web_events": "occurred_at",
    "message_events": "occurred_at",
    "coupon_redemptions": "redeemed_at",
    "orders": "ordered_at",
    "support_messages": "sent_at",
    "social_events": "occurred_at",
    "reviews": "created_at",
    "survey_responses": "responded_at",
    "community_events": "occurred_at",
    "store_visits": "entered_at",
}

# Rows that repeat, foreshadow or take back another row, and rows that no warehouse should let in.
NOT_ORIGINAL = (
    "duplicate_exact",
    "duplicate_later",
    "corrected",
    "deleted",
    "quarantined",
    "first_version",
)
_HIDDEN_TRAITS = ("not_deletable",)

# Raw table, key prefix and channels of the touches in it; acts without a touch come last.
_TOUCH_TABLES = (
    ("message_events", MESSAGE_PREFIX, (EMAIL, SMS, PUSH, DIRECT_MAIL, AD)),
    ("social_events", SOCIAL_PREFIX, (SOCIAL_REPLY,)),
    ("support_messages", SUPPORT_PREFIX, (AGENT_MESSAGE,)),
    (None, "", (-1,)),
)


def truth_tables(
    people: People, devices: Devices, seen: Sightings, touches: Touches, frames: Sequence[Frame]
) -> Mapping[str, Sequence[Frame]]:
    """All truth tables of a sample, each in parts that stand below one another."""
    by_table = {frame.table: frame for frame in frames}
    acts = [by_table[table] for table in EVENT_TIMES]
    return {
        "people": [people_truth(people)],
        "identifiers": [identifier_truth(people, devices, seen, by_table)],
        "prompted_acts": [part for frame in acts for part in prompted_truth(frame, touches)],
        "rows": [part for frame in frames for part in row_truth(frame)],
        "row_counts": [row_count_truth(frames)],
    }


def people_truth(people: People) -> Frame:
    """``people``: one row per true person."""
    person = np.arange(len(people))
    erased = np.isin(person, erased_people(people))
    returned = people.spells[:, 1, 1] > people.spells[:, 1, 0]
    return _table(
        "people",
        {
            "person_id": integer(person),
            "joined_at": time(people.joined),
            "first_spell_ends_at": time(people.spells[:, 0, 1]),
            "second_spell_starts_at": time(np.where(returned, people.spells[:, 1, 0], NULL_TIME)),
            "second_spell_ends_at": time(np.where(returned, people.spells[:, 1, 1], NULL_TIME)),
            "time_zone": text(people.zone, ZONES),
            "country": text(people.country, COUNTRIES),
            "activity": number(np.round(people.rate, 6)),
            "customer_ref": people.ref(person),
            "has_shared_mailbox": flag(people.is_shared_mailbox),
            "has_blocked_mailbox": flag(people.is_blocked_mailbox),
            "is_erasure_requested": flag(erased),
        },
    )


def identifier_truth(people: People, devices: Devices, seen: Sightings, frames: Mapping[str, Frame]) -> Frame:
    """``identifiers``: every identifier that the sample uses for a person, normalised, with its true owner.

    An identifier of several people has one row for each of them. ``is_linked`` says whether the rows of the
    sample lead from it to the rest of its owner; identifiers of several people lead nowhere.
    """
    has_account = seen.user.copy()
    has_account |= people.has_ref & people.has_user
    parts: list[tuple[str, Sequence[str], Ints, Bools, Bools, Bools]] = []

    def add(
        kind: str, values: Sequence[str], owner: Ints, shared: Bools, blocked: Bools, linked: Bools
    ) -> None:
        parts.append((kind, values, owner, shared, blocked, linked))

    def add_own(kind: str, values: Sequence[str], owner: Ints, linked: Bools | None = None) -> None:
        nobody = np.zeros(len(owner), dtype=np.bool_)
        add(kind, values, owner, nobody, nobody, ~nobody if linked is None else linked)

    owner = np.flatnonzero(people.has_ref)
    add_own("customer_ref", [people.refs.texts[int(who)] for who in owner], owner)
    owner = np.flatnonzero(has_account)
    tied = people.has_ref[owner] | seen.tied_user[owner]
    add_own("user_id", [people.users.texts[int(who)] for who in owner], owner, tied)
    owner = np.flatnonzero(people.has_loyalty)
    add_own("loyalty_id", [people.loyalty_ids.texts[int(who)] for who in owner], owner)

    owner = np.flatnonzero(people.has_email & _addresses_used(people, frames.values())[people.mailbox])
    add(
        "email",
        [people.emails.texts[int(code)] for code in people.mailbox[owner]],
        owner,
        people.is_shared_mailbox[owner],
        people.is_blocked_mailbox[owner],
        people.has_own_email[owner],
    )
    owner = alias_people(people)
    add_own("email", [alias_email(int(who)) for who in owner], owner)

    order = np.cumsum(people.has_phone) - 1
    owner = np.flatnonzero(people.has_phone)
    digits = ["".join(filter(str.isdigit, people.phones.texts[int(order[who])])) for who in owner]
    add_own("phone", digits, owner)

    owner = np.flatnonzero(people.has_handle)
    add_own("handle", [people.scoped_handles.texts[int(who)] for who in owner], owner)
    add_own("handle", [f"community/{people.handles.texts[int(who)]}" for who in owner], owner)
    shown = frames["reviews"].columns["handle"].values
    reviewer = np.unique(shown[shown >= 0] % len(people))
    add_own("handle", [f"{SITES[1]}/{people.handles.texts[int(who)]}" for who in reviewer], reviewer)

    device = np.flatnonzero(seen.device & (devices.owner >= 0))
    shared = devices.is_shared[device]
    stands_alone = ~people.is_known_online & ~people.has_ref
    needs_no_tie = (device == devices.chain_tail) | stands_alone[devices.owner[device]]
    add(
        "anonymous_id",
        [devices.words.texts[int(one)] for one in device],
        devices.owner[device],
        shared,
        np.zeros(len(device), dtype=np.bool_),
        (seen.tied_device[device] | needs_no_tie) & ~shared,
    )
    both = device[shared]
    yes = np.ones(len(both), dtype=np.bool_)
    add(
        "anonymous_id",
        [devices.words.texts[int(one)] for one in both],
        devices.owner[both] + 1,
        yes,
        ~yes,
        ~yes,
    )
    chain = chain_ids(people)
    add_own("anonymous_id", chain, np.zeros(len(chain), dtype=np.int64))

    kinds = [part[0] for part in parts]
    values = [value for part in parts for value in part[1]]
    return _table(
        "identifiers",
        {
            "identifier_type": text(
                np.repeat(np.arange(len(kinds)), [len(part[1]) for part in parts]), kinds
            ),
            "identifier_value": text(np.arange(len(values)), values),
            "person_id": integer(np.concatenate([part[2] for part in parts])),
            "is_shared": flag(np.concatenate([part[3] for part in parts])),
            "is_blocked": flag(np.concatenate([part[4] for part in parts])),
            "is_linked": flag(np.concatenate([part[5] for part in parts])),
        },
    )


def prompted_truth(frame: Frame, touches: Touches) -> list[Frame]:
    """``prompted_acts``: acts that were meant as answers, once per key, with the touch that they answer.

    Customer acts of these tables that are not listed happened of people's own accord.
    """
    explicit = frame.mark("explicit") > 0
    prompted = (frame.mark("touch") >= 0) | explicit
    for name in NOT_ORIGINAL:
        prompted = prompted & ~frame.trait(name)
    rows = np.flatnonzero(prompted)
    touch = frame.mark("touch")[rows].astype(np.int64)
    channel = np.where(touch >= 0, np.append(touches.channel, -1)[touch], -1)
    found = []
    for table, prefix, channels in _TOUCH_TABLES:
        part = np.flatnonzero(np.isin(channel, channels))
        found.append(_acts(frame, rows[part], explicit[rows[part]], touches, touch[part], table, prefix))
    return [part for part in found if len(part)]


def _acts(
    frame: Frame, rows: Ints, explicit: Bools, touches: Touches, touch: Ints, table: str | None, prefix: str
) -> Frame:
    """Prompted acts whose touches stand in one table, or that have no touch."""
    at = frame.columns[EVENT_TIMES[frame.table]].values[rows].astype(np.int64)
    nothing = np.full(len(rows), -1, dtype=np.int64)
    campaign = (
        frame.columns["campaign_id"].take(rows) if "campaign_id" in frame.columns else campaign_ids(nothing)
    )
    channel, number_, touched_at = nothing, nothing, np.full(len(rows), NULL_TIME)
    lag = np.full(len(rows), np.nan)
    if table is not None:
        channel, number_, touched_at = touches.channel[touch], touches.number[touch], touches.at[touch]
        lag = (at - touched_at) / SECOND
    return _table(
        "prompted_acts",
        {
            "source_table": constant(frame.table, len(rows)),
            "source_key": frame.columns[frame.key[0]].take(rows),
            "person_id": integer(frame.mark("person")[rows].astype(np.int64)),
            "acted_at": time(at),
            "prompt_rule": text(np.where(explicit, 0, 1), ("explicit", "window")),
            "campaign_id": campaign,
            "touch_channel": text(channel, CHANNELS),
            "touch_table": constant(table or "", len(rows)) if table else text(nothing, ("",)),
            "touch_key": serial(prefix, number_),
            "touched_at": time(touched_at),
            "lag_seconds": number(lag),
        },
    )


def row_truth(frame: Frame) -> list[Frame]:
    """``rows``: rows that are not plain first versions of acts by customers, one row per row and trait."""
    found = []
    for trait in sorted(set(frame.traits) - set(_HIDDEN_TRAITS)):
        rows = np.flatnonzero(frame.trait(trait))
        if not len(rows):
            continue
        rule = frame.mark("rule")[rows].astype(np.int64)
        found.append(
            _table(
                "rows",
                {
                    "source_table": constant(frame.table, len(rows)),
                    "source_key": frame.columns[frame.key[0]].take(rows),
                    "loaded_at": time(frame.loaded[rows]),
                    "trait": constant(trait, len(rows)),
                    "expected_rule": text(rule, RULES),
                    "person_id": integer(frame.mark("person")[rows].astype(np.int64)),
                },
            )
        )
    return found


def row_count_truth(frames: Sequence[Frame]) -> Frame:
    """``row_counts``: how the rows of each table split up, so that rows in = the sum of the other columns."""
    counts = {
        name: np.zeros(len(frames), dtype=np.int64) for name in ("quarantined", "superseded", "deleted")
    }
    written = np.array([len(frame) for frame in frames], dtype=np.int64)
    for place, frame in enumerate(frames):
        good = frame.mark("rule") < 0
        distinct = _distinct([frame.columns[name].values[good] for name in frame.key])
        counts["quarantined"][place] = int((~good).sum())
        counts["superseded"][place] = int(good.sum()) - distinct
        counts["deleted"][place] = int((frame.mark("deleted") > 0).sum())
    return _table(
        "row_counts",
        {
            "source_table": text(np.arange(len(frames)), [frame.table for frame in frames]),
            "rows_written": integer(written),
            "rows_quarantined": integer(counts["quarantined"]),
            "rows_superseded": integer(counts["superseded"]),
            "rows_deleted": integer(counts["deleted"]),
            "rows_current": integer(written - sum(counts.values())),
        },
    )


def _addresses_used(people: People, frames: Iterable[Frame]) -> Bools:
    """Which addresses of people occur in any row, whatever the spelling."""
    used = np.zeros(len(people) + 1, dtype=np.bool_)
    for frame in frames:
        for name in ("email", "referred_email"):
            if name in frame.columns:
                codes = frame.columns[name].values
                used[codes[(codes >= 0) & (codes < len(people.emails))] % len(used)] = True
    return used


def _distinct(keys: Sequence[Values]) -> int:
    """Number of distinct rows of a key; sorting one column beats hashing it."""
    if len(keys) > 1:
        return int(np.unique(np.stack(keys), axis=1).shape[1])
    ordered = np.sort(keys[0])
    return int(np.count_nonzero(ordered[1:] != ordered[:-1])) + min(1, len(ordered))


def _table(name: str, columns: Mapping[str, Column]) -> Frame:
    rows = len(next(iter(columns.values())).values)
    return Frame(name, (), columns, loaded=np.zeros(rows, dtype=np.int64))
