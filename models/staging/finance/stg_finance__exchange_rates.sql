-- Exchange rates to the reporting currency, day by day, latest versions. Grain: rate_on
-- and currency.
with

    latest as (
        {{ latest_versions(ref("base_finance__exchange_rates"), "exchange_rates") }}
    ),

    final as (
        select
            rate_on,
            currency,
            rate,
            source_file,
            loaded_at,
            is_deleted,
            identity_hash,
            changed_in
        from latest
    )

select *
from final
