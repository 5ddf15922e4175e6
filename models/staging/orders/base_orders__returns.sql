-- Returned orders, whole or in part: every version as loaded, cast to the contract's
-- types, identifiers normalised, with the first rule that the row breaks. An amount in
-- a currency without a rate at that time is held back: it cannot be added up. Grain:
-- one raw row.
{%- set delivered = delivered_columns("order_returns") %}
with

    raw_rows as ({{ raw_rows("order_returns", delivered) }}),

    first_rates as (
        select currency as rate_currency, first_rate_on
        from {{ ref("stg_finance__first_rates") }}
    ),

    time_bounds as ({{ time_bounds() }}),

    typed as (select {{ typed_columns("order_returns", delivered) }} from raw_rows),

    final as (
        select
            {{ staged_columns("order_returns") }},
            {{
                quarantine_rule(
                    "order_returns",
                    delivered,
                    further=[("no_exchange_rate", no_exchange_rate("returned_at"))],
                )
            }} as quarantine_rule
        from typed
        left join first_rates on typed.currency = first_rates.rate_currency
        cross join time_bounds
    )

select *
from final
