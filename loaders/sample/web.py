"""The web site and the app: raw table ``web_events``, the bulk of a sample.

Visits are planned first (who, when, on which device, because of what); then every visit becomes a burst of
events. What an order consists of belongs in ``commerce``.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from loaders.sample.arrays import Bools, Floats, Ints
from loaders.sample.campaigns import campaign_ids
from loaders.sample.clock import DAY, HOUR, MINUTE, SECOND, Clock
from loaders.sample.commerce import APP, ONLINE, ORDER_PREFIX, Orders, orders_of
from loaders.sample.dice import Dice, chosen, scrambled, weighted
from loaders.sample.frames import Column, Frame, Kind, Words, number, serial, text, time
from loaders.sample.people import CHAIN_PERSON, People
from loaders.sample.touches import CLICK_PREFIX, Answers, Touches

PLATFORMS = ("web", "app")
WEB, IN_APP = range(len(PLATFORMS))
EVENTS = (
    "page_view",
    "product_view",
    "search",
    "add_to_cart",
    "remove_from_cart",
    "checkout_started",
    "pricing_view",
    "video_play",
    "download",
    "share",
    "login",
    "form_submit",
    "purchase",
)
_CODE = {name: code for code, name in enumerate(EVENTS)}
_SHARES = (0.47, 0.27, 0.1, 0.05, 0.01, 0.01, 0.03, 0.035, 0.015, 0.01)
_ORDER_STEPS = np.array(
    [_CODE[name] for name in ("product_view", "add_to_cart", "checkout_started", "purchase")]
)

MEAN_EVENTS = 6.0
BOT_SHARE = 0.015
NO_CONSENT = "00000000-0000-0000-0000-000000000000"
PRODUCTS = 200

_MOST_EVENTS = 40
_PLANNED_EVENTS = 12
_PLANNED_GAP = 3 * MINUTE
_LONGEST_GAP = 9 * MINUTE
_BROWSERS = tuple(
    f"Mozilla/5.0 ({system}) {engine}"
    for system in ("Windows NT 10.0; Win64; x64", "Macintosh; Intel Mac OS X 14_4", "X11; Linux x86_64")
    for engine in ("Gecko/20100101 Firefox/133.0", "AppleWebKit/537.36 Chrome/131.0.0.0 Safari/537.36")
)
_APPS = ("ExampleApp/4.2 (iPhone; iOS 18.1)", "ExampleApp/4.2 (Android 15; Pixel 9)")
_BOTS = (
    "Mozilla/5.0 (compatible; ExampleBot/2.1; +https://example.com/bot)",
    "Mozilla/5.0 (X11; Linux x86_64) HeadlessChrome/131.0.0.0",
    "python-requests/2.32",
    "ExampleSpider/1.0",
)
_AGENTS = Words(_BROWSERS + _APPS + _BOTS)
_MEDIA = ("email", "sms", "push", "direct_mail", "ad")
_REFERRERS = ("https://search.example.com/", "https://news.example.org/", "https://social.example.org/")


@dataclass(frozen=True)
class Devices:
    """Devices, browsers or installations, each with an ``anonymous_id``.

    Attributes:
        first: First device of each person; a person's devices follow each other.
        owner: True owner of each device; -1 for bots and for the id of those who do not consent.
        is_linked: Whether the data ties the device to the rest of its owner.
        is_shared: Whether two people use it.
        words: The ``anonymous_id`` of each.
        chain_tail: Device at the far end of the long chain of links; only the chain says whose it is.
        bots: First bot.
        no_consent: The id that trackers send without consent.
    """

    first: Ints
    owner: Ints
    is_linked: Bools
    is_shared: Bools
    words: Words
    chain_tail: int
    bots: int
    no_consent: int

    def count_of(self, person: Ints) -> Ints:
        """How many devices each person has."""
        return self.first[person + 1] - self.first[person]


@dataclass(frozen=True)
class Visits:
    """Visits before they become events.

    Attributes:
        person: Who, -1 for a bot.
        at: Start.
        device: Index of the device.
        platform: Index in ``PLATFORMS``.
        touch, campaign, click: What prompted it; -1 for nothing. A click stands on the first event.
        is_planned: Evenly spaced events around midnight or a change of the clocks.
    """

    person: Ints
    at: Ints
    device: Ints
    platform: Ints
    touch: Ints
    campaign: Ints
    click: Ints
    is_planned: Bools
    is_dst: Bools


def make_devices(dice: Dice, people: People, bots: int) -> Devices:
    """Give everybody one device or more; some never sign in on the last one, and a few share one."""
    rng = dice.stream("devices")
    known = people.is_known_online
    counts = np.where(known, 1 + np.minimum(rng.poisson(0.8, len(people)), 4), 1)
    first = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
    owner = np.repeat(np.arange(len(people)), counts)
    is_linked = np.ones(len(owner), dtype=np.bool_)
    is_shared = np.zeros(len(owner), dtype=np.bool_)
    hidden = (counts > 1) & (rng.random(len(people)) < 0.15)
    is_linked[first[1:][hidden] - 1] = False
    sharers = np.flatnonzero(people.shares_device)
    is_shared[first[sharers - 1]] = True
    extra = 1 + bots + 1
    ids = scrambled(np.arange(len(owner) + 1 + bots), 7)
    own = len(owner)
    return Devices(
        first=first,
        owner=np.concatenate([owner, [CHAIN_PERSON], np.full(bots + 1, -1)]),
        is_linked=np.concatenate([is_linked, [True], np.zeros(extra - 1, np.bool_)]),
        is_shared=np.concatenate([is_shared, np.zeros(extra, np.bool_)]),
        words=Words([f"{int(value):016x}" for value in ids] + [NO_CONSENT]),
        chain_tail=own,
        bots=own + 1,
        no_consent=own + 1 + bots,
    )


def make_web(
    dice: Dice, clock: Clock, people: People, prompted: Answers, touches: Touches, events: int
) -> tuple[Frame, Orders, Devices]:
    """Make the web site's and the app's events.

    Args:
        dice: Source of randomness.
        clock: The period.
        people: Visitors.
        prompted: Visits that follow a message.
        touches: All touches; the windows of those of ``prompted`` are looked up here.
        events: How many events are aimed at.

    Returns:
        The raw table, the orders that visits end in (order numbers are positions), and the devices.
    """
    rng = dice.stream("web")
    devices = make_devices(dice, people, bots=2 + events // 20_000)
    visits = _plan(rng, clock, people, devices, prompted, events)
    count = len(visits.person)
    is_bot = visits.person < 0
    safe = np.maximum(visits.person, 0)

    is_tail = visits.device == devices.chain_tail
    no_consent = (visits.touch < 0) & ~is_bot & ~visits.is_planned & ~is_tail & (rng.random(count) < 0.004)
    can_buy = ~is_bot & people.is_known_online[safe] & ~visits.is_planned & ~no_consent & ~is_tail
    can_buy &= visits.at < clock.end - 10 * HOUR
    buys = chosen(rng, can_buy, np.where(visits.touch >= 0, 0.15, 0.09), at_least=2)

    size = 1 + np.minimum(rng.geometric(1 / MEAN_EVENTS, count) - 1, _MOST_EVENTS)
    size = np.where(is_bot, rng.integers(20, 80, count), size)
    size = np.where(buys, size + 5, size)
    size = np.where(visits.is_planned, _PLANNED_EVENTS, size)
    signs_in, fills_form = _recognised(rng, people, devices, visits, no_consent, buys)

    visit = np.repeat(np.arange(count), size)
    start = np.cumsum(size) - size
    position = np.arange(len(visit)) - start[visit]
    at, gap = _moments(rng, visits, is_bot, visit, position, start)
    event = _names(rng, visit, position, size, buys, signs_in, fills_form, is_bot)

    order_number = np.cumsum(buys) - 1
    bought_at = at[(start + size - 1)[buys]] + 2 * SECOND
    orders = orders_of(
        visits.person[buys],
        bought_at,
        np.where(visits.platform[buys] == IN_APP, APP, ONLINE),
        visits.touch[buys],
        visits.campaign[buys],
    )
    keep = np.flatnonzero(at < clock.end)
    visit, position, at, gap, event = visit[keep], position[keep], at[keep], gap[keep], event[keep]

    person = visits.person[visit]
    is_first = position == 0
    lands_by_click = is_first & (visits.click >= 0)[visit]
    shows_form = fills_form[visit] & (position == (size - 1 - buys)[visit])
    shows_user = signs_in[visit] & (~is_first | (size == 1)[visit] | devices.is_shared[visits.device][visit])
    by_user = people.user(np.maximum(person, 0), shows_user & (person >= 0))
    by_email = people.email(rng, np.maximum(person, 0), shows_form & (person >= 0))
    medium = np.where(
        lands_by_click, touches.channel[np.maximum(visits.touch, 0)][visit] if len(touches) else 0, -1
    )
    campaign = np.where(lands_by_click, visits.campaign[visit], -1)
    device = np.where(no_consent, devices.no_consent, visits.device)
    product = np.where(np.isin(event, _ORDER_STEPS[:2]), _products(rng, len(event)), -1)
    frame = Frame(
        "web_events",
        ("event_id",),
        {
            "event_id": Column(Kind.HEX, scrambled(np.arange(len(visit)), 1)),
            "platform": text(visits.platform.astype(np.int8)[visit], PLATFORMS),
            "anonymous_id": text(device.astype(np.int32)[visit], devices.words),
            "user_id": by_user.as_codes(np.int32),
            "email": by_email.as_codes(np.int32),
            "event_name": text(event, Words(EVENTS)),
            "occurred_at": time(at),
            "page_url": _pages(event, product),
            "referrer_url": text(
                _referrers(rng, count).astype(np.int8)[visit] * is_first - ~is_first, _REFERRERS
            ),
            "utm_source": text(medium.astype(np.int8), [f"synthetic-{name}" for name in _MEDIA]),
            "utm_medium": text(medium.astype(np.int8), _MEDIA),
            "utm_campaign": serial("synthetic-campaign-", campaign.astype(np.int32)),
            "campaign_id": campaign_ids(campaign.astype(np.int32)),
            "click_id": serial(
                CLICK_PREFIX, np.where(lands_by_click, visits.click[visit], -1).astype(np.int32)
            ),
            "engaged_seconds": number(_engaged(rng, gap)),
            "user_agent": text(_agents(rng, visits, is_bot)[visit], _AGENTS),
            "product_id": serial("prod-", product.astype(np.int32)),
            "order_id": serial(
                ORDER_PREFIX, np.where(event == _CODE["purchase"], order_number[visit], -1).astype(np.int32)
            ),
        },
        loaded=clock.batch(at),
        marks={
            "person": person.astype(np.int32),
            "touch": touches.prompt(visits.touch[visit], at).astype(np.int32),
            "explicit": lands_by_click.astype(np.int8),
            "fixed": (visits.is_planned[visit] | shows_user | shows_form).astype(np.int8),
        },
        traits={
            "bot": is_bot[visit],
            "dst": visits.is_dst[visit],
            "midnight": (visits.is_planned & ~visits.is_dst)[visit],
            "no_consent": no_consent[visit],
            "seen_by_shop": event == _CODE["purchase"],
        },
    )
    return frame, orders, devices


def _plan(
    rng: np.random.Generator, clock: Clock, people: People, devices: Devices, prompted: Answers, events: int
) -> Visits:
    """Plan all visits: prompted, of people's own accord, around midnight and clock changes, by bots."""
    bots = max(2, round(events * BOT_SHARE / 50))
    free = max(20, round((events * (1 - BOT_SHARE)) / (MEAN_EVENTS + 0.5)) - len(prompted.person))
    person, at = people.acting(rng, clock, free, np.ones(len(people), np.bool_))
    planned, planned_at, is_dst = _planned(clock, people)
    bot_at = clock.start + (rng.random(bots) * (clock.end - clock.start - HOUR)).astype(np.int64)

    sizes = [len(prompted.person), len(person), len(planned), 1, bots]
    nothing = np.full(sum(sizes[1:]), -1, dtype=np.int64)
    who = np.concatenate([prompted.person, person, planned, [CHAIN_PERSON], np.full(bots, -1)])
    when = np.concatenate([prompted.at, at, planned_at, [clock.start + 17 * HOUR], bot_at])
    kind = np.repeat(np.arange(5), sizes)
    safe = np.maximum(who, 0)
    begin, end = people.spells[safe, 0, 0], people.spells[safe, :, 1].max(axis=1)
    owned = devices.count_of(safe)
    turn = (when - begin) * owned // np.maximum(end - begin, 1)
    device = devices.first[safe] + np.clip(turn, 0, owned - 1)
    unlinked = ~devices.is_linked[device] & np.isin(kind, (0, 2))
    device = np.where(unlinked, devices.first[safe], device)
    borrows = people.shares_device[safe] & (device == devices.first[safe])
    device = np.where(borrows, devices.first[np.maximum(safe - 1, 0)], device)
    device = np.where(kind == 3, devices.chain_tail, device)
    device = np.where(
        kind == 4, devices.bots + np.arange(len(who)) % (devices.no_consent - devices.bots), device
    )
    app = people.has_user[safe] & (rng.random(len(who)) < 0.3) & (kind < 2)
    return Visits(
        person=who,
        at=when,
        device=device,
        platform=np.where(app, IN_APP, WEB),
        touch=np.concatenate([prompted.touch, nothing]),
        campaign=np.concatenate([prompted.campaign, nothing]),
        click=np.concatenate([prompted.click, nothing]),
        is_planned=kind == 2,
        is_dst=np.concatenate(
            [np.zeros(sizes[0] + sizes[1], np.bool_), is_dst, np.zeros(1 + bots, np.bool_)]
        ),
    )


