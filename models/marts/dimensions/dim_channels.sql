-- Channels on which customers and brand meet. Grain: one channel.
with

    channels as (select * from {{ ref("channels") }}),

    windows as (select * from {{ ref("prompt_windows") }}),

    feeds as (select * from {{ ref("int_prompts__feeds") }}),

    final as (
        select
            channels.channel,
            channels.channel_name,
            channels.sales_channel,
            channels.is_offline,
            channels.is_visit_tracked,
            windows.touch_channel is not null as is_touch_channel,
            windows.window_days as prompt_window_days,
            feeds.covered_from as touches_known_from
        from channels
        left join windows on channels.channel = windows.touch_channel
        left join feeds on channels.channel = feeds.channel
    )

select *
from final
