"""What people say about the brand: raw tables ``reviews``, ``survey_responses`` and ``referrals``."""

import numpy as np

from loaders.sample.arrays import Ints
from loaders.sample.clock import DAY, HOUR, Clock
from loaders.sample.dice import Dice, chosen, weighted
from loaders.sample.frames import (
    NULL_TIME,
    Frame,
    flag,
    number,
    serial,
    text,
    time,
    where,
    with_versions,
)
from loaders.sample.people import People
from loaders.sample.touches import Answers, Touches

SITES = ("shop.example.com", "reviews.example.org")
METRICS = ("nps", "csat", "ces", "other")

# Per metric: lowest and highest answer; effort is asked on two scales of opposite direction.
_SCALES = ((0, 10), (1, 5), (1, 7), (1, 10))
_PRODUCTS = 200


def review_frame(
    dice: Dice, clock: Clock, people: People, reviews: int, invited: Answers, touches: Touches
) -> Frame:
    """Reviews of people's own accord on two sites, and invited ones on our own."""
    rng = dice.stream("reviews")
    person, at, touch = _with_answers(rng, clock, people, reviews, invited)
    count = len(person)
    elsewhere = (touch < 0) & people.has_handle[person] & people.has_own_email[person]
    elsewhere = chosen(rng, elsewhere, 0.5)
    rating = 1 + weighted(rng, (0.06, 0.06, 0.13, 0.3, 0.45), count)
    out_of_ten = elsewhere & (rng.random(count) < 0.5)
    prompted = touches.prompt(touch, at)
    return Frame(
        "reviews",
        ("review_id",),
        {
            "review_id": serial("rev-", np.arange(count)),
            "site": text(elsewhere.astype(np.int64), SITES),
            "customer_ref": people.ref(person, ~elsewhere),
            "user_id": people.user(person, ~elsewhere & (rng.random(count) < 0.4)),
            "email": people.email(rng, person, elsewhere | ~people.has_ref[person]),
            "handle": people.handle(rng, person, elsewhere),
            "rating": number(np.where(out_of_ten, rating * 2, rating).astype(np.float64)),
            "rating_max": number(np.where(out_of_ten, 10.0, np.where(rng.random(count) < 0.5, np.nan, 5.0))),
            "has_text": flag(chosen(rng, np.ones(count, np.bool_), 0.6)),
            "is_invited": flag(touch >= 0),
            "sentiment": number(np.where(rng.random(count) < 0.6, np.round((rating - 3) / 2.5, 2), np.nan)),
            "product_id": serial("prod-", rng.integers(0, _PRODUCTS, count)),
            "created_at": time(at),
        },
        loaded=clock.batch(at),
        marks={"person": person, "touch": prompted, "explicit": (touch >= 0).astype(np.int64)},
    )


def survey_frame(
    dice: Dice, clock: Clock, people: People, responses: int, invited: Answers, touches: Touches
) -> Frame:
    """Answers to surveys of every metric, most of them invited by a message."""
    rng = dice.stream("surveys")
    person, at, touch = _with_answers(rng, clock, people, responses, invited)
    count = len(person)
    metric = weighted(rng, (0.45, 0.3, 0.15, 0.1), count)
    metric[: len(METRICS)] = np.arange(len(metric[: len(METRICS)]))
    low, high = (np.array([scale[end] for scale in _SCALES])[metric] for end in (0, 1))
    mood = np.clip(rng.beta(3.0, 1.4, count), 0, 1)
    is_effort = metric == METRICS.index("ces")
    higher_is_better = ~(is_effort & (np.arange(count) % 2 == 0))
    score = np.round(low + np.where(higher_is_better, mood, 1 - mood) * (high - low))
    invited_at = touches.at[np.maximum(touch, 0)] if len(touches) else np.full(count, NULL_TIME)
    by_ref = people.has_ref[person] & (~people.has_own_email[person] | (rng.random(count) < 0.6))
    return Frame(
        "survey_responses",
        ("response_id",),
        {
            "response_id": serial("srv-", np.arange(count)),
            "survey_id": serial("survey-", metric),
            "metric": text(metric, METRICS),
            "customer_ref": people.ref(person, by_ref),
            "email": people.email(rng, person, ~by_ref),
            "score": number(score.astype(np.float64)),
            "scale_min": number(low.astype(np.float64)),
            "scale_max": number(high.astype(np.float64)),
            "higher_is_better": flag(higher_is_better),
            "invited_at": time(np.where(touch >= 0, invited_at, NULL_TIME)),
            "sentiment": number(np.where(rng.random(count) < 0.3, np.round(mood * 2 - 1, 2), np.nan)),
            "responded_at": time(at),
        },
        loaded=clock.batch(at),
        marks={
            "person": person,
            "touch": touches.prompt(touch, at),
            "explicit": (touch >= 0).astype(np.int64),
        },
    )


def referral_frame(dice: Dice, clock: Clock, people: People, referrals: int) -> Frame:
    """Customers who recommend the brand; three in ten of those whom they name become customers."""
    rng = dice.stream("referrals")
    person, at = people.acting(rng, clock, referrals, people.has_ref)
    count = len(person)
    friend = weighted(rng, (people.has_ref & people.has_own_email).astype(np.float64), count)
    converted_at = at + DAY + (rng.exponential(8 * DAY, count)).astype(np.int64)
    could = (converted_at < clock.end - 6 * HOUR) & (len(friend) == count)
    friend = friend if len(friend) == count else np.zeros(count, dtype=np.int64)
    converted = chosen(rng, could & (friend != person), 0.3)
    stranger = [f"friend{i}@example.com" for i in range(count)]
    codes = np.where(converted, people.mailbox[friend], len(people.emails) + np.arange(count))
    converted_at = np.where(converted, converted_at, NULL_TIME)
    first_loaded = clock.batch(at)
    frame = Frame(
        "referrals",
        ("referral_id",),
        {
            "referral_id": serial("ref-", np.arange(count)),
            "referrer_ref": people.ref(person),
            "referred_ref": people.ref(friend, converted),
            "referred_email": text(codes, [*people.emails.texts, *stranger]),
            "sent_at": time(at),
            "converted_at": time(converted_at),
        },
        loaded=first_loaded,
        marks={"person": person},
    )
    rows = np.flatnonzero(converted)
    earlier = {
        "referred_ref": text(where(np.zeros(len(rows), np.bool_), rows), people.refs),
        "converted_at": time(np.full(len(rows), NULL_TIME)),
    }
    return with_versions(frame, rows, earlier, first_loaded[rows], clock.batch(converted_at[rows]))


def _with_answers(
    rng: np.random.Generator, clock: Clock, people: People, acts: int, invited: Answers
) -> tuple[Ints, Ints, Ints]:
    """People, instants and touches (-1 for none) of acts of one's own accord and of invited ones."""
    person, at = people.acting(rng, clock, acts, people.has_ref)
    return (
        np.concatenate([person, invited.person]),
        np.concatenate([at, invited.at]),
        np.concatenate([np.full(len(person), -1), invited.touch]),
    )
