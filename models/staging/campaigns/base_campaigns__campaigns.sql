-- Campaigns: every version as loaded, cast to the contract's types, identifiers
-- normalised, with the first rule that the row breaks. Grain: one raw row.
{%- set delivered = delivered_columns("campaigns") %}
with

    raw_rows as ({{ raw_rows("campaigns", delivered) }}),

    typed as (select {{ typed_columns("campaigns", delivered) }} from raw_rows),

    final as (
        select
            {{ staged_columns("campaigns") }},
            {{ quarantine_rule("campaigns", delivered) }} as quarantine_rule
        from typed
    )

select *
from final
