{{
    config(
        materialized="incremental",
        incremental_strategy="restated",
        meta={
            "restated": {
                "customers": "int_night__changed_customers",
                "since": "state_at",
                "unit": "instant",
            }
        },
    )
}}
-- The last order that still stands, from one instant to the next. Grain: customer and
-- instant at which an order was placed or cancelled. Test orders and automatic renewals
-- are no purchase of the customer.
with

    changed_customers as (
        select distinct customer_id from {{ ref("int_night__changed_customers") }}
    ),

    tonight as (
        {{
            rows_of_tonight(
                ref("int_interactions__identified"),
                "changed_customers",
                "occurred_at",
                known_until(),
            )
        }}
    ),

    orders as (
        select customer_id, order_id, occurred_at as ordered_at
        from tonight
        where interaction_type = 'order'
    ),

    valued as (select order_id, cancelled_at from {{ ref("int_orders__valued") }}),

    placed as (
        select orders.customer_id, orders.ordered_at, valued.cancelled_at
        from orders
        inner join valued on orders.order_id = valued.order_id
    ),

    kept as (
        select distinct customer_id, ordered_at as kept_at
        from placed
        where cancelled_at is null
        {%- if builds_on_last_night() %}
            union
            -- what stood when the last night ended stands on: were it cancelled since,
            -- its customer would be a changed one
            select customer_id, last_ordered_at
            from
                (
                    {{
                        last_stored(
                            this,
                            "placed",
                            "changed_customers",
                            "state_at",
                            ["customer_id", "last_ordered_at"],
                        )
                    }}
                ) as standing
            where last_ordered_at is not null
        {%- endif %}
    ),

    cancelled as (
        select customer_id, ordered_at, cancelled_at
        from placed
        where cancelled_at > ordered_at
    ),

    instants as (
        select customer_id, ordered_at as state_at
        from placed
        union
        select customer_id, cancelled_at as state_at
        from cancelled
    ),

    with_kept as (
        {{
            carried(
                "instants",
                "kept",
                ["customer_id"],
                "state_at",
                "kept_at",
                ["kept_at"],
                inclusive=true,
            )
        }}
    ),

    with_standing as (
        select
            with_kept.customer_id,
            with_kept.state_at,
            with_kept.kept_at,
            max(cancelled.ordered_at) as standing_at
        from with_kept
        left join
            cancelled
            on with_kept.customer_id = cancelled.customer_id
            and with_kept.state_at >= cancelled.ordered_at
            and with_kept.state_at < cancelled.cancelled_at
        group by with_kept.customer_id, with_kept.state_at, with_kept.kept_at
    ),

    final as (
        select
            customer_id,
            state_at,
            case
                when standing_at is null or standing_at < kept_at
                then kept_at
                else standing_at
            end as last_ordered_at
        from with_standing
    )

select *
from final
