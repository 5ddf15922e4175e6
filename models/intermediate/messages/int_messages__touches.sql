{{ config(materialized="view") }}
-- Messages that reached a customer. Grain: one staged sending or delivery. A delivery
-- is evidence of its sending, not a second touch, and a sending that bounced reached
-- nobody.
with

    -- a delivery is held against its sending of the days before
    events as (
        {{
            staged_rows_of_tonight(
                ref("stg_messages__events"),
                "occurred_at",
                margin="86400 * " ~ threshold_literal("delivery_match_days"),
            )
        }}
    ),

    types as (
        select *
        from {{ ref("interaction_types") }}
        where source_table = 'message_events'
    ),

    relevant as (
        select
            events.*,
            types.route,
            {{ leading_identifier_key(["customer_ref", "email", "phone"]) }}
            as identity_key,
            coalesce(events.campaign_id, '') as match_campaign_id
        from events
        inner join types on events.event_name = types.event_name
        where
            types.route = 'touch'
            -- what bounces after the snapshot date is not known yet
            or (
                events.event_name = 'bounced' and events.occurred_at < {{ as_of_end() }}
            )
    ),

    neighbours as (
        select
            *,
            max(case when event_name = 'sent' then occurred_at end) over (
                partition by message_channel, identity_key, match_campaign_id
                order by occurred_at
                range between unbounded preceding and current row
            ) as last_sent_at,
            min(case when event_name = 'bounced' then occurred_at end) over (
                partition by message_channel, identity_key, match_campaign_id
                order by occurred_at
                range between current row and unbounded following
            ) as next_bounced_at
        from relevant
    ),

    final as (
        select
            'message_events:' || event_id as touch_id,
            'message_events' as source_table,
            event_id as source_key,
            identity_key,
            message_channel as channel,
            campaign_id,
            occurred_at as touched_at,
            coalesce(is_date_only, false) as is_date_only,
            loaded_at,
            case
                when
                    event_name = 'delivered'
                    and {{ seconds_between("last_sent_at", "occurred_at") }}
                    <= 86400 * {{ threshold("delivery_match_days") }}
                then 'same_message'
                when
                    {{ seconds_between("occurred_at", "next_bounced_at") }}
                    <= 86400 * {{ threshold("bounce_match_days") }}
                then 'bounced'
            end as exclusion_reason
        from neighbours
        where
            route = 'touch'
            {%- if builds_on_last_night() %}
                and (is_restated or occurred_at >= {{ known_until() }})
            {%- endif %}
    )

select *
from final
