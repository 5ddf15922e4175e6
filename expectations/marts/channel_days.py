"""What happened on a channel on a day, with the parts of every rate."""

from __future__ import annotations

from typing import TYPE_CHECKING

from expectations.suite import suite
from expectations.thresholds import Thresholds
from expectations.vocabulary import between, no_rows, not_below, share

if TYPE_CHECKING:
    from great_expectations.expectations.expectation import Expectation

_PARTS_OF_WHOLES = (
    ("promotion_interactions", "interactions"),
    ("repeat_visits", "visits"),
    ("bounces", "tracked_visits"),
    ("converted_visits", "tracked_visits"),
    ("abandoned_carts", "carts"),
    ("answered_touches", "touches"),
    ("complaints", "tickets"),
    ("positive_reviews", "reviews"),
    ("first_response_business_seconds", "first_response_seconds"),
    ("resolution_business_seconds", "resolution_seconds"),
)
_NEVER_NEGATIVE = (
    *("repeat_visits", "cancelled_orders", "subscribers", "followers", "stay_seconds"),
    *("first_response_business_seconds", "resolution_business_seconds"),
)


@suite("marts", "fct_channel_days")
def channel_days(_: Thresholds) -> list[Expectation]:
    """Parts do not exceed their wholes, days have no hole, and channels add up to the facts."""
    return [
        *(not_below(whole, part) for part, whole in _PARTS_OF_WHOLES),
        *(between(column, 0) for column in _NEVER_NEGATIVE),
        share("proactive_share"),
        no_rows(
            "expect_days_without_a_hole",
            ["channel", "day"],
            """
            select channel, min(day) as first_day, max(day) as last_day, count(*) as days
            from batch
            group by channel
            having count(*) <> max(day) - min(day) + 1
            """,
        ),
        no_rows(
            "expect_channels_to_add_up_to_the_facts",
            ["interactions", "visits", "touches", "revenue"],
            """
            with added as (
                select
                    (select coalesce(sum(interactions), 0) from batch) as interactions_of_channels,
                    (
                        select count(*) from marts.fct_interactions where prompt_status <> 'system'
                    ) as interactions,
                    (select coalesce(sum(visits), 0) from batch) as visits_of_channels,
                    (select count(*) from marts.fct_visits) as visits,
                    (select coalesce(sum(touches), 0) from batch) as touches_of_channels,
                    (select count(*) from marts.fct_touches) as touches,
                    (select coalesce(sum(revenue + renewal_revenue), 0) from batch) as revenue_of_channels,
                    (select coalesce(sum(revenue), 0) from marts.fct_interactions) as revenue
            )
            select *
            from added
            where interactions_of_channels <> interactions
                or visits_of_channels <> visits
                or touches_of_channels <> touches
                or revenue_of_channels <> revenue
            """,
        ),
    ]
