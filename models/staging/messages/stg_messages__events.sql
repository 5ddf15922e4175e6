-- What happened to messages sent to customers: e-mail, SMS, push, direct mail, ads,
-- latest versions. Grain: event_id.
with

    latest as ({{ latest_versions(ref("base_messages__events"), "message_events") }}),

    final as (
        select
            event_id,
            message_channel,
            customer_ref,
            email,
            phone,
            event_name,
            campaign_id,
            order_id,
            is_machine,
            occurred_at,
            is_date_only,
            source_file,
            loaded_at,
            is_deleted,
            identity_hash,
            changed_in
        from latest
    )

select *
from final
