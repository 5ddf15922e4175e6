{{ config(materialized="view") }}
-- Referrals as acts of the customer who refers. Grain: one staged referral.
with

    tonight as (
        {{ staged_rows_of_tonight(ref("stg_referrals__referrals"), "sent_at") }}
    ),

    referrals as (select *, referrer_ref as customer_ref from tonight),

    types as (
        select * from {{ ref("interaction_types") }} where source_table = 'referrals'
    ),

    final as (
        select
            'referrals:' || referrals.referral_id as interaction_id,
            'referrals' as source_table,
            referrals.referral_id as source_key,
            {{ leading_identifier_key(["customer_ref"]) }} as identity_key,
            'referrals' as channel,
            types.interaction_type,
            types.actor,
            referrals.sent_at as occurred_at,
            false as is_date_only,
            false as is_explicit_prompt,
            cast(null as {{ dbt.type_string() }}) as campaign_id,
            false as is_promotion_on_record,
            cast(null as double) as engaged_seconds,
            cast(null as double) as sentiment,
            cast(null as decimal(18, 4)) as revenue,
            cast(null as {{ dbt.type_string() }}) as order_id,
            referrals.loaded_at,
            cast(null as {{ dbt.type_string() }}) as exclusion_reason
        from referrals
        cross join types
    )

select *
from final
