-- Acts towards the brand on social networks: every version as loaded, cast to the
-- contract's types, identifiers normalised, with the first rule that the row breaks. An
-- event whose name the taxonomy does not know is held back until it does. Grain: one
-- raw row.
{%- set delivered = delivered_columns("social_events") %}
with

    raw_rows as ({{ raw_rows("social_events", delivered) }}),

    known_events as (
        select distinct event_name as known_event_name
        from {{ ref("interaction_types") }}
        where source_table = 'social_events'
    ),

    time_bounds as ({{ time_bounds() }}),

    typed as (select {{ typed_columns("social_events", delivered) }} from raw_rows),

    final as (
        select
            {{ staged_columns("social_events") }},
            {{
                quarantine_rule(
                    "social_events",
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
