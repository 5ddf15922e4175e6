-- The touch that prompts a customer from one instant to the next: the latest of those
-- whose window is open. Grain: customer and instant at which a window opens or closes.
-- A state holds after `state_at` up to and including `state_ends_at`, so that a touch
-- never prompts what happens at its very instant. In a night: the states of restated
-- customers, and of everybody else those that hold in the open month.
{%- set channels = [
    "email",
    "sms",
    "push",
    "direct_mail",
    "social_reply",
    "agent_message",
    "ad",
] %}
with

    restated_customers as (
        select distinct customer_id from {{ ref("int_night__restated_customers") }}
    ),

    tonight as (
        {{
            rows_of_tonight(
                ref("int_touches__identified"),
                "restated_customers",
                "touched_at",
                add_seconds(
                    business_day_start(open_month()),
                    "-86400 * " ~ longest_window_days("prompt_windows"),
                ),
            )
        }}
    ),

    touches as (
        select
            *,
            row_number() over (
                partition by customer_id order by touched_at, touch_id
            ) as touch_number
        from tonight
    ),

    instants as (
        select
            customer_id, touched_at as state_at, channel, touch_number, window_ends_at
        from touches
        union all
        select
            customer_id,
            window_ends_at as state_at,
            channel,
            cast(null as bigint) as touch_number,
            cast(null as timestamp) as window_ends_at
        from touches
    ),

    -- windows of one channel are equally long: its latest touch is also the last to
    -- close
    carried_forward as (
        select
            customer_id,
            state_at,
            {%- for channel in channels %}
                max(
                    case when channel = '{{ channel }}' then touch_number end
                ) over until_now as {{ channel }}_touch_number,
                max(
                    case when channel = '{{ channel }}' then window_ends_at end
                ) over until_now as {{ channel }}_window_ends_at,
            {%- endfor %}
            row_number() over (
                partition by customer_id, state_at order by touch_number
            ) as duplicate_number
        from instants
        window
            until_now as (
                partition by customer_id
                order by state_at
                range between unbounded preceding and current row
            )
    ),

    states as (
        select
            customer_id,
            state_at,
            greatest(
                {%- for channel in channels %}
                    case
                        when {{ channel }}_window_ends_at > state_at
                        then {{ channel }}_touch_number
                        else 0
                    end{{ "," if not loop.last }}
                {%- endfor %}
            ) as touch_number
        from carried_forward
        where duplicate_number = 1
    ),

    final as (
        select
            states.customer_id,
            states.state_at,
            lead(states.state_at) over (
                partition by states.customer_id order by states.state_at
            ) as state_ends_at,
            touches.touch_id as open_touch_id,
            touches.touched_at as open_touched_at,
            touches.campaign_id as open_campaign_id
        from states
        left join
            touches
            on states.customer_id = touches.customer_id
            and states.touch_number = touches.touch_number
    )

select *
from final
