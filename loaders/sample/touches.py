"""What the brand sends, and how people react to it: raw table ``message_events`` and the answers elsewhere.

Answers that happen in other channels (visits, orders, reviews, survey responses) leave this module as plain
lists of who, when and because of which touch; their rows are made where their tables are made.
"""

from dataclasses import dataclass

import numpy as np

from loaders.sample import campaigns as plan
from loaders.sample.arrays import Bools, Floats, Ints
from loaders.sample.campaigns import AD, CHANNELS, DIRECT_MAIL, EMAIL, PUSH, SMS, WINDOW_DAYS, Plans
from loaders.sample.clock import DAY, HOUR, MINUTE, SECOND, Clock
from loaders.sample.dice import Dice, chosen, weighted
from loaders.sample.frames import Frame, flag, serial, text, time
from loaders.sample.people import People

EVENTS = ("sent", "delivered", "opened", "clicked", "replied", "unsubscribed", "bounced", "complained")
SENT, DELIVERED, OPENED, CLICKED, REPLIED, UNSUBSCRIBED, BOUNCED, COMPLAINED = range(len(EVENTS))

# Odds per channel (email, sms, push, direct mail, ad) that a person of average responsiveness does this.
_OPEN = np.array([0.25, 0.0, 0.3, 0.0, 0.0])
_CLICK = np.array([0.07, 0.06, 0.06, 0.0, 0.02])
_COME_BY_THEMSELVES = np.array([0.03, 0.03, 0.05, 0.03, 0.01])
_SHARE_OF_TOUCHES = np.array([0.66, 0.12, 0.1, 0.08, 0.04])
_REPLY = np.array([0.004, 0.01, 0.0, 0.0, 0.0])
_UNSUBSCRIBE = np.array([0.004, 0.003, 0.0, 0.0, 0.0])

MESSAGE_PREFIX = "msg-"
CLICK_PREFIX = "clk-"


@dataclass(frozen=True)
class Touches:
    """Acts of the brand towards known people, from any table.

    Attributes:
        person: True receiver.
        channel: Index in ``campaigns.CHANNELS``; fixes the window.
        at: When the touch happened; midnight UTC of the date where only the day is known.
        number: Number in the key of the row in the raw table of its channel.
    """

    person: Ints
    channel: Ints
    at: Ints
    number: Ints

    def __len__(self) -> int:
        """Number of touches."""
        return len(self.person)

    def followed_by(self, other: "Touches") -> "Touches":
        """These touches and then others; positions of these stay."""
        return Touches(
            np.concatenate([self.person, other.person]),
            np.concatenate([self.channel, other.channel]),
            np.concatenate([self.at, other.at]),
            np.concatenate([self.number, other.number]),
        )

    def prompt(self, touch: Ints, instants: Ints) -> Ints:
        """Keep the touch of each act that falls inside the touch's window, and -1 for the others."""
        safe = np.maximum(touch, 0)
        if not len(self):
            return np.full(len(touch), -1, dtype=np.int64)
        lag = instants - self.at[safe]
        inside = (touch >= 0) & (lag > 0) & (lag <= WINDOW_DAYS[self.channel[safe]] * DAY)
        return np.where(inside, touch, -1)


@dataclass(frozen=True)
class Answers:
    """Acts outside ``message_events`` that a touch prompted.

    Attributes:
        touch: Position in the touches.
        person: Who acts.
        at: When.
        campaign: Campaign of the touch.
        click: Number of the click that led there; -1 for people who came by themselves.
    """

    touch: Ints
    person: Ints
    at: Ints
    campaign: Ints
    click: Ints

    def take(self, rows: Ints | Bools) -> "Answers":
        """Some of the answers."""
        return Answers(
            self.touch[rows], self.person[rows], self.at[rows], self.campaign[rows], self.click[rows]
        )

    def followed_by(self, other: "Answers") -> "Answers":
        """These answers and then others."""
        return Answers(
            np.concatenate([self.touch, other.touch]),
            np.concatenate([self.person, other.person]),
            np.concatenate([self.at, other.at]),
            np.concatenate([self.campaign, other.campaign]),
            np.concatenate([self.click, other.click]),
        )


