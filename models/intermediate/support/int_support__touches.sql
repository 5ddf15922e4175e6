{{ config(materialized="view") }}
-- Public messages of agents to a customer. Grain: one staged message of an agent.
with

    tickets as (
        select
            *,
            {{ leading_identifier_key(["customer_ref", "user_id", "email", "handle"]) }}
            as identity_key,
            {{ is_restated_identity() }} as is_restated
        from {{ ref("stg_support__tickets") }}
    ),

    messages as ({{ messages_of_tonight(ref("stg_support__messages"), "tickets") }}),

    types as (
        select *
        from {{ ref("interaction_types") }}
        where source_table = 'support_messages'
    ),

    final as (
        select
            'support_messages:' || messages.message_id as touch_id,
            'support_messages' as source_table,
            messages.message_id as source_key,
            tickets.identity_key,
            'agent_message' as channel,
            cast(null as {{ dbt.type_string() }}) as campaign_id,
            messages.sent_at as touched_at,
            false as is_date_only,
            messages.loaded_at,
            case
                when tickets.ticket_id is null
                then 'unknown_ticket'
                when not coalesce(messages.is_public, true)
                then 'internal_note'
            end as exclusion_reason
        from messages
        inner join
            types on messages.author_role = types.event_name and types.route = 'touch'
        left join tickets on messages.ticket_id = tickets.ticket_id
        {%- if builds_on_last_night() %}
            where tickets.is_restated or messages.sent_at >= {{ known_until() }}
        {%- endif %}
    )

select *
from final
