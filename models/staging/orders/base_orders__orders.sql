-- Orders of all sales channels: every version as loaded, cast to the contract's types,
-- identifiers normalised, with the first rule that the row breaks. An amount in a
-- currency without a rate at that time is held back: it cannot be added up. Grain: one
-- raw row.
{%- set delivered = delivered_columns("orders") %}
with

    raw_rows as ({{ raw_rows("orders", delivered) }}),

    first_rates as (
        select currency as rate_currency, first_rate_on
        from {{ ref("stg_finance__first_rates") }}
    ),

    time_bounds as ({{ time_bounds() }}),

    typed as (select {{ typed_columns("orders", delivered) }} from raw_rows),

    final as (
        select
            {{ staged_columns("orders") }},
            {{
                quarantine_rule(
                    "orders",
                    delivered,
                    further=[("no_exchange_rate", no_exchange_rate("ordered_at"))],
                )
            }} as quarantine_rule
        from typed
        left join first_rates on typed.currency = first_rates.rate_currency
        cross join time_bounds
    )

select *
from final
