-- Calendar of promotions: every version as loaded, cast to the contract's types,
-- identifiers normalised, with the first rule that the row breaks. Grain: one raw row.
{%- set delivered = delivered_columns("promotions") %}
with

    raw_rows as ({{ raw_rows("promotions", delivered) }}),

    typed as (select {{ typed_columns("promotions", delivered) }} from raw_rows),

    final as (
        select
            {{ staged_columns("promotions") }},
            {{ quarantine_rule("promotions", delivered) }} as quarantine_rule
        from typed
    )

select *
from final
