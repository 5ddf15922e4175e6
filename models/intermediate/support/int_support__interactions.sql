{{ config(materialized="view") }}
-- Tickets and the customer's messages as interactions. The first message of a ticket is
-- the ticket itself; a message after a public one of an agent answers it. Grain: one
-- staged ticket, or message that is not an agent's.
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

    types as (select * from {{ ref("interaction_types") }}),

    placed_messages as (
        select
            *,
            max(
                case
                    when author_role = 'agent' and coalesce(is_public, true)
                    then 1
                    else 0
                end
            ) over (
                partition by ticket_id
                order by sent_at, message_id
                rows between unbounded preceding and 1 preceding
            ) as was_answered,
            row_number() over (
                partition by ticket_id, author_role order by sent_at, message_id
            ) as author_message_number
        from messages
    ),

    opened as (
        select
            'support_tickets:' || tickets.ticket_id as interaction_id,
            'support_tickets' as source_table,
            tickets.ticket_id as source_key,
            tickets.identity_key,
            types.interaction_type,
            types.actor,
            tickets.created_at as occurred_at,
            false as is_explicit_prompt,
            tickets.loaded_at,
            case
                when types.route <> 'interaction' then 'brand_act'
            end as exclusion_reason,
            tickets.is_restated
        from tickets
        inner join
            types
            on types.source_table = 'support_tickets'
            and types.event_name = coalesce(tickets.created_by, 'customer')
    ),

    written as (
        select
            'support_messages:' || placed_messages.message_id as interaction_id,
            'support_messages' as source_table,
            placed_messages.message_id as source_key,
            tickets.identity_key,
            types.interaction_type,
            types.actor,
            placed_messages.sent_at as occurred_at,
            coalesce(placed_messages.was_answered, 0) = 1 as is_explicit_prompt,
            placed_messages.loaded_at,
            case
                when tickets.ticket_id is null
                then 'unknown_ticket'
                when types.route <> 'interaction'
                then 'system_message'
                when
                    coalesce(tickets.created_by, 'customer') = 'customer'
                    and placed_messages.author_message_number = 1
                    and {{
                        seconds_between(
                            "tickets.created_at", "placed_messages.sent_at"
                        )
                    }} <= {{ threshold("ticket_first_message_seconds") }}
                then 'same_act_as_ticket'
            end as exclusion_reason,
            tickets.is_restated
        from placed_messages
        inner join
            types
            on types.source_table = 'support_messages'
            and types.event_name = placed_messages.author_role
            and types.route <> 'touch'
        left join tickets on placed_messages.ticket_id = tickets.ticket_id
    ),

    unioned as (
        select *
        from opened
        union all
        select *
        from written
    ),

    final as (
        select
            interaction_id,
            source_table,
            source_key,
            identity_key,
            'support' as channel,
            interaction_type,
            actor,
            occurred_at,
            false as is_date_only,
            is_explicit_prompt,
            cast(null as {{ dbt.type_string() }}) as campaign_id,
            false as is_promotion_on_record,
            cast(null as double) as engaged_seconds,
            cast(null as double) as sentiment,
            cast(null as decimal(18, 4)) as revenue,
            cast(null as {{ dbt.type_string() }}) as order_id,
            loaded_at,
            exclusion_reason
        from unioned
        {%- if builds_on_last_night() %}
            where is_restated or occurred_at >= {{ known_until() }}
        {%- endif %}
    )

select *
from final
