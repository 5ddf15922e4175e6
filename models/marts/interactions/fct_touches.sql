-- Every touch of the brand that reached a customer. Grain: one touch.
with

    touches as (select * from {{ ref("int_touches__identified") }}),

    campaigns as (select campaign_id, purpose from {{ ref("dim_campaigns") }}),

    answers as (
        select
            prompt_touch_id,
            min(occurred_at) as answered_at,
            min(prompt_lag_seconds) as response_seconds,
            count(*) as answers
        from {{ ref("fct_interactions") }}
        where prompt_touch_id is not null
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
