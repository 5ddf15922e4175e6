-- Acts in the brand's own community, latest versions. Grain: event_id.
with

    latest as (
        {{ latest_versions(ref("base_community__events"), "community_events") }}
    ),

    final as (
        select
            event_id,
            handle,
            customer_ref,
            user_id,
            email,
            event_name,
            in_reply_to,
            occurred_at,
            source_file,
            loaded_at,
            is_deleted,
            identity_hash,
            changed_in
        from latest
    )

select *
from final
