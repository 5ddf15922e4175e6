{{
    config(
        materialized="incremental",
        incremental_strategy="restated",
        meta={
            "restated": {
                "customers": "int_night__changed_customers",
                "since": "occurred_at",
                "unit": "instant",
            }
        },
    )
}}
-- Interactions with their customer and business day. Grain: one interaction known at
-- the snapshot date.
with

    interactions as (
        select *
        from {{ ref("int_interactions__unioned") }}
        where exclusion_reason is null
    ),

    assignments as (
        select identifier_key, customer_id from {{ ref("int_identity__assignments") }}
    ),

    final as (
        select
            interactions.interaction_id,
            interactions.source_table,
            interactions.source_key,
            assignments.customer_id,
            interactions.channel,
            interactions.interaction_type,
            interactions.actor,
            interactions.occurred_at,
            {{ business_day("interactions.occurred_at") }} as occurred_on,
            interactions.is_date_only,
            interactions.is_explicit_prompt,
            interactions.campaign_id,
            interactions.is_promotion_on_record,
            interactions.engaged_seconds,
            interactions.sentiment,
            interactions.revenue,
            interactions.order_id,
            interactions.loaded_at
        from interactions
        inner join assignments on interactions.identity_key = assignments.identifier_key
    )

select *
from final
