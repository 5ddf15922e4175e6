{{ config(materialized="view") }}
-- The context of every interaction, from facts known at its own time only, by
-- precedence; and whether it falls under a promotion. Everything that fct_interactions
-- shows is here. Grain: one interaction.
with

    interactions as (select * from {{ ref("int_prompts__attributed") }}),

    promotions as (select * from {{ ref("int_contexts__promotion_periods") }}),

    active_days as (
        select *
        from {{ ref("int_interactions__active_days") }}
        where {{ is_in_slice() }}
    ),

    population_gaps as (select * from {{ ref("int_interactions__population_gaps") }}),

    channels as (
        select channel, sales_channel, is_offline, is_visit_tracked
        from {{ ref("channels") }}
    ),

    types as (
        select
            interaction_type,
            min(engagement_level) as engagement_level,
            max(weight) as weight,
            bool_or(is_intent) as is_intent
        from {{ ref("interaction_types") }}
        group by interaction_type
    ),

    campaigns as (
        select campaign_id, purpose from {{ ref("stg_campaigns__campaigns") }}
    ),

    placed as (
        select
            interactions.*,
            channels.sales_channel,
            channels.is_offline,
            channels.is_visit_tracked
        from interactions
        inner join channels on interactions.channel = channels.channel
    ),

    enriched as (
        select
            placed.*,
            types.engagement_level,
            types.weight,
            types.is_intent,
            campaigns.purpose,
            promotions.sales_channel is not null as is_promotion_running,
            active_days.gap_days,
            greatest(
                {{ threshold("lapse_floor_days") }},
                coalesce(
                    {{ threshold("lapse_mean_gap_multiple") }}
                    * active_days.mean_gap_days_before,
                    population_gaps.population_gap_days,
                    0
                )
            ) as lapse_threshold_days
        from placed
        inner join types on placed.interaction_type = types.interaction_type
        left join campaigns on placed.campaign_id = campaigns.campaign_id
        left join
            promotions
            on placed.sales_channel = promotions.sales_channel
            and {{ month_start("placed.occurred_on") }} = promotions.month_start
            and placed.occurred_at >= promotions.starts_at
            and placed.occurred_at < promotions.ends_at
        left join
            active_days
            on placed.customer_id = active_days.customer_id
            and placed.occurred_on = active_days.active_on
        -- the population as known when the month began
        left join
            population_gaps
            on {{ month_start("placed.occurred_on") }}
            = {{ add_months("population_gaps.month_start", "1") }}
    ),

    final as (
        select
            interaction_id,
            customer_id,
            channel,
            interaction_type,
            actor,
            occurred_at,
            occurred_on,
            is_date_only,
            case
                when is_visit_tracked and actor = 'customer' and not is_date_only
                then started_visit_id
                else interaction_id
            end as visit_id,
            prompt_status,
            prompt_rule,
            prompt_touch_id,
            prompt_lag_seconds,
            campaign_id,
            case
                when is_in_support_recovery
                then 'support_recovery'
                when
                    {{ seconds_between("last_ordered_at", "occurred_at") }}
                    <= 86400 * {{ threshold("post_purchase_days") }}
                then 'post_purchase'
                when last_ordered_at is null
                then 'first_consideration'
                when gap_days > lapse_threshold_days
                then 'reactivation'
                when is_intent
                then 'repeat_consideration'
                else 'between_purchases'
            end as context,
            is_promotion_on_record
            or coalesce(purpose = 'promotional', false)
            or is_promotion_running as in_promotion,
            is_offline,
            engagement_level,
            weight,
            engaged_seconds,
            sentiment,
            revenue,
            order_id,
            source_table,
            source_key,
            loaded_at
        from enriched
    )

select *
from final
