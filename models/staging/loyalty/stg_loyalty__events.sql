-- Events of the loyalty programme, latest versions. Grain: event_id.
with

    latest as ({{ latest_versions(ref("base_loyalty__events"), "loyalty_events") }}),

    final as (
        select
            event_id,
            loyalty_id,
            customer_ref,
            email,
            event_name,
            points,
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
