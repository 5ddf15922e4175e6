{{ config(materialized="view") }}
-- Returns with the order they belong to, in the reporting currency (a negative amount).
-- What is returned of an order that is cancelled takes nothing back: the order earned
-- nothing. Grain: one staged return.
with

    orders as (select * from {{ ref("int_orders__valued") }}),

    returns as (select * from {{ ref("stg_orders__returns") }}),

    rate_states as (
        select currency as return_currency, rate_on, rate
        from {{ ref("stg_finance__exchange_rates") }}
    ),

    dated as (
        select
            *,
            {{ business_day("returned_at") }} as returned_on,
            coalesce(currency, '{{ var("reporting_currency") }}') as return_currency
        from returns
    ),

    priced as (
        {{
            carried(
                "dated",
                "rate_states",
                ["return_currency"],
                "returned_on",
                "rate_on",
                ["rate"],
                inclusive=true,
            )
        }}
    ),

    valued as (
        select
            priced.return_id,
            priced.order_id,
            orders.identity_key,
            orders.sales_channel,
            orders.cancelled_at,
            priced.returned_at,
            priced.returned_on,
            cast(
                - coalesce(priced.amount, 0)
                * case
                    when priced.return_currency = '{{ var("reporting_currency") }}'
                    then 1
                    else priced.rate
                end as decimal(18, 4)
            ) as amount,
            orders.order_id is null as is_order_unknown,
            coalesce(orders.is_test, false) as is_test,
            priced.loaded_at
        from priced
        left join orders on priced.order_id = orders.order_id
    ),

    final as (
        select
            return_id,
            order_id,
            identity_key,
            sales_channel,
            returned_at,
            returned_on,
            case when cancelled_at is null then amount else 0 end as revenue,
            case
                when cancelled_at is null or returned_at < cancelled_at
                then amount
                else 0
            end as booked_revenue,
            is_order_unknown,
            is_test,
            loaded_at
        from valued
    )

select *
from final
