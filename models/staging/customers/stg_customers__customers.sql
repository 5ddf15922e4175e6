-- Customers as the CRM knows them, latest versions. Grain: customer_ref.
with

    latest as ({{ latest_versions(ref("base_customers__customers"), "customers") }}),

    final as (
        select
            customer_ref,
            created_at,
            email,
            phone,
            loyalty_id,
            country,
            source_file,
            loaded_at,
            is_deleted,
            identity_hash,
            changed_in
        from latest
    )

select *
from final
