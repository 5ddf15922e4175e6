"""Every interaction of every customer, once: nothing lost on the way, nothing from the future."""

from __future__ import annotations

from typing import TYPE_CHECKING

from expectations.suite import suite
from expectations.thresholds import Thresholds
from expectations.vocabulary import between, no_rows, within

if TYPE_CHECKING:
    from great_expectations.expectations.expectation import Expectation


@suite("marts", "fct_interactions")
def interactions(thresholds: Thresholds) -> list[Expectation]:
    """As many as were identified, with the revenue that was staged, by the snapshot date."""
    tolerance = thresholds.value("marts", "fct_interactions", "sum_tolerance")
    return [
        within("sentiment", -1, 1),
        between("engaged_seconds", 0),
        between("prompt_lag_seconds", 0),
        no_rows(
            "expect_as_many_rows_as_were_identified",
            ["interaction_id"],
            """
            with identified as (
                select source_table, count(*) as row_count
                from staging.intermediate.int_interactions__identified
                group by source_table
            ),
            published as (
                select source_table, count(*) as row_count from marts.fct_interactions group by source_table
            )
            select
                source_table,
                abs(coalesce(identified.row_count, 0) - coalesce(published.row_count, 0)) as unexpected_count,
                coalesce(identified.row_count, 0) as element_count
            from identified
            full join published using (source_table)
            where identified.row_count is distinct from published.row_count
            """,
        ),
        no_rows(
            "expect_something_where_something_was_staged",
            ["interaction_id"],
            # Such as a snapshot date before the first event: readers would lose all they have.
            """
            with staged as (
                select coalesce(sum(rows_out), 0) as row_count
                from staging.staging.stg_quarantine__row_accounts
                where
                    source_table in (
                        select source_table from staging.seeds.interaction_types where route = 'interaction'
                    )
            )
            select row_count as unexpected_count, row_count as element_count
            from staged
            where
                row_count > 0
                and not exists (select 1 from marts.fct_interactions)
                and not exists (select 1 from marts.fct_touches)
            """,
        ),
        no_rows(
            "expect_revenue_of_orders_as_staged",
            ["revenue"],
            # A currency without a rate can only be the reporting currency: others are quarantined.
            """
            select batch.interaction_id, batch.revenue, orders.total_amount
            from batch
            inner join staging.staging.stg_orders__orders as orders on batch.source_key = orders.order_id
            where
                batch.source_table = 'orders'
                and (
                    orders.currency is null
                    or orders.currency not in (
                        select currency from staging.staging.stg_finance__exchange_rates
                    )
                )
                and abs(coalesce(batch.revenue, 0) - orders.total_amount)
                > :tolerance * greatest(orders.total_amount, 1)
                and not (
                    coalesce(batch.revenue, 0) = 0
                    and (
                        orders.cancelled_at is not null
                        or coalesce(lower(orders.status) in ('cancelled', 'canceled', 'voided'), false)
                    )
                )
            """,
            {"tolerance": tolerance},
        ),
        no_rows(
            "expect_revenue_of_orders_only_less_what_was_returned",
            ["revenue"],
            """
            select interaction_id, source_table, revenue
            from batch
            where
                revenue <> 0
                and not (source_table = 'orders' and revenue > 0)
                and not (source_table = 'order_returns' and revenue < 0)
            """,
        ),
        no_rows(
            "expect_nothing_after_the_snapshot_date",
            ["occurred_on"],
            """
            select interaction_id, occurred_on
            from batch
            where occurred_on > (select max(snapshot_date) from marts.fct_engagement_longevity)
            """,
        ),
        no_rows(
            "expect_the_business_day_within_a_day_of_the_time",
            ["occurred_on", "occurred_at"],
            """
            select interaction_id, occurred_on, occurred_at
            from batch
            where abs(date_diff('day', cast(occurred_at as date), occurred_on)) > 1
            """,
        ),
        no_rows(
            "expect_prompts_only_where_something_prompted",
            ["prompt_status", "prompt_rule", "prompt_touch_id"],
            """
            select interaction_id, prompt_status, prompt_rule
            from batch
            where
                (prompt_status = 'prompted') <> coalesce(prompt_rule in ('explicit', 'window'), false)
                or (coalesce(prompt_rule = 'window', false) and prompt_touch_id is null)
            """,
        ),
    ]
