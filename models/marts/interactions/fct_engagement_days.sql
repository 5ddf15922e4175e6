{{
    config(
        materialized="incremental",
        incremental_strategy="restated",
        meta={
            "restated": {
                "customers": "int_night__restated_customers",
                "since": "active_on",
                "unit": "day",
            },
            "slices": {"rows_of": "fct_interactions", "rows_each": 10000000},
        },
    )
}}
-- What customers did on a day, added up: the additive ground on which the engagement
-- facts stand. An order that is cancelled counts on the day it was placed and is taken
-- back on the day it was cancelled, so that the totals of any earlier day stay what
-- they were. What a system did is no act of the customer and is left out. Grain:
-- customer, business day, channel, interaction type, context and prompt rule.
with

    restated_customers as (
        select distinct customer_id from {{ ref("int_night__restated_customers") }}
    ),

    tonight as (
        {{
            rows_of_tonight(
                ref("fct_interactions"),
                "restated_customers",
                "occurred_at",
                known_until(),
            )
        }}
    ),

    interactions as (
        select * from tonight where prompt_status <> 'system' and {{ is_in_slice() }}
    ),

    orders as (
        select * from {{ ref("int_orders__valued") }} where cancelled_at is not null
    ),

    returns as (select * from {{ ref("int_orders__returns_valued") }}),

    -- what was booked on its own day and taken back when the order was cancelled
    bookings as (
        select
            'orders:' || order_id as interaction_id,
            amount as booked_revenue,
            {{ business_day("cancelled_at") }} as cancelled_on
        from orders
        union all
        select
            'order_returns:' || returns.return_id as interaction_id,
            returns.booked_revenue,
            {{ business_day("orders.cancelled_at") }} as cancelled_on
        from returns
        inner join orders on returns.order_id = orders.order_id
        where returns.booked_revenue <> 0
    ),

    acts as (
        select
            interactions.customer_id,
            interactions.occurred_on as active_on,
            interactions.channel,
            interactions.interaction_type,
            interactions.context,
            interactions.prompt_status,
            interactions.prompt_rule,
            1 as interactions,
            case
                when interactions.visit_id = interactions.interaction_id then 1 else 0
            end as visits,
            case
                when interactions.in_promotion then 1 else 0
            end as promotion_interactions,
            case when interactions.is_offline then 1 else 0 end as offline_interactions,
            interactions.weight as weighted_interactions,
            interactions.engaged_seconds,
            case
                when interactions.interaction_type = 'order' then 1 else 0
            end as orders,
            coalesce(bookings.booked_revenue, interactions.revenue) as revenue
        from interactions
        left join bookings on interactions.interaction_id = bookings.interaction_id
    ),

    reversals as (
        select
            interactions.customer_id,
            bookings.cancelled_on as active_on,
            interactions.channel,
            interactions.interaction_type,
            interactions.context,
            interactions.prompt_status,
            interactions.prompt_rule,
            0 as interactions,
            0 as visits,
            0 as promotion_interactions,
            0 as offline_interactions,
            0 as weighted_interactions,
            0 as engaged_seconds,
            case
                when interactions.interaction_type = 'order' then -1 else 0
            end as orders,
            - bookings.booked_revenue as revenue
        from bookings
        inner join interactions on bookings.interaction_id = interactions.interaction_id
    ),

    unioned as (
        select *
        from acts
        union all
        select *
        from reversals
    ),

    final as (
        select
            customer_id,
            active_on,
            channel,
            interaction_type,
            context,
            prompt_status,
            prompt_rule,
            cast(sum(interactions) as bigint) as interactions,
            cast(sum(visits) as bigint) as visits,
            cast(sum(promotion_interactions) as bigint) as promotion_interactions,
            cast(sum(offline_interactions) as bigint) as offline_interactions,
            cast(
                sum({{ exact("weighted_interactions") }}) as double
            ) as weighted_interactions,
            cast(
                coalesce(sum({{ exact("engaged_seconds") }}), 0) as double
            ) as engaged_seconds,
            cast(sum(orders) as bigint) as orders,
            cast(coalesce(sum(revenue), 0) as decimal(18, 4)) as revenue
        from unioned
        group by 1, 2, 3, 4, 5, 6, 7
    )

select *
from final
