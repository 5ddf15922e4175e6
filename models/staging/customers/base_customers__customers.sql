-- Customers as the CRM knows them: every version as loaded, cast to the contract's
-- types, identifiers normalised, with the first rule that the row breaks. Grain: one
-- raw row.
{%- set delivered = delivered_columns("customers") %}
with

    raw_rows as ({{ raw_rows("customers", delivered) }}),

    typed as (select {{ typed_columns("customers", delivered) }} from raw_rows),

    final as (
        select
            {{ staged_columns("customers") }},
            {{ quarantine_rule("customers", delivered) }} as quarantine_rule
        from typed
    )

select *
from final