@dataclass(frozen=True)
class Messaging:
    """All that follows from the campaigns' messages.

    Attributes:
        frame: Raw table ``message_events``.
        touches: One touch per message, its position being the number in its key.
        visits: Web and app visits that follow.
        store_orders: Orders in a store that follow direct mail.
        surveys: Survey responses.
        reviews: Invited reviews.
    """

    frame: Frame
    touches: Touches
    visits: Answers
    store_orders: Answers
    surveys: Answers
    reviews: Answers


@dataclass(frozen=True)
class _Messages:
    """Messages before they become rows; arrays as in ``Touches``."""

    person: Ints
    campaign: Ints
    channel: Ints
    at: Ints


def reaction_lag(rng: np.random.Generator, window: Ints) -> Ints:
    """Time from touch to answer: soon after it as a rule, and always inside 95 % of the window."""
    return (20 * SECOND + rng.beta(0.5, 3.0, len(window)) * 0.95 * window).astype(np.int64)


def make_messaging(dice: Dice, clock: Clock, people: People, plans: Plans, touches: int) -> Messaging:
    """Send the campaigns and let people answer.

    Args:
        dice: Source of randomness.
        clock: The period.
        people: Receivers.
        plans: Campaigns to send.
        touches: How many messages are aimed at; fewer go out where people unsubscribed or cannot be reached.
    """
    rng = dice.stream("touches")
    messages, wants_out, out_at = _unsubscribing(
        rng, clock, people, _send(rng, clock, people, plans, touches)
    )
    count = len(messages.person)
    log = Touches(messages.person, messages.channel, messages.at, np.arange(count, dtype=np.int64))
    rows = _Rows(log, messages)
    channel = messages.channel

    bounced = chosen(rng, (channel == EMAIL) & ~wants_out, 0.02)
    arrived = ~bounced
    arrives_at = messages.at + (rng.random(count) * 40 * SECOND).astype(np.int64) + SECOND
    has_only_delivery = (channel == AD) | ((channel == SMS) & (rng.random(count) < 0.3))
    everything = np.arange(count)
    primary = np.where(has_only_delivery, DELIVERED, SENT)
    rows.add(everything, messages.at, primary)
    told = np.flatnonzero(arrived & ~has_only_delivery & np.isin(channel, (EMAIL, SMS)))
    rows.add(told, arrives_at[told], DELIVERED)
    rows.add(np.flatnonzero(bounced), arrives_at[bounced], BOUNCED)
    machine = np.flatnonzero(chosen(rng, arrived & (channel == EMAIL), 0.3, at_least=2))
    machine_at = arrives_at[machine] + (rng.random(len(machine)) * 8 * SECOND).astype(np.int64) + SECOND
    scans = np.where(np.arange(len(machine)) % 20 == 1, CLICKED, OPENED)
    rows.add(machine, machine_at, scans, is_machine=True)

    window = WINDOW_DAYS[channel] * DAY
    first_lag = np.where(channel == DIRECT_MAIL, DAY + DAY // 2, 90 * SECOND)
    limit = clock.end - DAY // 4

    def answer(eligible: Bools, odds: Floats | float, click: bool = False) -> Answers:
        """Draw who answers and when, in all but the last hours of the data."""
        at = messages.at + first_lag + reaction_lag(rng, window - DAY * (channel == DIRECT_MAIL) * 2)
        reacting = eligible & arrived & (at < limit)
        likely = np.minimum(odds * people.responsiveness[messages.person], 0.9)
        found = np.flatnonzero(chosen(rng, reacting, likely, at_least=2))
        clicks = np.arange(len(found)) + clicked_before if click else np.full(len(found), -1)
        return Answers(found, messages.person[found], at[found], messages.campaign[found], clicks)

    clicked_before = 0
    purpose = plans.purpose[messages.campaign]
    asks = np.isin(purpose, (plan.SURVEY, plan.REVIEW_REQUEST))
    reachable = people.is_known_online[messages.person]
    by_click = []
    for code in (EMAIL, SMS, PUSH, AD):
        for asking in (plan.SURVEY, plan.REVIEW_REQUEST, -1) if code == EMAIL else (-1,):
            aimed = (channel == code) & (~asks if asking < 0 else purpose == asking)
            found = answer(
                aimed & (reachable | asks), _CLICK[channel] * (1.0 if asking < 0 else 2.5), click=True
            )
            clicked_before += len(found.person)
            by_click.append(found)
    clicks = by_click[0]
    for more in by_click[1:]:
        clicks = clicks.followed_by(more)
    rows.add(clicks.touch, clicks.at, CLICKED)

    opened = chosen(rng, arrived & np.isin(channel, (EMAIL, PUSH)), _OPEN[channel])
    opened_at = messages.at + reaction_lag(rng, window)
    opened_at[clicks.touch] = (
        clicks.at - 5 * SECOND - (rng.random(len(clicks.at)) * 25 * SECOND).astype(np.int64)
    )
    opened[clicks.touch] |= channel[clicks.touch] == EMAIL
    opened &= opened_at < clock.end
    rows.add(np.flatnonzero(opened), opened_at[opened], OPENED)

    for event, odds in ((REPLIED, _REPLY), (COMPLAINED, np.array([0.0008, 0, 0, 0, 0]))):
        found = answer(np.isin(channel, np.flatnonzero(odds)), odds[channel])
        rows.add(found.touch, found.at, event)
    rows.add(np.flatnonzero(wants_out), out_at[wants_out], UNSUBSCRIBED)

    asked = purpose[clicks.touch]
    by_themselves = answer(reachable & ~asks, _COME_BY_THEMSELVES[channel])
    landed = clicks.take(reachable[clicks.touch] & ~np.isin(asked, (plan.SURVEY, plan.REVIEW_REQUEST)))
    arrivals = Answers(landed.touch, landed.person, landed.at + 2 * SECOND, landed.campaign, landed.click)
    return Messaging(
        frame=rows.frame(rng, clock, people),
        touches=log,
        visits=arrivals.followed_by(by_themselves),
        store_orders=answer((channel == DIRECT_MAIL) & people.has_ref[messages.person], 0.06),
        surveys=_finished(rng, clicks.take(asked == plan.SURVEY)),
        reviews=_finished(rng, clicks.take(asked == plan.REVIEW_REQUEST)),
    )


def _finished(rng: np.random.Generator, answers: Answers) -> Answers:
    """Most people who open a form fill it in, within minutes of the click."""
    done = answers.take(chosen(rng, np.ones(len(answers.person), np.bool_), 0.7, at_least=2))
    later = done.at + 30 * SECOND + (rng.random(len(done.at)) * 10 * MINUTE).astype(np.int64)
    return Answers(done.touch, done.person, later, done.campaign, done.click)


def _send(rng: np.random.Generator, clock: Clock, people: People, plans: Plans, touches: int) -> _Messages:
    """Draw receivers for each campaign among those whom its channel reaches, each person at most once."""
    in_channel = np.bincount(plans.channel, minlength=len(_SHARE_OF_TOUCHES))
    weights = _SHARE_OF_TOUCHES[plans.channel] / in_channel[plans.channel]
    campaign = np.concatenate([np.arange(len(weights)), weighted(rng, weights, touches)])
    reach = (
        people.has_email,
        people.has_phone,
        people.has_ref & people.has_user,
        people.has_ref,
        people.has_own_email,
    )
    liking = 0.3 + rng.gamma(1.0, 0.7, len(people))
    person = np.full(len(campaign), -1, dtype=np.int64)
    for code, reached in enumerate(reach):
        rows = np.flatnonzero(plans.channel[campaign] == code)
        drawn = weighted(rng, liking * reached, len(rows))
        person[rows[: len(drawn)]] = drawn
    at = plans.campaign_start[campaign] + (rng.random(len(campaign)) * 2 * HOUR).astype(np.int64)
    at = np.where(plans.channel[campaign] == DIRECT_MAIL, at // DAY * DAY, at)
    there = (
        (person >= 0) & (people.joined[person] < plans.campaign_start[campaign] - 2 * DAY) & clock.within(at)
    )
    pairs = campaign[there] * len(people) + person[there]
    _, first = np.unique(pairs, return_index=True)
    rows = np.flatnonzero(there)[first]
    rows = rows[np.argsort(at[rows], kind="stable")]
    return _Messages(person[rows], campaign[rows], plans.channel[campaign[rows]], at[rows])


def _unsubscribing(
    rng: np.random.Generator, clock: Clock, people: People, sent: _Messages
) -> tuple[_Messages, Bools, Ints]:
    """Let some people unsubscribe, and drop what would have been sent to them in that channel afterwards."""
    odds = _UNSUBSCRIBE[sent.channel]
    lag = reaction_lag(rng, WINDOW_DAYS[sent.channel] * DAY)
    at = sent.at + lag
    wants_out = chosen(rng, (odds > 0) & (at < clock.end), odds)
    line = sent.channel * len(people) + sent.person
    out_since = np.full(len(CHANNELS) * len(people), clock.end, dtype=np.int64)
    np.minimum.at(out_since, line[wants_out], at[wants_out])
    kept = sent.at <= out_since[line]
    wants_out &= kept & (at == out_since[line])
    messages = _Messages(sent.person[kept], sent.campaign[kept], sent.channel[kept], sent.at[kept])
    return messages, wants_out[kept], at[kept]


class _Rows:
    """Collects rows of ``message_events``; the first rows are the messages themselves, in order."""

    def __init__(self, log: Touches, messages: _Messages) -> None:
        self._log = log
        self._messages = messages
        self._message: list[Ints] = []
        self._at: list[Ints] = []
        self._event: list[Ints] = []
        self._machine: list[Bools] = []

    def add(self, message: Ints, at: Ints, event: Ints | int, is_machine: bool = False) -> None:
        self._message.append(message)
        self._at.append(at)
        self._event.append(np.broadcast_to(np.asarray(event, dtype=np.int64), message.shape))
        self._machine.append(np.full(len(message), is_machine))

    def frame(self, rng: np.random.Generator, clock: Clock, people: People) -> Frame:
        message = np.concatenate(self._message)
        event = np.concatenate(self._event)
        at = np.concatenate(self._at)
        machine = np.concatenate(self._machine)
        keep = at < clock.end
        number = np.flatnonzero(keep)
        message, event, at, machine = message[keep], event[keep], at[keep], machine[keep]

        person = self._messages.person[message]
        channel = self._messages.channel[message]
        by_ref = people.has_ref[person] & (
            ~people.has_own_email[person] | (rng.random(len(self._log)) < 0.7)[message]
        )
        by_ref |= np.isin(channel, (PUSH, DIRECT_MAIL))
        by_phone = (channel == SMS) & people.has_phone[person]
        by_email = np.isin(channel, (EMAIL, AD)) & (~by_ref | (rng.random(len(person)) < 0.6))
        acts = np.isin(event, (OPENED, CLICKED, REPLIED, UNSUBSCRIBED, COMPLAINED)) & ~machine
        touch = self._log.prompt(np.where(acts, message, -1), at)
        return Frame(
            "message_events",
            ("event_id",),
            {
                "event_id": serial(MESSAGE_PREFIX, number),
                "message_channel": text(channel, CHANNELS),
                "customer_ref": people.ref(person, by_ref | ((channel == SMS) & ~by_phone)),
                "email": people.email(rng, person, by_email),
                "phone": people.phone(rng, person, by_phone),
                "event_name": text(event, EVENTS),
                "campaign_id": plan.campaign_ids(self._messages.campaign[message]),
                # this messaging tool does not follow a customer into the shop
                "order_id": text(np.full(len(at), -1), ("",)),
                "is_machine": flag(np.where(machine, 1, np.where(event <= DELIVERED, -1, 0))),
                "occurred_at": time(at),
                "is_date_only": flag(channel == DIRECT_MAIL),
            },
            loaded=clock.batch(at),
            marks={"person": person, "touch": touch, "explicit": (touch >= 0).astype(np.int64)},
            traits={"machine": machine, "system": event == BOUNCED},
        )
