-- Requests of persons to be forgotten, latest versions. Grain: request_id.
with

    latest as (
        {{ latest_versions(ref("base_privacy__erasure_requests"), "erasure_requests") }}
    ),

    final as (
        select
            request_id,
            identifier_type,
            identifier_value,
            requested_at,
            source_file,
            loaded_at,
            is_deleted,
            identity_hash,
            changed_in
        from latest
    )

select *
from final
