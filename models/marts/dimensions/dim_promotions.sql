-- Promotions of the brand. Grain: one promotion.
with

    promotions as (select * from {{ ref("stg_promotions__promotions") }}),

    final as (
        select
            promotion_id,
            name as promotion_name,
            sales_channel,
            starts_at,
            ends_at,
            {{ business_day("starts_at") }} as starts_on,
            {{ business_day("ends_at") }} as ends_on,
            discount_rate
        from promotions
    )

select *
from final
