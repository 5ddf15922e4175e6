"""Social networks and the community: ``social_events``, ``social_account_days``, ``community_events``."""

import numpy as np

from loaders.sample.arrays import Ints
from loaders.sample.campaigns import SOCIAL_REPLY, WINDOW_DAYS, account_name
from loaders.sample.clock import DAY, HOUR, MINUTE, Clock
from loaders.sample.dice import Dice, chosen, weighted
from loaders.sample.frames import (
    Column,
    Frame,
    Kind,
    Words,
    flag,
    integer,
    number,
    serial,
    text,
    time,
    where,
)
from loaders.sample.people import NETWORKS, People
from loaders.sample.touches import Touches, reaction_lag

EVENTS = (
    "follow",
    "unfollow",
    "like",
    "tag",
    "comment",
    "share",
    "mention",
    "post",
    "message",
    "group_join",
    "group_create",
)
COMMENT, MENTION, POST, MESSAGE = (EVENTS.index(name) for name in ("comment", "mention", "post", "message"))
REPLIES = ("none", "brand", "customer")
NO_REPLY, TO_BRAND, TO_CUSTOMER = range(len(REPLIES))
COMMUNITY_EVENTS = ("join", "question", "answer", "idea", "post", "comment", "vote", "group_create")

EVENT_PREFIX = "soc-"

_SHARES = (0.1, 0.02, 0.45, 0.04, 0.14, 0.07, 0.06, 0.05, 0.05, 0.015, 0.005)
_COMMUNITY_SHARES = (0.1, 0.14, 0.16, 0.05, 0.12, 0.2, 0.22, 0.01)
_POST_EVERY = 3 * DAY
_WINDOW = int(WINDOW_DAYS[SOCIAL_REPLY]) * DAY


def make_social(
    dice: Dice, clock: Clock, people: People, acts: int, touches: Touches
) -> tuple[Frame, Touches]:
    """Let people act on networks, the brand post and reply, and people answer its replies.

    A reply of the brand carries the handle of the person to whom it is addressed; its own posts carry the
    brand's. Both are ``is_brand_author``.

    Args:
        dice: Source of randomness.
        clock: The period.
        people: Who may act; only people with a handle.
        acts: How many acts of people's own accord.
        touches: What the brand did elsewhere.

    Returns:
        The raw table, and the touches with the brand's replies behind them.
    """
    rng = dice.stream("social")
    person, at = people.acting(rng, clock, acts, people.has_handle)
    event = _every_kind_first(weighted(rng, _SHARES, len(person)), len(EVENTS))
    follows = np.isin(event, (COMMENT,)) & (rng.random(len(person)) < 0.4)
    reply = np.where(follows, np.where(rng.random(len(person)) < 0.5, TO_BRAND, TO_CUSTOMER), NO_REPLY)

    posts_at = np.arange(clock.start + 15 * HOUR, clock.end, _POST_EVERY)
    posts = len(posts_at) * len(NETWORKS)
    post_network = np.tile(np.arange(len(NETWORKS)), len(posts_at))
    post_at = np.repeat(posts_at, len(NETWORKS)) + post_network * 7 * MINUTE

    replied_at = at + MINUTE + rng.exponential(2 * HOUR, len(at)).astype(np.int64)
    replied = np.flatnonzero(
        chosen(rng, np.isin(event, (COMMENT, MENTION, MESSAGE)) & (replied_at < clock.end), 0.35)
    )
    answered_at = replied_at[replied] + reaction_lag(rng, np.full(len(replied), _WINDOW))
    answered = np.flatnonzero(chosen(rng, answered_at < clock.end, 0.4))
    authors = person[replied]

    own, brand, replies, answers = len(person), posts, len(replied), len(answered)
    total = own + brand + replies + answers
    everyone = np.concatenate([person, np.full(brand, -1), authors, authors[answered]])
    moment = np.concatenate([at, post_at, replied_at[replied], answered_at[answered]])
    kind = np.concatenate(
        [
            event,
            np.full(brand, POST),
            event[replied],
            np.where(event[replied][answered] == MENTION, COMMENT, event[replied][answered]),
        ]
    )
    is_brand = np.repeat([False, True, True, False], [own, brand, replies, answers])
    is_brand_post = np.repeat([False, True, False, False], [own, brand, replies, answers])
    in_reply_to = np.concatenate(
        [reply, np.full(brand, NO_REPLY), np.full(replies, TO_CUSTOMER), np.full(answers, TO_BRAND)]
    )
    log = touches.followed_by(
        Touches(
            authors, np.full(replies, SOCIAL_REPLY), replied_at[replied], own + brand + np.arange(replies)
        )
    )
    touch = np.concatenate([np.full(own + brand + replies, -1), len(touches) + answered])
    safe = np.maximum(everyone, 0)
    handles = people.handle(rng, safe)
    brand_handle = account_name(total)
    handle = text(
        np.where(is_brand_post, len(people.handles), handles.values),
        Words([*people.handles.texts, *(brand_handle.words.texts if brand_handle.words else ())]),
    )
    post_id = np.where(is_brand_post, np.cumsum(is_brand_post) - 1, -1)
    about_post = np.isin(kind, (EVENTS.index("like"), COMMENT, EVENTS.index("share"))) & ~is_brand
    latest = np.searchsorted(posts_at, moment, side="right") - 1
    network = np.where(
        is_brand_post,
        np.concatenate([np.zeros(own, np.int64), post_network, np.zeros(replies + answers, np.int64)]),
        people.network[safe],
    )
    post_id = np.where(about_post & (latest >= 0), latest * len(NETWORKS) + network, post_id)
    expressive = np.isin(kind, (COMMENT, MENTION, POST, MESSAGE)) & (rng.random(total) < 0.8)
    feeling = np.round(np.clip(rng.normal(0.25, 0.45, total), -1, 1), 3)
    frame = Frame(
        "social_events",
        ("event_id",),
        {
            "event_id": serial(EVENT_PREFIX, np.arange(total)),
            "network": text(network, NETWORKS),
            "handle": handle,
            "customer_ref": people.ref(safe, (rng.random(total) < 0.3) & ~is_brand),
            "event_name": text(kind, EVENTS),
            "in_reply_to": text(where((in_reply_to > 0) | (rng.random(total) < 0.7), in_reply_to), REPLIES),
            "is_brand_author": flag(is_brand),
            "post_id": serial("post-", post_id),
            "sentiment": number(np.where(expressive, feeling, np.nan)),
            "occurred_at": time(moment),
        },
        loaded=clock.batch(moment),
        marks={
            "person": everyone,
            "touch": log.prompt(touch, moment),
            "explicit": ((in_reply_to == TO_BRAND) & ~is_brand).astype(np.int64),
        },
        traits={"brand": is_brand},
    )
    return frame, log


