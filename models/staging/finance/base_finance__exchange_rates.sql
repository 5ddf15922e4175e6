-- Exchange rates to the reporting currency, day by day: every version as loaded, cast
-- to the contract's types, identifiers normalised, with the first rule that the row
-- breaks. Grain: one raw row.
{%- set delivered = delivered_columns("exchange_rates") %}
with

    raw_rows as ({{ raw_rows("exchange_rates", delivered) }}),

    typed as (select {{ typed_columns("exchange_rates", delivered) }} from raw_rows),

    final as (
        select
            {{ staged_columns("exchange_rates") }},
            {{ quarantine_rule("exchange_rates", delivered) }} as quarantine_rule
        from typed
    )

select *
from final
