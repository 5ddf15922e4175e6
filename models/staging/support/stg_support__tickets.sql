-- Support tickets, latest versions. Grain: ticket_id.
with

    latest as ({{ latest_versions(ref("base_support__tickets"), "support_tickets") }}),

    final as (
        select
            ticket_id,
            customer_ref,
            user_id,
            email,
            handle,
            via,
            ticket_type,
            created_by,
            status,
            created_at,
            solved_at,
            source_file,
            loaded_at,
            is_deleted,
            identity_hash,
            changed_in
        from latest
    )

select *
from final
