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
            loaded_at
        from latest
    )

select *
from final
