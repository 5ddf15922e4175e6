"""The people of the sample: where they live, what identifies them, when and how much they are active.

Which identifier a row carries belongs in the channels; here stands only which ones a person owns.
"""

from dataclasses import dataclass

import numpy as np

from loaders.sample.arrays import Bools, Floats, Ints
from loaders.sample.clock import DAY, Clock
from loaders.sample.dice import Dice, chosen, weighted
from loaders.sample.frames import Column, Words, text, where

# Of every 200 people the first ten are special, so that samples of 20 customers hold every case.
CASE_CYCLE = 200
CHAIN_PERSON = 0
SHARED_MAILBOX = (2, 3)
BLOCKED_MAILBOX = (4, 5)
SHARED_DEVICE = (6, 7)
ERASED = 8
ALIAS = 9
COMPLETE_CASES = 10

BLOCKED_EMAIL = "info@example.com"
COUNTRIES = ("US", "DE", "GB", "JP", "FR")
CURRENCIES = ("USD", "EUR", "GBP", "JPY")
NETWORKS = ("instagram", "facebook", "mastodon")

_COUNTRY_ZONES = np.array([0, 1, 1, 0, 1])
_COUNTRY_CURRENCIES = np.array([-1, 1, 2, 3, 1])
_COUNTRY_SHARES = (0.58, 0.17, 0.12, 0.06, 0.07)
_AREA_CODES = [code for code in range(201, 990) if code % 100 != 11]
_PHONES_PER_AREA = 100


