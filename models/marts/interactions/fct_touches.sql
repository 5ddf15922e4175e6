{{
    config(
        materialized="incremental",
        incremental_strategy="restated",
        meta={
            "restated": {
                "customers": "int_night__restated_customers",
                "since": "touched_at",
                "unit": "instant",
                "key": "touch_id",
            }
        },
    )
}}
-- Every touch of the brand that reached a customer. A night replaces also those that
-- were answered since. Grain: one touch.
{%- set identified_touches = ref("int_touches__identified") %}
{%- set interactions = ref("fct_interactions") %}
with

    restated_customers as (
        select distinct customer_id from {{ ref("int_night__restated_customers") }}
    ),

    answering as (
        select prompt_touch_id
        from {{ interactions }}
        where
            prompt_touch_id is not null
            {%- if builds_on_last_night() %}
                and occurred_at >= {{ known_until() }}
            {%- endif %}
    ),

    touches as (
        {{
            rows_of_tonight(
                identified_touches, "restated_customers", "touched_at", known_until()
            )
        }}
        {%- if builds_on_last_night() %}
            union all
            select answered.*
            from {{ identified_touches }} as answered
            semi join answering on answered.touch_id = answering.prompt_touch_id
            anti join
                restated_customers
                on answered.customer_id = restated_customers.customer_id
            where answered.touched_at < {{ known_until() }}
        {%- endif %}
    ),

    campaigns as (select campaign_id, purpose from {{ ref("dim_campaigns") }}),

    answers as (
        select
            prompt_touch_id,
            min(occurred_at) as answered_at,
            min(prompt_lag_seconds) as response_seconds,
            count(*) as answers
        from {{ interactions }}
        where
            prompt_touch_id is not null
            {%- if builds_on_last_night() %}
                and prompt_touch_id in (select touches.touch_id from touches)
            {%- endif %}
        group by prompt_touch_id
    ),

    final as (
        select
            touches.touch_id,
            touches.customer_id,
            touches.channel,
            touches.campaign_id,
            campaigns.purpose,
            touches.touched_at,
            touches.touched_on,
            touches.is_date_only,
            touches.window_ends_at,
            answers.answered_at is not null as is_answered,
            answers.answered_at,
            answers.response_seconds,
            coalesce(answers.answers, 0) as answers,
            touches.source_table,
            touches.source_key,
            touches.loaded_at
        from touches
        left join campaigns on touches.campaign_id = campaigns.campaign_id
        left join answers on touches.touch_id = answers.prompt_touch_id
    )

select *
from final
