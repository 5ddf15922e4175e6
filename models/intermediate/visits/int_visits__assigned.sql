{{ config(materialized="view") }}
-- The visit of every interaction: web and app events (and the orders placed there) of
-- one customer less than the
-- time-out apart share one; it does not break at midnight. Anything else is a visit
-- of its own.
-- Grain: one interaction. A visit bears the id of its first interaction.
with

    interactions as (select * from {{ ref("int_interactions__identified") }}),

    channels as (select channel, is_visit_tracked from {{ ref("channels") }}),

    tracked as (
        select
            interactions.*,
            lag(interactions.occurred_at) over (
                partition by interactions.customer_id
                order by interactions.occurred_at, interactions.interaction_id
            ) as previous_at
        from interactions
        inner join channels on interactions.channel = channels.channel
        where
            channels.is_visit_tracked
            and interactions.actor = 'customer'
            and not interactions.is_date_only
    ),

    marked as (
        select
            *,
            case
                when
                    previous_at is null
                    or {{ seconds_between("previous_at", "occurred_at") }}
                    >= 60 * {{ threshold("visit_timeout_minutes") }}
                then 1
                else 0
            end as is_visit_start
        from tracked
    ),

    numbered as (
        select
            *,
            sum(is_visit_start) over (
                partition by customer_id
                order by occurred_at, interaction_id
                rows between unbounded preceding and current row
            ) as visit_number
        from marked
    ),

    visited as (
        select
            interaction_id,
            min(case when is_visit_start = 1 then interaction_id end) over (
                partition by customer_id, visit_number
            ) as visit_id
        from numbered
    ),

    final as (
        select
            interactions.interaction_id,
            interactions.source_table,
            interactions.source_key,
            interactions.customer_id,
            interactions.channel,
            interactions.interaction_type,
            interactions.actor,
            interactions.occurred_at,
            interactions.occurred_on,
            interactions.is_date_only,
            interactions.is_explicit_prompt,
            interactions.campaign_id,
            interactions.is_promotion_on_record,
            interactions.engaged_seconds,
            interactions.sentiment,
            interactions.revenue,
            interactions.order_id,
            interactions.loaded_at,
            coalesce(visited.visit_id, interactions.interaction_id) as visit_id
        from interactions
        left join visited on interactions.interaction_id = visited.interaction_id
    )

select *
from final
