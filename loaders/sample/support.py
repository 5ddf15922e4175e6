"""Help desk: raw tables ``support_tickets`` and ``support_messages``.

Public messages of agents are touches; what customers write after one is prompted by it.
"""

import numpy as np

from loaders.sample.arrays import Ints
from loaders.sample.campaigns import AGENT_MESSAGE, WINDOW_DAYS
from loaders.sample.clock import DAY, HOUR, MINUTE, SECOND, Clock
from loaders.sample.dice import Dice, chosen, weighted
from loaders.sample.frames import NULL_TIME, Column, Frame, flag, serial, text, time, with_versions
from loaders.sample.people import ALIAS, CASE_CYCLE, People, alias_email
from loaders.sample.touches import Touches, reaction_lag

ROLES = ("customer", "agent", "system")
CUSTOMER, AGENT, SYSTEM = range(len(ROLES))
VIAS = ("email", "chat", "phone", "web", "social")
TYPES = ("question", "problem", "complaint", "request")
MESSAGE_PREFIX = "sup-"

_ROUNDS = 4
_WINDOW = int(WINDOW_DAYS[AGENT_MESSAGE]) * DAY


def make_support(
    dice: Dice, clock: Clock, people: People, tickets: int, touches: Touches
) -> tuple[Frame, Frame, Touches]:
    """Open tickets and let customers and agents write in turn.

    Args:
        dice: Source of randomness.
        clock: The period.
        people: Who may ask; only people whom the CRM knows.
        tickets: How many tickets.
        touches: What the brand did elsewhere.

    Returns:
        Tickets, messages, and the touches with the agents' messages behind them.
    """
    rng = dice.stream("support")
    person, created = people.acting(rng, clock, tickets, people.has_ref)
    count = len(person)
    everyone = np.ones(count, np.bool_)
    creator = np.where(chosen(rng, everyone, 0.07), AGENT, CUSTOMER)
    creator = np.where(chosen(rng, creator == CUSTOMER, 0.06), SYSTEM, creator)

    ticket_ids = np.arange(count)
    first_at = created + (rng.random(count) * 45 * SECOND).astype(np.int64)
    opening = np.flatnonzero(creator != SYSTEM)
    parts = [(opening, first_at[opening], creator[opening], np.full(len(opening), -1))]
    acknowledged = np.flatnonzero((creator == CUSTOMER) & (rng.random(count) < 0.3))
    parts.append(
        (
            acknowledged,
            created[acknowledged] + MINUTE,
            np.full(len(acknowledged), SYSTEM),
            np.full(len(acknowledged), -1),
        )
    )
    agent_touches = [opening[creator[opening] == AGENT]]
    agent_times = [first_at[agent_touches[0]]]
    public = [np.ones(len(opening), np.bool_), np.ones(len(acknowledged), np.bool_)]

    talking = ticket_ids
    last = first_at + MINUTE
    touched_before = len(agent_touches[0])
    for turn in range(_ROUNDS):
        answered = last[talking] + MINUTE + (rng.exponential(6 * HOUR, len(talking))).astype(np.int64)
        in_time = answered < clock.end
        talking, answered = talking[in_time], answered[in_time]
        is_public = chosen(rng, np.ones(len(talking), np.bool_), 0.87)
        parts.append((talking, answered, np.full(len(talking), AGENT), np.full(len(talking), -1)))
        public.append(is_public)
        seen, seen_at = talking[is_public], answered[is_public]
        numbers = touched_before + np.arange(len(seen))
        agent_touches.append(seen)
        agent_times.append(seen_at)
        touched_before += len(seen)
        last[talking] = answered
        replied = seen_at + reaction_lag(rng, np.full(len(seen), _WINDOW))
        replies = chosen(rng, replied < clock.end, 0.7 if turn == 0 else 0.45)
        talking = seen[replies]
        parts.append(
            (talking, replied[replies], np.full(len(talking), CUSTOMER), len(touches) + numbers[replies])
        )
        public.append(np.ones(len(talking), np.bool_))
        last[talking] = replied[replies]

    ticket, at, role, touch = (np.concatenate([part[place] for part in parts]) for place in range(4))
    is_agent_touch = (role == AGENT) & np.concatenate(public)
    number = np.arange(len(ticket))
    log = touches.followed_by(
        Touches(
            person[np.concatenate(agent_touches)],
            np.full(touched_before, AGENT_MESSAGE),
            np.concatenate(agent_times),
            number[is_agent_touch],
        )
    )
    messages = Frame(
        "support_messages",
        ("message_id",),
        {
            "message_id": serial(MESSAGE_PREFIX, number),
            "ticket_id": serial("tkt-", ticket),
            "author_role": text(role, ROLES),
            "is_public": flag(np.concatenate(public)),
            "sent_at": time(at),
        },
        loaded=clock.batch(at),
        marks={"person": person[ticket], "touch": log.prompt(touch, at)},
        traits={"agent": role == AGENT, "system": role == SYSTEM},
    )
    return _tickets(rng, clock, people, person, created, creator, last), messages, log


def _tickets(
    rng: np.random.Generator,
    clock: Clock,
    people: People,
    person: Ints,
    created: Ints,
    creator: Ints,
    last: Ints,
) -> Frame:
    """Tickets, loaded when they are opened and again when they are solved."""
    count = len(person)
    via = weighted(rng, (0.4, 0.2, 0.2, 0.15, 0.05), count)
    via = np.where((via == 4) & ~people.has_handle[person], 0, via)
    solved_at = last + (rng.exponential(12 * HOUR, count)).astype(np.int64)
    solved = chosen(rng, solved_at < clock.end - DAY // 4, 0.85)
    solved_at = np.where(solved, solved_at, NULL_TIME)
    frame = Frame(
        "support_tickets",
        ("ticket_id",),
        {
            "ticket_id": serial("tkt-", np.arange(count)),
            "customer_ref": people.ref(person, (via != 4) & ((via != 0) | ~people.has_own_email[person])),
            "user_id": people.user(person, via == 3),
            "email": _email(rng, people, person, via),
            "handle": people.scoped_handle(person, via == 4),
            "via": text(via, VIAS),
            "ticket_type": text(weighted(rng, (0.45, 0.3, 0.1, 0.15), count), TYPES),
            "created_by": text(creator, ROLES),
            "status": text(np.where(solved, 1, 0), ("open", "solved")),
            "created_at": time(created),
            "solved_at": time(solved_at),
        },
        loaded=clock.batch(created),
        marks={"person": person},
        traits={"agent": creator == AGENT, "system": creator == SYSTEM},
    )
    rows = np.flatnonzero(solved & (clock.batch(solved_at) > frame.loaded))
    once = np.flatnonzero(solved)
    loaded = frame.loaded.copy()
    loaded[once] = clock.batch(solved_at[once])
    earlier = {
        "status": frame.columns["status"].take(rows).but_codes(0),
        "solved_at": time(np.full(len(rows), NULL_TIME)),
    }
    return with_versions(frame.but(loaded=loaded), rows, earlier, frame.loaded[rows], loaded[rows])


def _email(rng: np.random.Generator, people: People, person: Ints, via: Ints) -> Column:
    """Address of those who write by e-mail; people with an alias write from it."""
    column = people.email(rng, person, via == 0)
    writes_as_alias = (person % CASE_CYCLE == ALIAS) & (via == 0)
    authors, code = np.unique(person[writes_as_alias], return_inverse=True)
    values = column.values.copy()
    values[writes_as_alias] = len(people.emails) + code
    return text(values, [*people.emails.texts, *(alias_email(int(author)) for author in authors)])
