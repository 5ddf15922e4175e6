-- Pairs of identifiers known to belong to one person (sign-ins, card registrations, CRM
-- merges): every version as loaded, cast to the contract's types, identifiers
-- normalised, with the first rule that the row breaks. Grain: one raw row.
{%- set delivered = delivered_columns("identity_links") %}
with

    raw_rows as ({{ raw_rows("identity_links", delivered) }}),

    time_bounds as ({{ time_bounds() }}),

    typed as (select {{ typed_columns("identity_links", delivered) }} from raw_rows),

    final as (
        select
            {{ staged_columns("identity_links") }},
            {{ quarantine_rule("identity_links", delivered) }} as quarantine_rule
        from typed
        cross join time_bounds
    )

select *
from final
