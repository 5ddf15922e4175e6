{{ config(materialized="incremental", incremental_strategy="logged") }}
-- The first day on which a currency has a rate: an amount of an earlier day is held
-- back. Grain: currency.
with

    rates as (select * from {{ ref("stg_finance__exchange_rates") }}),

    final as (
        select currency, min(rate_on) as first_rate_on from rates group by currency
    )

select *
from final
