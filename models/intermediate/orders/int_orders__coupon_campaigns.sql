{{ config(materialized="incremental", incremental_strategy="logged") }}
-- The campaign that a coupon code belongs to; a code that belongs to several names
-- none of them. Grain: coupon code.
with

    redemptions as (
        select *
        from {{ ref("stg_coupons__redemptions") }}
        where redeemed_at < {{ as_of_end() }}
    ),

    final as (
        select coupon_code, min(campaign_id) as campaign_id
        from redemptions
        where coupon_code is not null and campaign_id is not null
        group by coupon_code
        having count(distinct campaign_id) = 1
    )

select *
from final
