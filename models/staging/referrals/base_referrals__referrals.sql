-- Recommendations of customers to others: every version as loaded, cast to the
-- contract's types, identifiers normalised, with the first rule that the row breaks.
-- Grain: one raw row.
{%- set delivered = delivered_columns("referrals") %}
with

    raw_rows as ({{ raw_rows("referrals", delivered) }}),

    time_bounds as ({{ time_bounds() }}),

    typed as (select {{ typed_columns("referrals", delivered) }} from raw_rows),

    final as (
        select
            {{ staged_columns("referrals") }},
            {{ quarantine_rule("referrals", delivered) }} as quarantine_rule
        from typed
        cross join time_bounds
    )

select *
from final
