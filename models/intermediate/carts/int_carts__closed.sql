{{
    config(
        materialized="incremental",
        incremental_strategy="restated",
        meta={
            "restated": {
                "customers": "int_night__changed_customers",
                "since": "closed_at",
                "unit": "instant",
            }
        },
    )
}}
-- Carts whose fate is known: a cart is what a customer puts in without an order and
-- without a pause of `cart_abandonment_hours` in between. It closes with the next
-- order,
-- in whatever channel, or is abandoned once that time has passed after the last
-- product.
-- In a night also carts that were open when the last one ended. Grain: cart, named by
-- the last product put into it.
{%- set abandoned_after = "3600 * " ~ threshold_literal("cart_abandonment_hours") %}
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
                add_seconds(known_until(), "-" ~ abandoned_after),
            )
        }}
    ),

    acts as (
        select
            customer_id,
            interaction_id,
            channel,
            interaction_type,
            occurred_at,
            occurred_on
        from tonight
        where interaction_type in ('add_to_cart', 'order')
    ),

    -- at the same instant what is put in comes before the order
    followed as (
        select
            *,
            lead(interaction_type) over in_order as next_type,
            lead(occurred_at) over in_order as next_at
        from acts
        window
            in_order as (
                partition by customer_id
                order by occurred_at, interaction_type, interaction_id
            )
    ),

    last_products as (
        select
            *,
            {{ add_seconds("occurred_at", abandoned_after) }} as abandoned_at,
            coalesce(
                next_at <= {{ add_seconds("occurred_at", abandoned_after) }}, false
            ) as is_followed
        from followed
        where interaction_type = 'add_to_cart'
    ),

    closed as (
        select
            *,
            not is_followed as is_abandoned,
            case when is_followed then next_at else abandoned_at end as closed_at
        from last_products
        where not is_followed or next_type = 'order'
    ),

    final as (
        select
            customer_id,
            interaction_id as last_product_id,
            channel,
            occurred_at as last_product_at,
            occurred_on as last_product_on,
            closed_at,
            is_abandoned
        from closed
        where
            closed_at < {{ as_of_end() }}
            {%- if builds_on_last_night() %}
                and (
                    closed_at >= {{ known_until() }}
                    or customer_id
                    in (select changed_customers.customer_id from changed_customers)
                )
            {%- endif %}
    )

select *
from final
