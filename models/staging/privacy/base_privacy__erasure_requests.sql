-- Requests of persons to be forgotten: every version as loaded, cast to the contract's
-- types, identifiers normalised, with the first rule that the row breaks. Grain: one
-- raw row.
{%- set delivered = delivered_columns("erasure_requests") %}
with

    raw_rows as ({{ raw_rows("erasure_requests", delivered) }}),

    typed as (select {{ typed_columns("erasure_requests", delivered) }} from raw_rows),

    final as (
        select
            {{ staged_columns("erasure_requests") }},
            {{ quarantine_rule("erasure_requests", delivered) }} as quarantine_rule
        from typed
    )

select *
from final
