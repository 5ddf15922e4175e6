-- Campaigns, latest versions. Grain: campaign_id.
with

    latest as ({{ latest_versions(ref("base_campaigns__campaigns"), "campaigns") }}),

    final as (
        select
            campaign_id,
            name,
            channel,
            purpose,
            promotion_id,
            starts_at,
            ends_at,
            source_file,
            loaded_at,
            is_deleted,
            identity_hash,
            changed_in
        from latest
    )

select *
from final
