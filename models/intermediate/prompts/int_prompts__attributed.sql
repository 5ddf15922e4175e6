{{ config(materialized="view") }}
-- Prompt status of every interaction by the first rule that fits: system, explicit,
-- window, no prompt, no coverage. Grain: one interaction.
with

    restated_customers as (
        select distinct customer_id from {{ ref("int_night__restated_customers") }}
    ),

    interactions_tonight as (
        {{
            rows_of_tonight(
                ref("int_interactions__identified"),
                "restated_customers",
                "occurred_at",
                known_until(),
            )
        }}
    ),

    interactions as (select * from interactions_tonight where {{ is_in_slice() }}),

    states as (
        select
            customer_id,
            state_at,
            open_touch_id,
            open_touched_at,
            open_campaign_id,
            last_ordered_at,
            is_in_support_recovery,
            started_visit_id
        from {{ ref("int_states__customers") }}
        where {{ is_in_slice() }}
    ),

    explicit_interactions as (
        select interaction_id, customer_id, campaign_id, occurred_at
        from interactions
        where is_explicit_prompt and campaign_id is not null
    ),

    touches as (
        select *
        from {{ ref("int_touches__identified") }}
        where
            {{ is_in_slice() }}
            {%- if builds_on_last_night() %}
                and customer_id
                in (select explicit_interactions.customer_id from explicit_interactions)
            {%- endif %}
    ),

    feeds as (
        select min(covered_from) as covered_from from {{ ref("int_prompts__feeds") }}
    ),

    -- what an explicit prompt answers: the last touch of the same campaign, however
    -- long ago
    campaign_touches as (
        select
            customer_id,
            campaign_id,
            touched_at as campaign_touched_at,
            max(touch_id) as campaign_touch_id
        from touches
        where campaign_id is not null
        group by customer_id, campaign_id, touched_at
    ),

    with_state as (
        {{
            carried(
                "interactions",
                "states",
                ["customer_id"],
                "occurred_at",
                "state_at",
                [
                    "open_touch_id",
                    "open_touched_at",
                    "open_campaign_id",
                    "last_ordered_at",
                    "is_in_support_recovery",
                    "started_visit_id",
                ],
            )
        }}
    ),

    explicit_touches as (
        {{
            carried(
                "explicit_interactions",
                "campaign_touches",
                ["customer_id", "campaign_id"],
                "occurred_at",
                "campaign_touched_at",
                ["campaign_touch_id", "campaign_touched_at"],
            )
        }}
    ),

    ruled as (
        select
            with_state.*,
            explicit_touches.campaign_touch_id,
            explicit_touches.campaign_touched_at,
            case
                when with_state.actor = 'system'
                then 'system'
                when with_state.is_explicit_prompt
                then 'explicit'
                when with_state.open_touch_id is not null
                then 'window'
                when feeds.covered_from <= with_state.occurred_at
                then 'no_prompt'
                else 'no_coverage'
            end as prompt_rule
        from with_state
        cross join feeds
        left join
            explicit_touches
            on with_state.interaction_id = explicit_touches.interaction_id
    ),

    matched as (
        select
            *,
            case
                when
                    prompt_rule = 'window'
                    or (prompt_rule = 'explicit' and campaign_id is null)
                then open_touch_id
                when prompt_rule = 'explicit'
                then campaign_touch_id
            end as prompt_touch_id,
            case
                when
                    prompt_rule = 'window'
                    or (prompt_rule = 'explicit' and campaign_id is null)
                then open_touched_at
                when prompt_rule = 'explicit'
                then campaign_touched_at
            end as prompt_touched_at
        from ruled
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
            case
                prompt_rule
                when 'system'
                then 'system'
                when 'explicit'
                then 'prompted'
                when 'window'
                then 'prompted'
                when 'no_prompt'
                then 'unprompted'
                else 'unknown'
            end as prompt_status,
            prompt_rule,
            prompt_touch_id,
            {{ seconds_between("prompt_touched_at", "occurred_at") }}
            as prompt_lag_seconds,
            coalesce(
                campaign_id, case when prompt_rule = 'window' then open_campaign_id end
            ) as campaign_id,
            is_promotion_on_record,
            engaged_seconds,
            sentiment,
            revenue,
            order_id,
            loaded_at,
            last_ordered_at,
            is_in_support_recovery,
            started_visit_id
        from matched
    )

select *
from final
