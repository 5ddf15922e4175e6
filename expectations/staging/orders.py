"""Orders and returns."""

from __future__ import annotations

from typing import TYPE_CHECKING

from expectations.suite import suite
from expectations.thresholds import Thresholds
from expectations.vocabulary import no_rows, seldom, text_length

if TYPE_CHECKING:
    from great_expectations.expectations.expectation import Expectation


@suite("staging", "stg_orders__orders")
def orders(thresholds: Thresholds) -> list[Expectation]:
    """Amounts are in the unit and with the sign that they always had, in a currency with a code."""

    def threshold(name: str) -> float:
        return thresholds.value("staging", "stg_orders__orders", name)

    return [
        text_length("currency", 3),
        seldom(
            "expect_discounts_in_proportion_to_what_was_paid",
            ["discount_amount", "total_amount"],
            "discount_amount > :multiple * greatest(total_amount, 1)",
            threshold("disproportionate_share_max"),
            threshold("disproportionate_rows_tolerated"),
            {"multiple": threshold("discount_multiple_max")},
        ),
        seldom(
            "expect_most_orders_to_cost_something",
            ["total_amount"],
            "total_amount = 0",
            threshold("free_share_max"),
            threshold("free_rows_tolerated"),
        ),
        no_rows(
            "expect_recent_orders_of_the_size_of_earlier_ones",
            ["total_amount"],
            """
            with dated as (
                select
                    coalesce(currency, '') as order_currency,
                    total_amount,
                    ordered_at >= (select max(ordered_at) from batch) - to_days(:recent_days) as is_recent
                from batch
                where total_amount > 0
            ),
            compared as (
                select
                    order_currency,
                    count(*) filter (where is_recent) as unexpected_count,
                    count(*) as element_count,
                    median(total_amount) filter (where is_recent) as recent_median,
                    median(total_amount) filter (where not is_recent) as earlier_median
                from dated
                group by order_currency
            )
            select *
            from compared
            where
                least(unexpected_count, element_count - unexpected_count) >= :orders_needed
                and greatest(recent_median / earlier_median, earlier_median / recent_median) > :factor
            """,
            {
                "recent_days": int(threshold("recent_days")),
                "orders_needed": threshold("comparable_orders_min"),
                "factor": threshold("median_factor_max"),
            },
        ),
    ]


@suite("staging", "stg_orders__returns")
def returns(thresholds: Thresholds) -> list[Expectation]:
    """Returns are in a currency with a code, and seldom pay back more than was paid."""
    return [
        text_length("currency", 3),
        seldom(
            "expect_returns_within_what_was_paid",
            ["amount"],
            """
            exists (
                select 1
                from staging.staging.stg_orders__orders as orders
                where
                    orders.order_id = batch.order_id
                    and orders.currency is not distinct from batch.currency
                    and batch.amount > orders.total_amount
            )
            """,
            thresholds.value("staging", "stg_orders__returns", "disproportionate_share_max"),
            thresholds.value("staging", "stg_orders__returns", "disproportionate_rows_tolerated"),
        ),
    ]
