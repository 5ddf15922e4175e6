{{
    config(
        materialized="incremental",
        incremental_strategy="rekeyed",
        meta={"rekeyed": ["order_id"]},
    )
}}
-- Orders in the reporting currency, with what is known of them at the snapshot date: a
-- cancellation that comes later is not known yet. Grain: one staged order (test orders
-- included, marked). A night values those of restated customers and new ones.
{%- set staged_orders = ref("stg_orders__orders") %}
with

    orders as ({{ staged_rows_of_tonight(staged_orders, "ordered_at") }}),

    rates as (select * from {{ ref("stg_finance__exchange_rates") }}),

    redemptions as (
        select *
        from {{ ref("stg_coupons__redemptions") }}
        where redeemed_at < {{ as_of_end() }}
    ),

    order_campaigns as (
        select order_id, min(campaign_id) as campaign_id
        from redemptions
        where order_id is not null and campaign_id is not null
        group by order_id
    ),

    coupon_campaigns as (select * from {{ ref("int_orders__coupon_campaigns") }}),

    dated as (
        select
            *,
            {{ business_day("ordered_at") }} as ordered_on,
            {{
                leading_identifier_key(
                    ["customer_ref", "user_id", "loyalty_id", "email", "phone"]
                )
            }} as identity_key,
            coalesce(currency, '{{ var("reporting_currency") }}') as order_currency
        from orders
    ),

    rate_states as (select currency as order_currency, rate_on, rate from rates),

    priced as (
        {{
            carried(
                "dated",
                "rate_states",
                ["order_currency"],
                "ordered_on",
                "rate_on",
                ["rate"],
                inclusive=true,
            )
        }}
    ),

    cancelled as (
        select
            *,
            case
                when cancelled_at is not null
                then greatest(cancelled_at, ordered_at)
                when lower(status) in ('cancelled', 'canceled', 'voided')
                then ordered_at
            end as effective_cancelled_at,
            cast(
                total_amount * case
                    when order_currency = '{{ var("reporting_currency") }}'
                    then 1
                    else rate
                end as decimal(18, 4)
            ) as amount
        from priced
    ),

    valued as (
        select
            cancelled.order_id,
            cancelled.identity_key,
            cancelled.sales_channel,
            cancelled.ordered_at,
            cancelled.ordered_on,
            case
                when cancelled.effective_cancelled_at < {{ as_of_end() }}
                then cancelled.effective_cancelled_at
            end as cancelled_at,
            cancelled.amount,
            coalesce(
                order_campaigns.campaign_id, coupon_campaigns.campaign_id
            ) as campaign_id,
            cancelled.coupon_code is not null
            or cancelled.promotion_id is not null
            or order_campaigns.campaign_id is not null as is_promotion_on_record,
            coalesce(cancelled.is_auto_renewal, false) as is_auto_renewal,
            coalesce(cancelled.is_test, false) as is_test,
            cancelled.loaded_at,
            false as is_gone
        from cancelled
        left join order_campaigns on cancelled.order_id = order_campaigns.order_id
        left join
            coupon_campaigns on cancelled.coupon_code = coupon_campaigns.coupon_code
    ),

    final as (
        select *
        from valued
        {%- if builds_on_last_night() %}
            union all
            -- orders that were changed or deleted; what is left of them stands above
            select
                order_id,
                cast(null as {{ dbt.type_string() }}) as identity_key,
                sales_channel,
                ordered_at,
                cast(null as date) as ordered_on,
                cancelled_at,
                cast(null as decimal(18, 4)) as amount,
                cast(null as {{ dbt.type_string() }}) as campaign_id,
                false as is_promotion_on_record,
                false as is_auto_renewal,
                false as is_test,
                loaded_at,
                true as is_gone
            from {{ changes_of(staged_orders) }}
            where {{ is_unseen() }}
        {%- endif %}
    )

select *
from final
