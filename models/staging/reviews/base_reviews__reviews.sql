-- Product and company reviews: every version as loaded, cast to the contract's types,
-- identifiers normalised, with the first rule that the row breaks. Grain: one raw row.
{%- set delivered = delivered_columns("reviews") %}
with

    raw_rows as ({{ raw_rows("reviews", delivered) }}),

    time_bounds as ({{ time_bounds() }}),

    typed as (select {{ typed_columns("reviews", delivered) }} from raw_rows),

    final as (
        select
            {{ staged_columns("reviews") }},
            {{ quarantine_rule("reviews", delivered) }} as quarantine_rule
        from typed
        cross join time_bounds
    )

select *
from final
