-- Messages within support tickets: every version as loaded, cast to the contract's
-- types, identifiers normalised, with the first rule that the row breaks. Grain: one
-- raw row.
{%- set delivered = delivered_columns("support_messages") %}
with

    raw_rows as ({{ raw_rows("support_messages", delivered) }}),

    time_bounds as ({{ time_bounds() }}),

    typed as (select {{ typed_columns("support_messages", delivered) }} from raw_rows),

    final as (
        select
            {{ staged_columns("support_messages") }},
            {{ quarantine_rule("support_messages", delivered) }} as quarantine_rule
        from typed
        cross join time_bounds
    )

select *
from final
