-- Messages within support tickets, latest versions. Grain: message_id.
with

    latest as (
        {{ latest_versions(ref("base_support__messages"), "support_messages") }}
    ),

    final as (
        select
            message_id,
            ticket_id,
            author_role,
            is_public,
            sent_at,
            source_file,
            loaded_at,
            is_deleted,
            identity_hash,
            changed_in
        from latest
    )

select *
from final
