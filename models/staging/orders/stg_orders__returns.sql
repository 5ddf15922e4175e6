-- Returned orders, whole or in part, latest versions. Grain: return_id.
with

    latest as ({{ latest_versions(ref("base_orders__returns"), "order_returns") }}),

    final as (
        select
            return_id,
            order_id,
            returned_at,
            amount,
            currency,
            source_file,
            loaded_at,
            is_deleted,
            identity_hash,
            changed_in
        from latest
    )

select *
from final