@dataclass(frozen=True)
class People:
    """The true people, one entry per person in every array.

    Attributes:
        zone: Home zone, index in ``clock.ZONES``.
        country: Index in ``COUNTRIES``.
        currency: Index in ``CURRENCIES``; -1 pays in the reporting currency and says nothing.
        joined: When the person came to the brand; may precede the sample.
        spells: Two intervals of activity per person, shape (people, 2, 2), [start, end); the second one is
            empty unless the person came back after a long lapse.
        rate: Relative activity, gamma distributed with mean 1.
        responsiveness: Factor on the odds of answering a touch, mean 1.
        has_ref, has_user, has_email, has_phone, has_loyalty, has_handle: What the person owns.
        is_shared_mailbox, is_blocked_mailbox: The e-mail address is not the person's alone.
        shares_device: The person uses the first device of the person before.
        mailbox: Code of the e-mail address in ``emails``.
        emails: Addresses, then the same ones as careless systems write them.
        phones: Numbers, once per way of writing.
    """

    zone: Ints
    country: Ints
    currency: Ints
    joined: Ints
    spells: Ints
    rate: Floats
    responsiveness: Floats
    has_ref: Bools
    has_user: Bools
    has_email: Bools
    has_phone: Bools
    has_loyalty: Bools
    has_handle: Bools
    is_shared_mailbox: Bools
    is_blocked_mailbox: Bools
    shares_device: Bools
    mailbox: Ints
    emails: Words
    phones: Words
    refs: Words
    users: Words
    loyalty_ids: Words
    handles: Words
    scoped_handles: Words

    def __len__(self) -> int:
        """Number of people."""
        return len(self.zone)

    @property
    def has_own_email(self) -> Bools:
        """Who has an e-mail address that identifies one person."""
        return self.has_email & ~self.is_shared_mailbox & ~self.is_blocked_mailbox

    @property
    def is_known_online(self) -> Bools:
        """Whose devices can be tied to the person, by signing in or by a form."""
        return self.has_user | self.has_own_email

    @property
    def active(self) -> Ints:
        """Length of each person's activity in microseconds."""
        lengths: Ints = (self.spells[:, :, 1] - self.spells[:, :, 0]).sum(axis=1)
        return lengths

    @property
    def network(self) -> Ints:
        """The social network of each person's handle, index in ``NETWORKS``."""
        return np.arange(len(self), dtype=np.int64) % len(NETWORKS)

    def ref(self, person: Ints, shown: Bools | None = None) -> Column:
        """``customer_ref`` of people who have one, where shown."""
        return _own(person, self.has_ref, self.refs, shown)

    def user(self, person: Ints, shown: Bools | None = None) -> Column:
        """``user_id`` of people who have one, where shown."""
        return _own(person, self.has_user, self.users, shown)

    def loyalty(self, person: Ints, shown: Bools | None = None) -> Column:
        """``loyalty_id`` of people who have one, where shown."""
        return _own(person, self.has_loyalty, self.loyalty_ids, shown)

    def handle(self, rng: np.random.Generator, person: Ints, shown: Bools | None = None) -> Column:
        """Handle as a network shows it: with or without the at sign, in any case."""
        column = _own(person, self.has_handle, self.handles, shown)
        variant = (rng.random(len(person)) < 0.1) * len(self)
        return text(np.where(column.values < 0, -1, column.values + variant), self.handles)

    def scoped_handle(self, person: Ints, shown: Bools | None = None) -> Column:
        """Handle as systems of our own keep it: ``network/handle``."""
        return _own(person, self.has_handle, self.scoped_handles, shown)

    def email(self, rng: np.random.Generator, person: Ints, shown: Bools | None = None) -> Column:
        """E-mail address of people who have one, sometimes with capitals or spaces."""
        visible = self.has_email[person] if shown is None else self.has_email[person] & shown
        variant = (rng.random(len(person)) < 0.05) * (len(self) + 1)
        return text(where(visible, self.mailbox[person] + variant), self.emails)

    def phone(self, rng: np.random.Generator, person: Ints, shown: Bools | None = None) -> Column:
        """Phone number of people who have one, in any of three ways of writing."""
        visible = self.has_phone[person] if shown is None else self.has_phone[person] & shown
        order = np.cumsum(self.has_phone) - 1
        numbers = max(1, len(self.phones) // 3)
        return text(where(visible, order[person] + rng.integers(0, 3, len(person)) * numbers), self.phones)

    def acting(self, rng: np.random.Generator, clock: Clock, acts: int, eligible: Bools) -> tuple[Ints, Ints]:
        """Draw acts of people's own accord: a Poisson process per person over the time of activity.

        Given the total, the points of independent Poisson processes fall to people in proportion to rate
        times time, and uniformly within each person's time; each is then moved to a waking hour of its day.

        Args:
            rng: Source of randomness.
            clock: The period.
            acts: Number of acts in total.
            eligible: Who may act.

        Returns:
            Person and instant of each act, ordered by person; empty when nobody is eligible.
        """
        person = np.sort(weighted(rng, self.rate * self.active * eligible, acts))
        spent = (rng.random(len(person)) * self.active[person]).astype(np.int64)
        first = self.spells[person, 0]
        second = self.spells[person, 1]
        in_first = spent < first[:, 1] - first[:, 0]
        instants = np.where(in_first, first[:, 0] + spent, second[:, 0] + spent - (first[:, 1] - first[:, 0]))
        instants = clock.in_waking_hours(instants, self.zone[person], rng.random(len(person)))
        return person, instants


def make_people(dice: Dice, clock: Clock, customers: int) -> People:
    """Draw the people of a sample."""
    rng = dice.stream("people")
    ids = np.arange(customers, dtype=np.int64)
    case = ids % CASE_CYCLE
    is_special = case < COMPLETE_CASES
    country = weighted(rng, _COUNTRY_SHARES, customers)

    has_ref = chosen(rng, np.ones(customers, np.bool_), 0.82) | is_special
    has_user = (rng.random(customers) < np.where(has_ref, 0.75, 0.3)) | is_special
    has_email = (rng.random(customers) < np.where(has_ref, 0.92, 0.6)) | (has_user & ~has_ref) | is_special
    has_handle = (has_ref & (rng.random(customers) < 0.25)) | is_special
    has_loyalty = (has_ref & (rng.random(customers) < 0.45)) | is_special
    has_phone = (has_ref & (rng.random(customers) < 0.6)) | is_special
    has_phone &= np.cumsum(has_phone) <= len(_AREA_CODES) * _PHONES_PER_AREA

    partner = (case == SHARED_MAILBOX[1]) & (ids > 0)
    is_shared_mailbox = np.isin(case, SHARED_MAILBOX) & (ids + (case == SHARED_MAILBOX[0]) < customers)
    is_blocked_mailbox = np.isin(case, BLOCKED_MAILBOX)
    mailbox = np.where(partner, ids - 1, ids)
    mailbox = np.where(is_blocked_mailbox, customers, mailbox)
    phones = _phones(int(has_phone.sum()))
    names = [f"person_{number}" for number in range(customers)]
    return People(
        zone=_COUNTRY_ZONES[country],
        country=country,
        currency=_COUNTRY_CURRENCIES[country],
        joined=(joined := _joined(rng, clock, is_special)),
        spells=_spells(rng, clock, joined, is_special),
        rate=np.maximum(rng.gamma(0.8, 1 / 0.8, customers), 0.02),
        responsiveness=rng.gamma(1.5, 1 / 1.5, customers),
        has_ref=has_ref,
        has_user=has_user,
        has_email=has_email,
        has_phone=has_phone,
        has_loyalty=has_loyalty,
        has_handle=has_handle,
        is_shared_mailbox=is_shared_mailbox,
        is_blocked_mailbox=is_blocked_mailbox,
        shares_device=(case == SHARED_DEVICE[1]) & (ids > 0),
        mailbox=mailbox,
        emails=_emails(customers),
        phones=phones,
        refs=Words([f"C{number:07d}" for number in range(customers)]),
        users=Words([f"user-{number:07d}" for number in range(customers)]),
        loyalty_ids=Words([f"LOY{number:08d}" for number in range(customers)]),
        handles=Words(names + [f"@{name.title()}" for name in names]),
        scoped_handles=Words([f"{NETWORKS[i % len(NETWORKS)]}/{name}" for i, name in enumerate(names)]),
    )


def alias_email(person: int) -> str:
    """Second address of a person with an alias."""
    return f"alias{person}@example.org"


def _own(person: Ints, owned: Bools, words: Words, shown: Bools | None) -> Column:
    visible = owned[person] if shown is None else owned[person] & shown
    return text(where(visible, person), words)


def _joined(rng: np.random.Generator, clock: Clock, is_special: Bools) -> Ints:
    """Two in five were there before the sample begins; the others come during its first 85 %."""
    before = (rng.random(len(is_special)) < 0.4) | is_special
    ages = (rng.random(len(is_special)) * 365 * DAY).astype(np.int64)
    delays = (rng.random(len(is_special)) * 0.85 * (clock.end - clock.start)).astype(np.int64)
    return np.where(before, clock.start - ages, clock.start + delays)


def _spells(rng: np.random.Generator, clock: Clock, joined: Ints, is_special: Bools) -> Ints:
    """Exponential lifetimes of 400 days on average; three in ten come back after 60 days or more."""
    count = len(joined)
    begin = np.maximum(joined, clock.start)
    lifetime = np.where(is_special, 10_000, 7 + rng.exponential(400, count))
    churned = np.minimum(begin + (lifetime * DAY).astype(np.int64), clock.end)
    away = 60 + rng.exponential(90, count)
    returned = np.minimum(churned + (away * DAY).astype(np.int64), clock.end)
    again = np.where(rng.random(count) < 0.3, 14 + rng.exponential(150, count), 0.0)
    left = np.minimum(returned + (again * DAY).astype(np.int64), clock.end)
    spells: Ints = np.stack([np.stack([begin, churned], axis=1), np.stack([returned, left], axis=1)], axis=1)
    return spells


def _emails(customers: int) -> Words:
    """Addresses in domains kept for examples: one per person, the blocked one, then careless spellings."""
    shared = SHARED_MAILBOX[0]
    proper = [
        f"household{number}@example.org"
        if number % CASE_CYCLE == shared
        else f"person{number}@example.{'org' if number % 3 == 0 else 'com'}"
        for number in range(customers)
    ]
    proper.append(BLOCKED_EMAIL)
    return Words(
        proper + [f" {address.title()} " if i % 2 else address.upper() for i, address in enumerate(proper)]
    )


def _phones(count: int) -> Words:
    """Numbers 555-0100 to 555-0199, which are kept free for fiction, in three ways of writing."""
    pairs: list[tuple[int, int]] = [
        (_AREA_CODES[number // _PHONES_PER_AREA], number % _PHONES_PER_AREA) for number in range(count)
    ]
    return Words(
        [f"+1 ({area}) 555-01{line:02d}" for area, line in pairs]
        + [f"1{area}55501{line:02d}" for area, line in pairs]
        + [f"+1-{area}-555-01{line:02d}" for area, line in pairs]
    )
