-- Followers of the brand's accounts, day by day: every version as loaded, cast to the
-- contract's types, identifiers normalised, with the first rule that the row breaks.
-- Grain: one raw row.
{%- set delivered = delivered_columns("social_account_days") %}
with

    raw_rows as ({{ raw_rows("social_account_days", delivered) }}),

    time_bounds as ({{ time_bounds() }}),

    typed as (
        select {{ typed_columns("social_account_days", delivered) }} from raw_rows
    ),

    final as (
        select
            {{ staged_columns("social_account_days") }},
            {{ quarantine_rule("social_account_days", delivered) }} as quarantine_rule
        from typed
        cross join time_bounds
    )

select *
from final
