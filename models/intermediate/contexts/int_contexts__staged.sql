{{ config(materialized="view") }}
-- The situation of every interaction, from facts known at its own time only, by
-- precedence; and whether it falls
-- under a promotion. Grain: one interaction. Everything that fct_interactions shows
-- is here.
with

    interactions as (select * from {{ ref("int_prompts__attributed") }}),

    order_states as (select * from {{ ref("int_contexts__order_states") }}),

    support_states as (select * from {{ ref("int_contexts__support_states") }}),

    promotion_states as (select * from {{ ref("int_contexts__promotion_states") }}),

    active_days as (select * from {{ ref("int_interactions__active_days") }}),

    population_gaps as (select * from {{ ref("int_interactions__population_gaps") }}),

    channels as (select channel, sales_channel, is_offline from {{ ref("channels") }}),

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
        select interactions.*, channels.sales_channel, channels.is_offline
        from interactions
        inner join channels on interactions.channel = channels.channel
    ),

    with_orders as (
        {{
            carried(
                "placed",
                "order_states",
                ["customer_id"],
                "occurred_at",
                "state_at",
                ["last_ordered_at"],
            )
        }}
    ),

    with_support as (
        {{
            carried(
                "with_orders",
                "support_states",
                ["customer_id"],
                "occurred_at",
                "state_at",
                ["is_in_support_recovery"],
                inclusive=true,
            )
        }}
    ),

    with_promotions as (
        {{
            carried(
                "with_support",
                "promotion_states",
                ["sales_channel"],
                "occurred_at",
                "state_at",
                ["is_promotion_running"],
                inclusive=true,
            )
        }}
    ),

    enriched as (
        select
            with_promotions.*,
            types.engagement_level,
            types.weight,
            types.is_intent,
            campaigns.purpose,
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
        from with_promotions
        inner join types on with_promotions.interaction_type = types.interaction_type
        left join campaigns on with_promotions.campaign_id = campaigns.campaign_id
        left join
            active_days
            on with_promotions.customer_id = active_days.customer_id
            and with_promotions.occurred_on = active_days.active_on
        -- the population as known when the month began
        left join
            population_gaps
            on {{ month_start("with_promotions.occurred_on") }}
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
            visit_id,
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
            or coalesce(is_promotion_running, false) as in_promotion,
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
