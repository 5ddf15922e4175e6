-- Acts towards the brand on social networks, latest versions. Grain: event_id.
with

    latest as ({{ latest_versions(ref("base_social__events"), "social_events") }}),

    final as (
        select
            event_id,
            network,
            handle,
            customer_ref,
            event_name,
            in_reply_to,
            is_brand_author,
            post_id,
            sentiment,
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
