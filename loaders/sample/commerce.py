"""Buying: orders, returns, redeemed coupons, loyalty points and visits to stores.

Orders on the web are decided in ``web``, whose visits lead to them; the rest of an order is made here.
"""

from dataclasses import dataclass, replace

import numpy as np

from loaders.sample.arrays import Bools, Ints
from loaders.sample.campaigns import (
    SALES_CHANNELS,
    Plans,
    campaign_ids,
    currency_column,
    promotion_ids,
)
from loaders.sample.clock import DAY, HOUR, MINUTE, SECOND, Clock
from loaders.sample.dice import Dice, chosen
from loaders.sample.frames import (
    NULL_TIME,
    Frame,
    flag,
    integer,
    number,
    serial,
    text,
    time,
    where,
    with_versions,
)
from loaders.sample.people import CURRENCIES, People
from loaders.sample.touches import Answers, Touches

ONLINE, IN_STORE, APP, PHONE = range(len(SALES_CHANNELS))
STATUSES = ("open", "completed", "cancelled")
OPEN, COMPLETED, CANCELLED = range(len(STATUSES))
LOYALTY_EVENTS = ("enrolled", "points_earned", "points_redeemed", "tier_changed", "points_expired", "left")
ENROLLED, POINTS_EARNED, POINTS_REDEEMED, TIER_CHANGED, POINTS_EXPIRED, LEFT = range(len(LOYALTY_EVENTS))

ORDER_PREFIX = "ord-"
STORES = 12

_RENEWS_EVERY = 30 * DAY
_PRICE_LEVELS = np.array([1.0, 0.92, 0.79, 150.0])


@dataclass(frozen=True)
class Orders:
    """Orders before they become rows; the position is the order's number.

    Attributes:
        person: True buyer.
        at: When.
        sales_channel: Index in ``SALES_CHANNELS``.
        touch: Touch that led to it; -1 for none.
        campaign: Campaign of that touch.
        is_renewal, is_test: Automatic renewals, and orders by staff who try out the shop.
    """

    person: Ints
    at: Ints
    sales_channel: Ints
    touch: Ints
    campaign: Ints
    is_renewal: Bools
    is_test: Bools

    def __len__(self) -> int:
        """Number of orders."""
        return len(self.person)

    def followed_by(self, other: "Orders") -> "Orders":
        """These orders and then others."""
        return Orders(
            np.concatenate([self.person, other.person]),
            np.concatenate([self.at, other.at]),
            np.concatenate([self.sales_channel, other.sales_channel]),
            np.concatenate([self.touch, other.touch]),
            np.concatenate([self.campaign, other.campaign]),
            np.concatenate([self.is_renewal, other.is_renewal]),
            np.concatenate([self.is_test, other.is_test]),
        )


def orders_of(
    person: Ints,
    at: Ints,
    sales_channel: Ints,
    touch: Ints | None = None,
    campaign: Ints | None = None,
) -> Orders:
    """Orders by customers."""
    nobody = np.full(len(person), -1, dtype=np.int64)
    no = np.zeros(len(person), dtype=np.bool_)
    return Orders(
        person,
        at,
        sales_channel,
        nobody if touch is None else touch,
        nobody if campaign is None else campaign,
        no,
        no,
    )


