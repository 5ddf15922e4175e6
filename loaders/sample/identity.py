"""Who is who as systems know it: raw tables ``customers``, ``identity_links`` and ``erasure_requests``.

The truth about identifiers belongs in ``truth``.
"""

from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np

from loaders.sample.arrays import Bools, Ints
from loaders.sample.clock import DAY, HOUR, Clock
from loaders.sample.dice import Dice, chosen
from loaders.sample.frames import Frame, serial, text, time
from loaders.sample.people import ALIAS, CASE_CYCLE, CHAIN_PERSON, COUNTRIES, ERASED, People, alias_email
from loaders.sample.web import Devices

LONG_CHAIN = 1_000
SHORT_CHAIN = 5
LONG_CHAIN_CUSTOMERS = 1_000
MOST_ERASED = 2


def chain_ids(people: People) -> list[str]:
    """The ``anonymous_id`` values of the chain of links between a person's account and the last device."""
    links = LONG_CHAIN if len(people) >= LONG_CHAIN_CUSTOMERS else SHORT_CHAIN
    return [f"chain-{number:04d}" for number in range(links - 1)]


def erased_people(people: People) -> Ints:
    """The one or two people who ask to be forgotten."""
    return np.arange(ERASED, len(people), CASE_CYCLE, dtype=np.int64)[:MOST_ERASED]


def alias_people(people: People) -> Ints:
    """People with a second e-mail address."""
    return np.arange(ALIAS, len(people), CASE_CYCLE, dtype=np.int64)


def customer_frame(dice: Dice, clock: Clock, people: People) -> Frame:
    """Raw table ``customers``: everybody whom the CRM knows, loaded on joining or when the sample begins."""
    rng = dice.stream("customers")
    person = np.flatnonzero(people.has_ref)
    return Frame(
        "customers",
        ("customer_ref",),
        {
            "customer_ref": people.ref(person),
            "created_at": time(people.joined[person]),
            "email": people.email(rng, person),
            "phone": people.phone(rng, person),
            "loyalty_id": people.loyalty(person),
            "country": text(people.country[person], COUNTRIES),
        },
        loaded=clock.batch(np.maximum(people.joined[person], clock.start)),
        marks={"person": person},
    )


@dataclass(frozen=True)
class Sightings:
    """What the web site has seen together.

    Attributes:
        device: Which devices appear at all.
        tied_device: Which appear in a row with an account or an address.
        user: Whose account appears.
        tied_user: Whose account appears in a row with the person's own address.
    """

    device: Bools
    tied_device: Bools
    user: Bools
    tied_user: Bools


def web_sightings(people: People, devices: Devices, web: Frame) -> Sightings:
    """Read from the finished rows what they tie together."""
    device, user, email = (web.columns[name].values for name in ("anonymous_id", "user_id", "email"))
    seen = Sightings(
        np.zeros(len(devices.owner), dtype=np.bool_),
        np.zeros(len(devices.owner), dtype=np.bool_),
        np.zeros(len(people), dtype=np.bool_),
        np.zeros(len(people), dtype=np.bool_),
    )
    seen.device[device] = True
    seen.tied_device[device[(user >= 0) | (email >= 0)]] = True
    seen.user[user[user >= 0]] = True
    seen.tied_user[user[(user >= 0) & (email >= 0)]] = True
    return seen


@dataclass
class _Links:
    """Rows of ``identity_links`` while they are collected."""

    left_type: list[str] = field(default_factory=list)
    left_value: list[str] = field(default_factory=list)
    right_type: list[str] = field(default_factory=list)
    right_value: list[str] = field(default_factory=list)
    person: list[int] = field(default_factory=list)

    def add(self, person: int, left_type: str, left: str, right_type: str, right: str) -> None:
        self.left_type.append(left_type)
        self.left_value.append(left)
        self.right_type.append(right_type)
        self.right_value.append(right)
        self.person.append(person)


