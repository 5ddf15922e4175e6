{{ config(materialized="view") }}
-- Coupon redemptions as interactions. A coupon of a campaign is an explicit prompt.
-- Grain: one staged redemption.
with

    redemptions as (
        {{ staged_rows_of_tonight(ref("stg_coupons__redemptions"), "redeemed_at") }}
    ),

    types as (
        select *
        from {{ ref("interaction_types") }}
        where source_table = 'coupon_redemptions'
    ),

    final as (
        select
            'coupon_redemptions:' || redemptions.redemption_id as interaction_id,
            'coupon_redemptions' as source_table,
            redemptions.redemption_id as source_key,
            {{ leading_identifier_key(["customer_ref", "loyalty_id", "email"]) }}
            as identity_key,
            'coupons' as channel,
            types.interaction_type,
            types.actor,
            redemptions.redeemed_at as occurred_at,
            coalesce(redemptions.is_date_only, false) as is_date_only,
            redemptions.campaign_id is not null as is_explicit_prompt,
            redemptions.campaign_id,
            true as is_promotion_on_record,
            cast(null as double) as engaged_seconds,
            cast(null as double) as sentiment,
            cast(null as decimal(18, 4)) as revenue,
            redemptions.order_id,
            redemptions.loaded_at,
            cast(null as {{ dbt.type_string() }}) as exclusion_reason
        from redemptions
        cross join types
    )

select *
from final
