{{ config(materialized="view") }}
-- Web and app events as interactions. Grain: one staged event; those by bots are
-- excluded, and purchases that a better source tells of, too.
with

    events as ({{ staged_rows_of_tonight(ref("stg_web__events"), "occurred_at") }}),

    types as (
        select * from {{ ref("interaction_types") }} where source_table = 'web_events'
    ),

    better_seen as (
        select source_key
        from {{ ref("int_purchases__matched") }}
        where source_table = 'web_events' and not is_gone
    ),

    final as (
        select
            'web_events:' || events.event_id as interaction_id,
            'web_events' as source_table,
            events.event_id as source_key,
            {{ leading_identifier_key(["user_id", "email", "anonymous_id"]) }}
            as identity_key,
            case when events.platform = 'app' then 'app' else 'web' end as channel,
            types.interaction_type,
            types.actor,
            events.occurred_at,
            false as is_date_only,
            coalesce(events.campaign_id, events.click_id, events.utm_campaign)
            is not null as is_explicit_prompt,
            events.campaign_id,
            false as is_promotion_on_record,
            events.engaged_seconds,
            cast(null as double) as sentiment,
            cast(null as decimal(18, 4)) as revenue,
            events.order_id,
            events.loaded_at,
            case
                when events.is_bot
                then 'bot'
                when better_seen.source_key is not null
                then 'seen_by_a_better_source'
            end as exclusion_reason
        from events
        inner join types on events.event_name = types.event_name
        -- the key of a purchase: other events are spared the search
        left join
            better_seen
            on case when events.event_name = 'purchase' then events.event_id end
            = better_seen.source_key
    )

select *
from final
