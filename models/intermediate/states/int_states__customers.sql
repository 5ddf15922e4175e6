-- The situation of a customer from one instant to the next: the touch that prompts, the
-- last order that stands, whether a ticket is open or was solved a short time ago, the
-- visit that started last. One sequence, so that an interaction finds its situation by
-- one look. A state holds after `state_at` up to and including the next one. In a
-- night:
-- what tonight's interactions need. Grain: customer and instant at which any of them
-- changes.
with

    restated_customers as (
        select distinct customer_id from {{ ref("int_night__restated_customers") }}
    ),

    active_tonight as (
        select distinct customer_id
        from {{ ref("int_interactions__identified") }}
        {%- if builds_on_last_night() %}
            where occurred_at >= {{ known_until() }}
        {%- endif %}
    ),

    prompt_states as (select * from {{ ref("int_prompts__states") }}),

    order_states as (
        {{
            rows_of_tonight(
                ref("int_contexts__order_states"),
                "restated_customers",
                "state_at",
                known_until(),
            )
        }}
        {%- if builds_on_last_night() %}
            union all
            -- and the one that held when the last night ended
            {{
                last_stored(
                    ref("int_contexts__order_states"),
                    "active_tonight",
                    "restated_customers",
                    "state_at",
                    ["customer_id", "state_at", "last_ordered_at"],
                )
            }}
        {%- endif %}
    ),

    -- tickets and visits count from their very instant on: after the microsecond before
    support_states as (
        select
            customer_id,
            {{ add_seconds("state_at", "-0.000001") }} as support_state_at,
            is_in_support_recovery
        from {{ ref("int_contexts__support_states") }}
    ),

    visit_states as (
        select
            customer_id,
            {{ add_seconds("started_at", "-0.000001") }} as visit_state_at,
            visit_id as started_visit_id
        from {{ ref("int_visits__starts") }}
    ),

    instants as (
        select customer_id, state_at
        from prompt_states
        union
        select customer_id, state_at
        from order_states
        union
        select customer_id, support_state_at as state_at
        from support_states
        union
        select customer_id, visit_state_at as state_at
        from visit_states
    ),

    with_prompts as (
        {{
            carried(
                "instants",
                "prompt_states",
                ["customer_id"],
                "state_at",
                "state_at",
                ["open_touch_id", "open_touched_at", "open_campaign_id"],
                inclusive=true,
            )
        }}
    ),

    with_orders as (
        {{
            carried(
                "with_prompts",
                "order_states",
                ["customer_id"],
                "state_at",
                "state_at",
                ["last_ordered_at"],
                inclusive=true,
            )
        }}
    ),

    with_support as (
        {{
            carried(
                "with_orders",
                "support_states",
                ["customer_id"],
                "state_at",
                "support_state_at",
                ["is_in_support_recovery"],
                inclusive=true,
            )
        }}
    ),

    final as (
        {{
            carried(
                "with_support",
                "visit_states",
                ["customer_id"],
                "state_at",
                "visit_state_at",
                ["started_visit_id"],
                inclusive=true,
            )
        }}
    )

select *
from final
