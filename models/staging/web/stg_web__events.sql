-- Events of the web site and the app, latest versions, with bots marked. Whether a
-- client is a bot is decided once per user agent, not per event; an event without one
-- is no bot's. Grain: event_id.
with

    latest as ({{ latest_versions(ref("base_web__events"), "web_events") }}),

    user_agents as (
        select distinct user_agent
        from {{ ref("base_web__events") }}
        where user_agent is not null
    ),

    bot_patterns as (select pattern from {{ ref("bot_user_agents") }}),

    bots as (
        select distinct user_agents.user_agent
        from user_agents
        inner join
            bot_patterns
            on contains(lower(user_agents.user_agent), bot_patterns.pattern)
    ),

    final as (
        select
            latest.event_id,
            latest.platform,
            latest.anonymous_id,
            latest.user_id,
            latest.email,
            latest.event_name,
            latest.occurred_at,
            latest.page_url,
            latest.referrer_url,
            latest.utm_source,
            latest.utm_medium,
            latest.utm_campaign,
            latest.campaign_id,
            latest.click_id,
            latest.engaged_seconds,
            latest.user_agent,
            latest.product_id,
            latest.order_id,
            bots.user_agent is not null as is_bot,
            latest.source_file,
            latest.loaded_at,
            latest.is_deleted,
            latest.identity_hash,
            latest.changed_in
        from latest
        left join bots on latest.user_agent = bots.user_agent
    )

select *
from final
