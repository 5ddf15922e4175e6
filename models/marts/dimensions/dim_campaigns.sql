-- Campaigns of the brand. Grain: one campaign.
with

    campaigns as (select * from {{ ref("stg_campaigns__campaigns") }}),

    final as (
        select
            campaign_id,
            name as campaign_name,
            channel,
            purpose,
            promotion_id,
            starts_at,
            ends_at,
            {{ business_day("starts_at") }} as starts_on,
            {{ business_day("ends_at") }} as ends_on
        from campaigns
    )

select *
from final
