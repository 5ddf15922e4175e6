"""The brand's plans: promotions, campaigns, and the exchange rates of the days that they run in.

Who receives a campaign belongs in ``touches``.
"""

from dataclasses import dataclass

import numpy as np

from loaders.sample.arrays import Ints
from loaders.sample.clock import DAY, HOUR, Clock
from loaders.sample.dice import Dice
from loaders.sample.frames import (
    NULL_TIME,
    Column,
    Frame,
    Kind,
    constant,
    number,
    serial,
    text,
    time,
    where,
)
from loaders.sample.people import CURRENCIES

CHANNELS = ("email", "sms", "push", "direct_mail", "ad", "social_reply", "agent_message")
EMAIL, SMS, PUSH, DIRECT_MAIL, AD, SOCIAL_REPLY, AGENT_MESSAGE = range(len(CHANNELS))
WINDOW_DAYS = np.array([5, 5, 1, 14, 1, 2, 7])

PURPOSES = ("promotional", "informational", "transactional", "survey", "review_request", "winback")
PROMOTIONAL, INFORMATIONAL, TRANSACTIONAL, SURVEY, REVIEW_REQUEST, WINBACK = range(len(PURPOSES))

SALES_CHANNELS = ("online", "in_store", "app", "phone")
LEAST_CAMPAIGNS = 18

_FREE_CHANNELS = (EMAIL, DIRECT_MAIL, SMS, PUSH, EMAIL, AD, DIRECT_MAIL, EMAIL, SMS)
_RATE_LEVELS = {"EUR": 1.09, "GBP": 1.27, "JPY": 0.0067}


@dataclass(frozen=True)
class Plans:
    """Promotions and campaigns, ordered by start.

    Attributes:
        promotion_start: Start of each promotion, in microseconds.
        promotion_end: End of each promotion.
        channel: Channel of each campaign, index in ``CHANNELS``.
        purpose: Purpose of each campaign, index in ``PURPOSES``.
        promotion: Promotion of each campaign; -1 for none.
        campaign_start: When each campaign begins to go out.
    """

    promotion_start: Ints
    promotion_end: Ints
    channel: Ints
    purpose: Ints
    promotion: Ints
    campaign_start: Ints

    def promotion_at(self, instants: Ints) -> Ints:
        """Latest promotion that has begun and not ended at each instant; -1 for none."""
        latest = np.searchsorted(self.promotion_start, instants, side="right") - 1
        running = (latest >= 0) & (instants < self.promotion_end[np.maximum(latest, 0)])
        return np.asarray(where(running, latest), dtype=np.int64)


def campaign_ids(campaign: Ints) -> Column:
    """Column ``campaign_id``; -1 is none."""
    return serial("cmp-", campaign)


def promotion_ids(promotion: Ints) -> Column:
    """Column ``promotion_id``; -1 is none."""
    return serial("promo-", promotion)


def make_plans(clock: Clock) -> Plans:
    """Spread campaigns of every channel and purpose, and promotions, evenly over the period."""
    promotions = max(4, clock.days // 12)
    campaigns = max(LEAST_CAMPAIGNS, clock.days // 4)
    length = clock.end - clock.start
    promotion_start = clock.start + (np.arange(promotions) * length // promotions) // HOUR * HOUR
    promotion_days = np.array([7, 10, 5])[np.arange(promotions) % 3]
    number_ = np.arange(campaigns)
    purpose = number_ % len(PURPOSES)
    needs_answer = np.isin(purpose, (TRANSACTIONAL, SURVEY, REVIEW_REQUEST))
    free = np.cumsum(~needs_answer) - 1
    channel = np.where(needs_answer, EMAIL, np.array(_FREE_CHANNELS)[free % len(_FREE_CHANNELS)])
    has_promotion = np.isin(purpose, (PROMOTIONAL, WINBACK))
    days = clock.start + (number_ * max(length - 2 * DAY, DAY) // campaigns) // DAY * DAY
    return Plans(
        promotion_start=promotion_start,
        promotion_end=promotion_start + promotion_days * DAY,
        channel=channel,
        purpose=purpose,
        promotion=where(has_promotion, number_ * promotions // campaigns),
        campaign_start=days + (13 + number_ % 6) * HOUR,
    )


def plan_frames(clock: Clock, plans: Plans) -> tuple[Frame, Frame]:
    """Raw tables ``campaigns`` and ``promotions``; both are known a week before they start."""
    count = len(plans.channel)
    campaigns = Frame(
        "campaigns",
        ("campaign_id",),
        {
            "campaign_id": campaign_ids(np.arange(count)),
            "name": text(np.arange(count), [f"Synthetic campaign {i}" for i in range(count)]),
            "channel": text(plans.channel, CHANNELS),
            "purpose": text(plans.purpose, PURPOSES),
            "promotion_id": promotion_ids(plans.promotion),
            "starts_at": time(plans.campaign_start),
            "ends_at": time(np.where(np.arange(count) % 7 == 0, NULL_TIME, plans.campaign_start + 10 * DAY)),
        },
        loaded=plans.campaign_start - 7 * DAY,
    )
    runs = len(plans.promotion_start)
    everywhere = np.arange(runs) % 5 == 4
    promotions = Frame(
        "promotions",
        ("promotion_id",),
        {
            "promotion_id": promotion_ids(np.arange(runs)),
            "name": text(np.arange(runs), [f"Synthetic promotion {i}" for i in range(runs)]),
            "sales_channel": text(where(~everywhere, np.arange(runs) % len(SALES_CHANNELS)), SALES_CHANNELS),
            "starts_at": time(plans.promotion_start),
            "ends_at": time(plans.promotion_end),
            "discount_rate": number(np.array([0.1, 0.2, 0.15, 0.3])[np.arange(runs) % 4]),
        },
        loaded=plans.promotion_start - 7 * DAY,
    )
    return campaigns, promotions


def exchange_rate_frame(dice: Dice, clock: Clock) -> Frame:
    """Raw table ``exchange_rates``: a random walk per currency, every day from a week before the sample."""
    rng = dice.stream("exchange_rates")
    days = np.arange(clock.start // DAY - 7, clock.end // DAY)
    currencies = [name for name in CURRENCIES if name in _RATE_LEVELS]
    walks = [
        np.round(_RATE_LEVELS[name] * np.exp(np.cumsum(rng.normal(0, 0.004, len(days)))), 6)
        for name in currencies
    ]
    return Frame(
        "exchange_rates",
        ("rate_on", "currency"),
        {
            "rate_on": Column(Kind.DATE, np.tile(days, len(currencies))),
            "currency": text(np.repeat(np.arange(len(currencies)), len(days)), currencies),
            "rate": number(np.concatenate(walks)),
        },
        loaded=np.tile(days * DAY + 6 * HOUR, len(currencies)),
    )


def currency_column(currency: Ints) -> Column:
    """Column ``currency``; -1 says nothing and means the reporting currency."""
    return text(currency, CURRENCIES)


def account_name(rows: int) -> Column:
    """The brand's own name on social networks, which is no customer's."""
    return constant("example_brand", rows)