def other_orders(
    dice: Dice, clock: Clock, people: People, store_and_phone: int, after_mail: Answers
) -> Orders:
    """Orders that no web visit led to: in stores, by telephone, renewals and tests."""
    rng = dice.stream("other_orders")
    person, at = people.acting(rng, clock, store_and_phone, people.has_ref)
    by_phone = chosen(rng, np.ones(len(person), np.bool_), 0.12)
    bought = orders_of(person, at, np.where(by_phone, PHONE, IN_STORE))
    mailed = orders_of(
        after_mail.person,
        after_mail.at,
        np.full(len(after_mail.person), IN_STORE),
        after_mail.touch,
        after_mail.campaign,
    )
    return (
        bought.followed_by(mailed)
        .followed_by(_renewals(rng, clock, people))
        .followed_by(_tests(rng, clock, people, max(1, store_and_phone // 200)))
    )


def _renewals(rng: np.random.Generator, clock: Clock, people: People) -> Orders:
    """Subscriptions of 2 % of the people the CRM knows, renewed every 30 days from joining on."""
    subscriber = np.flatnonzero(chosen(rng, people.has_ref, 0.02))
    turns = np.arange(1, clock.days // 30 + 15)
    person = np.repeat(subscriber, len(turns))
    at = people.joined[person] + np.tile(turns, len(subscriber)) * _RENEWS_EVERY
    due = clock.within(at) & (at < people.spells[person, 0, 1])
    renewals = orders_of(person[due], at[due], np.full(int(due.sum()), ONLINE))
    return replace(renewals, is_renewal=np.ones(len(renewals), np.bool_))


def _tests(rng: np.random.Generator, clock: Clock, people: People, count: int) -> Orders:
    person, at = people.acting(rng, clock, count, people.has_ref)
    tests = orders_of(person, at, np.full(len(person), ONLINE))
    return replace(tests, is_test=np.ones(len(tests), np.bool_))


def make_commerce(
    dice: Dice, clock: Clock, people: People, plans: Plans, orders: Orders, touches: Touches
) -> tuple[Frame, Frame, Frame]:
    """Raw tables ``orders``, ``order_returns`` and ``coupon_redemptions``.

    Cancelled orders are mostly loaded twice, first without knowing of the cancellation.
    """
    rng = dice.stream("commerce")
    count = len(orders)
    person, at = orders.person, orders.at
    ordinary = ~orders.is_renewal & ~orders.is_test
    prompted = touches.prompt(orders.touch, at)
    planned = np.where(orders.campaign >= 0, plans.promotion[np.maximum(orders.campaign, 0)], -1)
    running = plans.promotion_at(at)
    by_campaign = chosen(rng, (prompted >= 0) & ordinary, 0.5)
    by_itself = chosen(rng, (prompted < 0) & (running >= 0) & ordinary, 0.15)
    promotion = np.where(by_campaign, planned, where(by_itself, running))
    has_coupon = by_campaign | by_itself

    currency = people.currency[person]
    currency = np.where((currency < 0) & (rng.random(count) < 0.05), 0, currency)
    level = _PRICE_LEVELS[np.maximum(currency, 0)]
    is_yen = currency == CURRENCIES.index("JPY")
    full = rng.lognormal(3.6, 0.7, count) * level
    discount = np.where(has_coupon, full * rng.choice([0.1, 0.15, 0.2, 0.3], count), 0.0)
    amount, discount = (
        np.where(is_yen, np.round(values), np.round(values, 2)) for values in (full - discount, discount)
    )

    cancelled_at = at + HOUR + (rng.exponential(2 * DAY, count)).astype(np.int64)
    cancelled = chosen(rng, (cancelled_at < clock.end - 12 * HOUR) & ~orders.is_renewal, 0.05, at_least=2)
    cancelled_at = np.where(cancelled, cancelled_at, NULL_TIME)
    is_new = at > clock.end - DAY
    status = np.where(cancelled, CANCELLED, np.where(is_new, OPEN, COMPLETED))

    in_store = orders.sales_channel == IN_STORE
    guest = chosen(rng, in_store & (prompted < 0) & ~has_coupon, 0.03)
    by_loyalty = in_store & people.has_loyalty[person] & ~guest & (rng.random(count) < 0.5)
    by_ref = people.has_ref[person] & ~guest & ~by_loyalty & ~orders.is_test
    online = np.isin(orders.sales_channel, (ONLINE, APP)) & ~orders.is_test
    by_phone = (orders.sales_channel == PHONE) & (rng.random(count) < 0.5)
    by_email = (online & (~by_ref | (rng.random(count) < 0.5))) & people.has_own_email[person]
    frame = Frame(
        "orders",
        ("order_id",),
        {
            "order_id": serial(ORDER_PREFIX, np.arange(count)),
            "customer_ref": people.ref(person, by_ref),
            "user_id": people.user(person, online & (rng.random(count) < 0.7)),
            "email": people.email(rng, person, by_email),
            "phone": people.phone(rng, person, by_phone & by_ref),
            "loyalty_id": people.loyalty(person, by_loyalty | (by_ref & (rng.random(count) < 0.3))),
            "sales_channel": text(orders.sales_channel, SALES_CHANNELS),
            "store_id": serial("store-", np.where(in_store, rng.integers(1, STORES + 1, count), -1)),
            "ordered_at": time(at),
            "status": text(status, STATUSES),
            "cancelled_at": time(cancelled_at),
            "total_amount": number(amount),
            "discount_amount": number(
                np.where(rng.random(count) < 0.5, discount, np.where(has_coupon, discount, np.nan))
            ),
            "currency": currency_column(currency),
            "coupon_code": serial("SYN", np.where(has_coupon, 10 + promotion, -1)),
            "promotion_id": promotion_ids(where(has_coupon, promotion)),
            "is_auto_renewal": flag(orders.is_renewal),
            "is_test": flag(np.where(orders.is_test, 1, np.where(rng.random(count) < 0.5, 0, -1))),
        },
        loaded=np.maximum(clock.batch(at), np.where(cancelled, clock.batch(cancelled_at), 0)),
        marks={"person": person, "touch": where(ordinary, prompted)},
        traits={
            "cancelled": cancelled,
            "system": orders.is_renewal,
            "test": orders.is_test,
            "unidentified": guest | orders.is_test,
        },
    )
    redemptions = _redemptions(rng, clock, people, orders, has_coupon, where(has_coupon, promotion), touches)
    returns = _returns(rng, clock, frame, orders, ~cancelled & ordinary, amount)
    undisturbed = cancelled | has_coupon | ~in_store | ~ordinary
    undisturbed[returns.columns["order_id"].values] = True
    versioned = np.flatnonzero(
        cancelled & (clock.batch(cancelled_at) > clock.batch(at)) & (rng.random(count) < 0.8)
    )
    earlier = {
        "status": frame.columns["status"].take(versioned).but_codes(OPEN),
        "cancelled_at": time(np.full(len(versioned), NULL_TIME)),
    }
    later = frame.loaded[versioned]
    with_history = with_versions(frame, versioned, earlier, clock.batch(at[versioned]), later)
    keep = np.concatenate([undisturbed, np.ones(len(versioned), np.bool_)])
    return with_history.but(traits={"not_deletable": keep}), returns, redemptions


def _returns(
    rng: np.random.Generator, clock: Clock, frame: Frame, orders: Orders, eligible: Bools, amount: Ints
) -> Frame:
    """Six in a hundred orders come back within a month, one in four of them in part."""
    at = orders.at + 2 * DAY + (rng.random(len(orders)) * 26 * DAY).astype(np.int64)
    rows = np.flatnonzero(chosen(rng, eligible & (at < clock.end), 0.06))
    share = np.where(rng.random(len(rows)) < 0.25, 0.5, 1.0)
    refund = np.round(amount[rows] * share, 2)
    return Frame(
        "order_returns",
        ("return_id",),
        {
            "return_id": serial("ret-", np.arange(len(rows))),
            "order_id": serial(ORDER_PREFIX, rows),
            "returned_at": time(at[rows]),
            "amount": number(refund),
            "currency": frame.columns["currency"].take(rows),
        },
        loaded=clock.batch(at[rows]),
        marks={"person": orders.person[rows]},
        traits={"unidentified": frame.trait("unidentified")[rows]},
    )


def _redemptions(
    rng: np.random.Generator,
    clock: Clock,
    people: People,
    orders: Orders,
    has_coupon: Bools,
    promotion: Ints,
    touches: Touches,
) -> Frame:
    """Coupons of orders; the tills of stores know only the day."""
    rows = np.flatnonzero(chosen(rng, has_coupon, 0.9))
    person, at = orders.person[rows], orders.at[rows]
    in_store = orders.sales_channel[rows] == IN_STORE
    touch = touches.prompt(orders.touch[rows], at)
    campaign = where(touch >= 0, orders.campaign[rows])
    at = np.where(in_store, at // DAY * DAY, at)
    by_ref = people.has_ref[person] & (~people.has_own_email[person] | (rng.random(len(rows)) < 0.6))
    return Frame(
        "coupon_redemptions",
        ("redemption_id",),
        {
            "redemption_id": serial("red-", np.arange(len(rows))),
            "customer_ref": people.ref(person, by_ref),
            "email": people.email(rng, person, ~by_ref),
            "loyalty_id": people.loyalty(person, by_ref & (rng.random(len(rows)) < 0.3)),
            "coupon_code": serial("SYN", 10 + promotion[rows]),
            "campaign_id": campaign_ids(campaign),
            "promotion_id": promotion_ids(promotion[rows]),
            "order_id": serial(ORDER_PREFIX, rows),
            "redeemed_at": time(at),
            "is_date_only": flag(in_store),
        },
        loaded=clock.batch(orders.at[rows]),
        marks={
            "person": person,
            "touch": touches.prompt(touch, at),
            "explicit": (touch >= 0).astype(np.int64),
        },
    )


def loyalty_frame(dice: Dice, clock: Clock, people: People, orders: Orders, redemptions: int) -> Frame:
    """Points: earned by the system for orders, spent by people; enrolments, tiers, expiries and leavers."""
    rng = dice.stream("loyalty")
    counted = ~orders.is_test & people.has_loyalty[orders.person]
    earner = orders.person[counted]
    earned_at = orders.at[counted] + MINUTE + (rng.random(len(earner)) * HOUR).astype(np.int64)
    spender, spent_at = people.acting(rng, clock, redemptions, people.has_loyalty)
    enrolled = np.flatnonzero(people.has_loyalty & clock.within(people.joined))
    enrolled_at = people.joined[enrolled]
    if not len(enrolled):
        enrolled = np.flatnonzero(people.has_loyalty)[:1]
        enrolled_at = np.full(len(enrolled), clock.start + 12 * HOUR)
    effects = [
        people.acting(rng, clock, max(1, redemptions // share), people.has_loyalty) for share in (2, 4, 12)
    ]
    members = [enrolled, earner, spender, *(person for person, _ in effects)]
    moments = [enrolled_at, earned_at, spent_at, *(at for _, at in effects)]
    person, at = np.concatenate(members), np.concatenate(moments)
    event = np.repeat(np.arange(len(LOYALTY_EVENTS)), [len(part) for part in members])
    inside = at < clock.end
    person, at, event = person[inside], at[inside], event[inside]
    moves_points = np.isin(event, (POINTS_EARNED, POINTS_REDEEMED, POINTS_EXPIRED))
    return Frame(
        "loyalty_events",
        ("event_id",),
        {
            "event_id": serial("loy-", np.arange(len(person))),
            "loyalty_id": people.loyalty(person),
            "customer_ref": people.ref(person, rng.random(len(person)) < 0.3),
            "email": people.email(
                rng, person, people.has_own_email[person] & (rng.random(len(person)) < 0.2)
            ),
            "event_name": text(event, LOYALTY_EVENTS),
            "points": integer(np.where(moves_points, 10 * rng.integers(1, 60, len(person)), -1)),
            "occurred_at": time(at),
        },
        loaded=clock.batch(at),
        marks={"person": person},
        traits={"system": np.isin(event, (POINTS_EARNED, TIER_CHANGED, POINTS_EXPIRED))},
    )


def store_visit_frame(dice: Dice, clock: Clock, people: People, visits: int, orders: Orders) -> Frame:
    """Visits to stores: of people's own accord, before orders in a store, and around changes of the clocks.

    Around every change of the clocks one person comes half an hour before it and half an hour after it, in
    autumn at the same reading of the clock on the wall; the offset alone tells the two apart.
    """
    rng = dice.stream("store_visits")
    person, at = people.acting(rng, clock, visits, people.has_ref)
    entered = orders.at - 5 * MINUTE - (rng.random(len(orders)) * 30 * MINUTE).astype(np.int64)
    bought = np.flatnonzero(
        (orders.sales_channel == IN_STORE) & (rng.random(len(orders)) < 0.5) & clock.within(entered)
    )
    changes = clock.transitions()
    guests = [_person_of_zone(people, change.zone) for change in changes for _ in range(2)]
    change_at = [change.at + shift * HOUR // 2 for change in changes for shift in (-1, 1)]
    own = len(person) + len(bought)
    person = np.concatenate([person, orders.person[bought], np.array(guests, dtype=np.int64)])
    at = np.concatenate([at, entered[bought], np.array(change_at, dtype=np.int64)])
    touch = np.concatenate([np.full(own - len(bought), -1), orders.touch[bought], np.full(len(guests), -1)])
    stay = (60 * SECOND + rng.gamma(2.0, 9 * MINUTE, len(person))).astype(np.int64)
    by_loyalty = people.has_loyalty[person] & (rng.random(len(person)) < 0.5)
    is_dst = np.arange(len(person)) >= own
    return Frame(
        "store_visits",
        ("visit_id",),
        {
            "visit_id": serial("vis-", np.arange(len(person))),
            "customer_ref": people.ref(person, ~by_loyalty),
            "loyalty_id": people.loyalty(person, by_loyalty),
            "store_id": serial("store-", rng.integers(1, STORES + 1, len(person))),
            "entered_at": time(at),
            "left_at": time(
                np.where((rng.random(len(person)) < 0.8) & (at + stay < clock.end), at + stay, NULL_TIME)
            ),
        },
        loaded=clock.batch(at),
        marks={"person": person, "touch": touch, "fixed": is_dst.astype(np.int64)},
        traits={"dst": is_dst},
    )


def _person_of_zone(people: People, zone: int) -> int:
    """First person the CRM knows who lives in the zone, or the first one at all."""
    found = np.flatnonzero(people.has_ref & (people.zone == zone))
    return int(found[0]) if len(found) else int(np.flatnonzero(people.has_ref)[0])
