-- Pairs of identifiers known to belong to one person (sign-ins, card registrations, CRM
-- merges), latest versions. Grain: link_id.
with

    latest as ({{ latest_versions(ref("base_identity__links"), "identity_links") }}),

    final as (
        select
            link_id,
            left_type,
            left_value,
            right_type,
            right_value,
            observed_at,
            source_file,
            loaded_at,
            is_deleted,
            identity_hash,
            changed_in
        from latest
    )

select *
from final
