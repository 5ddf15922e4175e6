{{ config(materialized="view") }}
-- What customers do on social networks. Grain: one staged event that the customer
-- authored.
with

    tonight as ({{ staged_rows_of_tonight(ref("stg_social__events"), "occurred_at") }}),

    events as (select * from tonight where not coalesce(is_brand_author, false)),

    types as (
        select *
        from {{ ref("interaction_types") }}
        where source_table = 'social_events'
    ),

    final as (
        select
            'social_events:' || events.event_id as interaction_id,
            'social_events' as source_table,
            events.event_id as source_key,
            {{ leading_identifier_key(["customer_ref", "handle"]) }} as identity_key,
            'social' as channel,
            types.interaction_type,
            types.actor,
            events.occurred_at,
            false as is_date_only,
            coalesce(events.in_reply_to, 'none') = 'brand' as is_explicit_prompt,
            cast(null as {{ dbt.type_string() }}) as campaign_id,
            false as is_promotion_on_record,
            cast(null as double) as engaged_seconds,
            events.sentiment,
            cast(null as decimal(18, 4)) as revenue,
            cast(null as {{ dbt.type_string() }}) as order_id,
            events.loaded_at,
            cast(null as {{ dbt.type_string() }}) as exclusion_reason
        from events
        inner join types on events.event_name = types.event_name
    )

select *
from final
