{{ config(materialized="view") }}
-- What customers do with messages: opens, clicks, replies, purchases, unsubscribes,
-- complaints. Every one of them answers a message and so carries its prompt. A purchase
-- that a better source tells of is excluded. Grain: one staged event that is not a
-- sending or a delivery.
with

    events as (
        {{ staged_rows_of_tonight(ref("stg_messages__events"), "occurred_at") }}
    ),

    types as (
        select *
        from {{ ref("interaction_types") }}
        where source_table = 'message_events' and route <> 'touch'
    ),

    better_seen as (
        select source_key
        from {{ ref("int_purchases__matched") }}
        where source_table = 'message_events' and not is_gone
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
            events.order_id,
            events.loaded_at,
            case
                when types.route <> 'interaction'
                then 'delivery_failure'
                when coalesce(events.is_machine, false)
                then 'machine'
                when better_seen.source_key is not null
                then 'seen_by_a_better_source'
            end as exclusion_reason
        from events
        inner join types on events.event_name = types.event_name
        left join
            better_seen
            on case when events.event_name = 'purchased' then events.event_id end
            = better_seen.source_key
    )

select *
from final
