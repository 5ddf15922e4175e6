"""Messages to customers, and what became of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from expectations.suite import suite
from expectations.thresholds import Thresholds
from expectations.vocabulary import named, no_rows

if TYPE_CHECKING:
    from great_expectations.expectations.expectation import Expectation


@suite("staging", "stg_messages__events")
def events(thresholds: Thresholds) -> list[Expectation]:
    """Most messages go to somebody known, and a channel that is opened or clicked was also sent to.

    Opens and clicks without any sending mean that a feed is missing half, and that everything done by
    its customers would look unprompted.
    """
    return [
        named("stg_messages__events", ("customer_ref", "email", "phone"), thresholds),
        no_rows(
            "expect_channels_with_answers_to_have_sendings",
            ["message_channel", "event_name"],
            """
            select
                message_channel,
                count(*) filter (where event_name in ('opened', 'clicked', 'replied')) as unexpected_count,
                count(*) as element_count
            from batch
            group by message_channel
            having
                unexpected_count > :rows_tolerated
                and count(*) filter (where event_name in ('sent', 'delivered')) = 0
            """,
            {
                "rows_tolerated": thresholds.value(
                    "staging", "stg_messages__events", "incomplete_rows_tolerated"
                )
            },
        ),
    ]
