-- Visits to stores, latest versions. Grain: visit_id.
with

    latest as ({{ latest_versions(ref("base_stores__visits"), "store_visits") }}),

    final as (
        select
            visit_id,
            customer_ref,
            loyalty_id,
            store_id,
            entered_at,
            left_at,
            source_file,
            loaded_at,
            is_deleted,
            identity_hash,
            changed_in
        from latest
    )

select *
from final
