-- What happened to messages sent to customers: e-mail, SMS, push, direct mail, ads:
-- every version as loaded, cast to the contract's types, identifiers normalised, with
-- the first rule that the row breaks. An event whose name the taxonomy does not know is
-- held back until it does. Grain: one raw row.
{%- set delivered = delivered_columns("message_events") %}
with

    raw_rows as ({{ raw_rows("message_events", delivered) }}),

    known_events as (
        select distinct event_name as known_event_name
        from {{ ref("interaction_types") }}
        where source_table = 'message_events'
    ),

    time_bounds as ({{ time_bounds() }}),

    typed as (select {{ typed_columns("message_events", delivered) }} from raw_rows),

    final as (
        select
            {{ staged_columns("message_events") }},
            {{
                quarantine_rule(
                    "message_events",
                    delivered,
                    further=[("unknown_event_name", "known_event_name is null")],
                )
            }} as quarantine_rule
        from typed
        left join known_events on typed.event_name = known_events.known_event_name
        cross join time_bounds
    )

select *
from final