def _planned(clock: Clock, people: People) -> tuple[Ints, Ints, Bools]:
    """Visits that begin just before a change of the clocks, or before midnight, at home or in UTC."""
    known = np.flatnonzero(people.is_known_online)
    if not len(known):
        known = np.arange(1)
    starts = [(change.at - 15 * MINUTE, change.zone, True) for change in clock.transitions()]
    day = clock.start + (clock.days // 2) * DAY
    local = clock.from_local(np.array([day, day]), np.array([0, 1]))
    starts += [(int(local[zone]) - 15 * MINUTE, zone, False) for zone in (0, 1)]
    starts.append((day - 15 * MINUTE, 0, False))
    person, at, dst = [], [], []
    for turn, (start, zone, is_dst) in enumerate(starts):
        at_home = known[people.zone[known] == zone]
        person.append((at_home if len(at_home) else known)[turn % max(1, len(at_home))])
        at.append(start)
        dst.append(is_dst)
    return np.array(person, dtype=np.int64), np.array(at, dtype=np.int64), np.array(dst, dtype=np.bool_)


def _recognised(
    rng: np.random.Generator,
    people: People,
    devices: Devices,
    visits: Visits,
    no_consent: Bools,
    buys: Bools,
) -> tuple[Bools, Bools]:
    """In which visits people sign in, and in which they leave their address.

    The first visit on a linked device always ties it to its owner; on a shared device everybody signs in.
    """
    person = np.maximum(visits.person, 0)
    open_to_ties = (visits.person >= 0) & devices.is_linked[visits.device] & ~no_consent
    open_to_ties &= visits.device != devices.chain_tail
    first = np.zeros(len(person), dtype=np.bool_)
    candidates = np.flatnonzero(open_to_ties)
    order = candidates[np.lexsort((visits.at[candidates], person[candidates], visits.device[candidates]))]
    pair = visits.device[order] * len(people) + person[order]
    first[order[np.flatnonzero(np.diff(pair, prepend=-1))]] = True
    always = first | visits.is_planned | buys | devices.is_shared[visits.device]
    user = people.has_user[person]
    signs_in = open_to_ties & user & (always | (rng.random(len(person)) < 0.35))
    may_mail = open_to_ties & people.has_own_email[person]
    by_form = may_mail & ~user & (always | (rng.random(len(person)) < 0.1))
    with_account = may_mail & signs_in & (first | (rng.random(len(person)) < 0.1))
    return signs_in, by_form | with_account


def _moments(
    rng: np.random.Generator, visits: Visits, is_bot: Bools, visit: Ints, position: Ints, start: Ints
) -> tuple[Ints, Ints]:
    """Instant of every event, and the pause before it; no pause ends a visit."""
    gap = np.minimum(SECOND + rng.exponential(45 * SECOND, len(visit)).astype(np.int64), _LONGEST_GAP)
    gap[is_bot[visit]] = SECOND
    gap[visits.is_planned[visit]] = _PLANNED_GAP
    gap[position == 0] = 0
    elapsed = np.cumsum(gap)
    return visits.at[visit] + elapsed - elapsed[start][visit], gap


def _names(
    rng: np.random.Generator,
    visit: Ints,
    position: Ints,
    size: Ints,
    buys: Bools,
    signs_in: Bools,
    fills_form: Bools,
    is_bot: Bools,
) -> npt.NDArray[np.int8]:
    """Kind of every event: a page first, the steps of an order last, in between whatever people like."""
    event = weighted(rng, _SHARES, len(visit)).astype(np.int8)
    event[(position == 0) | is_bot[visit]] = _CODE["page_view"]
    event[(position == 1) & signs_in[visit] & (size > 2)[visit]] = _CODE["login"]
    remaining = size[visit] - 1 - position
    event[(remaining == 0) & (fills_form & ~buys)[visit]] = _CODE["form_submit"]
    steps = (remaining < len(_ORDER_STEPS)) & buys[visit]
    event[steps] = _ORDER_STEPS[len(_ORDER_STEPS) - 1 - remaining[steps]]
    return event


def _engaged(rng: np.random.Generator, gap: Ints) -> Floats:
    """Seconds of attention to a page: most of the pause that follows it; not measured for one in five."""
    following = np.append(gap[1:], 0) / SECOND
    following = np.where(
        following > 0, following * (0.4 + 0.6 * rng.random(len(gap))), 12 * rng.random(len(gap))
    )
    return np.where(rng.random(len(gap)) < 0.2, np.nan, np.round(following, 1))


def _pages(event: npt.NDArray[np.int8], product: Ints) -> Column:
    """Addresses: one per product, one per kind of event."""
    paths = [f"https://shop.example.com/{name.replace('_', '-')}" for name in EVENTS]
    paths += [f"https://shop.example.com/products/{number}" for number in range(PRODUCTS)]
    return text(np.where(product >= 0, product + len(EVENTS), event).astype(np.int16), paths)


def _products(rng: np.random.Generator, rows: int) -> Ints:
    """Products; a few are looked at much more than the rest."""
    return (PRODUCTS * rng.random(rows) ** 2.5).astype(np.int64)


def _referrers(rng: np.random.Generator, visits: int) -> Ints:
    """Where visits come from; -1 for nowhere."""
    return weighted(rng, (0.5, 0.25, 0.1, 0.15), visits) - 1


def _agents(rng: np.random.Generator, visits: Visits, is_bot: Bools) -> npt.NDArray[np.int8]:
    """Program that each visit uses; unknown for one in a hundred."""
    count = len(visits.person)
    browser = visits.device % len(_BROWSERS)
    app = len(_BROWSERS) + visits.device % len(_APPS)
    bot = len(_BROWSERS) + len(_APPS) + visits.device % len(_BOTS)
    agent = np.where(is_bot, bot, np.where(visits.platform == IN_APP, app, browser))
    return np.where((rng.random(count) < 0.01) & ~is_bot, -1, agent).astype(np.int8)