def link_frame(dice: Dice, clock: Clock, people: People, devices: Devices, seen: Sightings) -> Frame:
    """Raw table ``identity_links``.

    Holds, in no order: accounts and social handles of people whom the CRM knows, aliases of e-mail addresses,
    some devices, and one chain from an account over many browsers to the last one.

    Args:
        dice: Source of randomness.
        clock: The period.
        people: The people.
        devices: Their devices.
        seen: What the web site ties together already; some of those people need no link.
    """
    rng = dice.stream("identity_links")
    links = _Links()
    everyone = people.has_ref & people.has_user
    spared = everyone & seen.tied_user & people.has_own_email & (rng.random(len(people)) < 0.25)
    for person in np.flatnonzero(everyone & ~spared).tolist():
        links.add(person, "user_id", people.users.texts[person], "customer_ref", people.refs.texts[person])
    for person in np.flatnonzero(people.has_handle).tolist():
        ref = people.refs.texts[person]
        name = people.handles.texts[person]
        links.add(person, "handle", people.scoped_handles.texts[person], "customer_ref", ref)
        links.add(person, "handle", f"community/{name}", "customer_ref", ref)
    for person in alias_people(people).tolist():
        main = people.emails.texts[people.mailbox[person]]
        links.add(person, "email", alias_email(person), "email", main)
    linked = seen.tied_device & ~devices.is_shared & (devices.owner >= 0)
    linked[devices.chain_tail] = False
    linked[linked] = people.has_user[devices.owner[linked]]
    for device in np.flatnonzero(chosen(rng, linked, 0.03)).tolist():
        owner = int(devices.owner[device])
        links.add(owner, "anonymous_id", devices.words.texts[device], "user_id", people.users.texts[owner])
    chain = [*chain_ids(people), devices.words.texts[devices.chain_tail]]
    links.add(CHAIN_PERSON, "user_id", people.users.texts[CHAIN_PERSON], "anonymous_id", chain[0])
    for left, right in pairwise(chain):
        links.add(CHAIN_PERSON, "anonymous_id", left, "anonymous_id", right)

    count = len(links.person)
    mixed = rng.permutation(count)
    person_of = np.array(links.person, dtype=np.int64)[mixed]
    since = np.maximum(people.joined[person_of], clock.start)
    observed = since + (rng.random(count) * (clock.end - HOUR - since)).astype(np.int64)
    types = ("customer_ref", "user_id", "anonymous_id", "email", "handle")
    return Frame(
        "identity_links",
        ("link_id",),
        {
            "link_id": serial("link-", np.arange(count)),
            "left_type": text(np.array([types.index(name) for name in links.left_type])[mixed], types),
            "left_value": text(mixed, links.left_value),
            "right_type": text(np.array([types.index(name) for name in links.right_type])[mixed], types),
            "right_value": text(mixed, links.right_value),
            "observed_at": time(observed),
        },
        loaded=clock.batch(observed),
        marks={"person": person_of},
    )


def erasure_frame(clock: Clock, people: People) -> Frame:
    """Raw table ``erasure_requests``: by address, and one of them also by the CRM's number."""
    person = erased_people(people)
    requests = [(int(who), "email", people.emails.texts[people.mailbox[who]]) for who in person]
    requests += [(int(who), "customer_ref", people.refs.texts[who]) for who in person[:1]]
    count = len(requests)
    at = clock.end - 3 * DAY + np.arange(count, dtype=np.int64) * HOUR
    at = np.maximum(at, clock.start)
    return Frame(
        "erasure_requests",
        ("request_id",),
        {
            "request_id": serial("era-", np.arange(count)),
            "identifier_type": text(np.arange(count), [kind for _, kind, _ in requests]),
            "identifier_value": text(np.arange(count), [value for _, _, value in requests]),
            "requested_at": time(at),
        },
        loaded=clock.batch(at),
        marks={"person": np.array([who for who, _, _ in requests], dtype=np.int64)},
    )
