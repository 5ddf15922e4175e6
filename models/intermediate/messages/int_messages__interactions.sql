{{ config(materialized="view") }}
-- What customers do with messages: opens, clicks, replies, unsubscribes, complaints.
-- Every one of them answers a message and so carries its prompt. Grain: one staged
-- event that is not a sending or a delivery.
with

    events as (
        {{ staged_rows_of_tonight(ref("stg_messages__events"), "occurred_at") }}
    ),

    types as (
        select *
        from {{ ref("interaction_types") }}
        where source_table = 'message_events' and route <> 'touch'
    ),

    final as (
        select
            'message_events:' || events.event_id as interaction_id,
            'message_events' as source_table,
            events.event_id as source_key,
            {{ leading_identifier_key(["customer_ref", "email", "phone"]) }}
            as identity_key,
            events.message_channel as channel,
            types.interaction_type,
            types.actor,
            events.occurred_at,
            coalesce(events.is_date_only, false) as is_date_only,
            true as is_explicit_prompt,
            events.campaign_id,
            false as is_promotion_on_record,
            cast(null as double) as engaged_seconds,
            cast(null as double) as sentiment,
            cast(null as decimal(18, 4)) as revenue,
            cast(null as {{ dbt.type_string() }}) as order_id,
            events.loaded_at,
            case
                when types.route <> 'interaction'
                then 'delivery_failure'
                when coalesce(events.is_machine, false)
                then 'machine'
            end as exclusion_reason
        from events
        inner join types on events.event_name = types.event_name
    )

select *
from final
