-- Visits to stores: every version as loaded, cast to the contract's types, identifiers
-- normalised, with the first rule that the row breaks. Grain: one raw row.
{%- set delivered = delivered_columns("store_visits") %}
with

    raw_rows as ({{ raw_rows("store_visits", delivered) }}),

    time_bounds as ({{ time_bounds() }}),

    typed as (select {{ typed_columns("store_visits", delivered) }} from raw_rows),

    final as (
        select
            {{ staged_columns("store_visits") }},
            {{ quarantine_rule("store_visits", delivered) }} as quarantine_rule
        from typed
        cross join time_bounds
    )

select *
from final
