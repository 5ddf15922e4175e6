{{ config(materialized="view") }}
-- The visit of every interaction: web and app events (and the orders placed there) of
-- one customer less than the time-out apart share one; it does not break at midnight.
-- Anything else is a visit of its own. A visit bears the id of its first interaction.
-- Grain: one interaction.
with

    interactions as (select * from {{ ref("int_interactions__identified") }}),

    channels as (select channel, is_visit_tracked from {{ ref("channels") }}),

    marked as (
        select
            interactions.*,
            channels.is_visit_tracked
            and interactions.actor = 'customer'
            and not interactions.is_date_only as is_tracked
        from interactions
        inner join channels on interactions.channel = channels.channel
    ),

    followed as (
        select
            *,
            lag(occurred_at) over (
                partition by customer_id, is_tracked
                order by occurred_at, interaction_id
            ) as previous_at
        from marked
    ),

    started as (
        select
            *,
            case
                when
                    not is_tracked
                    or previous_at is null
                    or {{ seconds_between("previous_at", "occurred_at") }}
                    >= 60 * {{ threshold("visit_timeout_minutes") }}
                then interaction_id
            end as started_visit_id
        from followed
    ),

    final as (
        select
            interaction_id,
            source_table,
            source_key,
            customer_id,
            channel,
            interaction_type,
            actor,
            occurred_at,
            occurred_on,
            is_date_only,
            is_explicit_prompt,
            campaign_id,
            is_promotion_on_record,
            engaged_seconds,
            sentiment,
            revenue,
            order_id,
            loaded_at,
            {{
                last_known(
                    "started_visit_id",
                    "partition by customer_id, is_tracked order by occurred_at, interaction_id",
                )
            }}
            as visit_id
        from started
    )

select *
from final