def account_day_frame(dice: Dice, clock: Clock) -> Frame:
    """Raw table ``social_account_days``: followers of the brand per network and day."""
    rng = dice.stream("social_account_days")
    days = np.arange(clock.start // DAY, clock.end // DAY)
    growth = rng.poisson(9, (len(NETWORKS), len(days))) - rng.poisson(4, (len(NETWORKS), len(days)))
    followers = np.array([12_000, 8_500, 1_400])[:, None] + np.cumsum(growth, axis=1)
    rows = len(NETWORKS) * len(days)
    return Frame(
        "social_account_days",
        ("network", "account_id", "observed_on"),
        {
            "network": text(np.repeat(np.arange(len(NETWORKS)), len(days)), NETWORKS),
            "account_id": account_name(rows),
            "observed_on": Column(Kind.DATE, np.tile(days, len(NETWORKS))),
            "followers": integer(followers.reshape(-1)),
        },
        loaded=clock.batch(np.tile(days * DAY + 20 * HOUR, len(NETWORKS))),
    )


def community_frame(dice: Dice, clock: Clock, people: People, acts: int) -> Frame:
    """Raw table ``community_events``: people with a handle in the brand's own forum."""
    rng = dice.stream("community")
    person, at = people.acting(rng, clock, acts, people.has_handle)
    event = _every_kind_first(weighted(rng, _COMMUNITY_SHARES, len(person)), len(COMMUNITY_EVENTS))
    talks = np.isin(event, [COMMUNITY_EVENTS.index(name) for name in ("answer", "comment")])
    reply = np.where(talks, weighted(rng, (0.1, 0.25, 0.65), len(person)), NO_REPLY)
    by_ref = ~people.has_user[person] | (rng.random(len(person)) < 0.3)
    return Frame(
        "community_events",
        ("event_id",),
        {
            "event_id": serial("com-", np.arange(len(person))),
            "handle": people.handle(rng, person),
            "customer_ref": people.ref(person, by_ref),
            "user_id": people.user(person, ~by_ref),
            "email": people.email(
                rng, person, people.has_own_email[person] & (rng.random(len(person)) < 0.2)
            ),
            "event_name": text(event, COMMUNITY_EVENTS),
            "in_reply_to": text(reply, REPLIES),
            "occurred_at": time(at),
        },
        loaded=clock.batch(at),
        marks={"person": person, "explicit": (reply == TO_BRAND).astype(np.int64)},
    )


def _every_kind_first(drawn: Ints, kinds: int) -> Ints:
    """Let the last acts of a sample show each kind once, so that small samples hold all of them."""
    if len(drawn) >= kinds:
        drawn[-kinds:] = np.arange(kinds)
    return drawn
