-- The situation of a customer from one instant to the next: the touch that prompts, the
-- last order that stands, whether a ticket is open or was solved a short time ago, the
-- visit that started last. One sequence, so that an interaction finds its situation by
-- one look. A state holds after `state_at` up to and including the next one. In a
-- night:
-- what tonight's interactions need. Grain: customer and instant at which any of them
-- changes.
{#- column: type, what stands for none, and who tells of it -#}
{%- set never = "cast('0001-01-01' as timestamp)" %}
{%- set carried_columns = {
    "open_touch_id": (dbt.type_string(), "''", "prompt_states"),
    "open_touched_at": ("timestamp", never, "prompt_states"),
    "open_campaign_id": (dbt.type_string(), "''", "prompt_states"),
    "last_ordered_at": ("timestamp", never, "order_states"),
    "is_in_support_recovery": ("boolean", none, "support_states"),
    "started_visit_id": (dbt.type_string(), none, "visit_states"),
} %}
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

    -- what each kind tells at an instant; where it tells of nothing, by a value that is
    -- not passed over when the last one is carried on
    told as (
        {%- for relation, time in [
            ("prompt_states", "state_at"),
            ("order_states", "state_at"),
            ("support_states", "support_state_at"),
            ("visit_states", "visit_state_at"),
        ] %}
            select
                customer_id,
                {{ time }} as state_at,
                {%- for column, (type, nothing, told_by) in carried_columns.items() %}
                    {% if told_by != relation -%} cast(null as {{ type }})
                    {%- elif nothing -%} coalesce({{ column }}, {{ nothing }})
                    {%- else -%} {{ column }}
                    {%- endif %} as {{ column }}{{ "," if not loop.last }}
                {%- endfor %}
            from {{ relation }} {{ "union all" if not loop.last }}
        {%- endfor %}
    ),

    instants as (
        select
            customer_id,
            state_at,
            {%- for column in carried_columns %}
                max({{ column }}) as {{ column }}{{ "," if not loop.last }}
            {%- endfor %}
        from told
        group by customer_id, state_at
    ),

    carried_on as (
        select
            customer_id,
            state_at,
            {%- for column in carried_columns %}
                {{ last_known(column, "partition by customer_id order by state_at") }}
                as {{ column }}{{ "," if not loop.last }}
            {%- endfor %}
        from instants
    ),

    final as (
        select
            customer_id,
            state_at,
            {%- for column, (type, nothing, told_by) in carried_columns.items() %}
                {% if nothing -%} nullif({{ column }}, {{ nothing }}) as {{ column }}
                {%- else -%} {{ column }}
                {%- endif %} {{ "," if not loop.last }}
            {%- endfor %}
        from carried_on
    )

select *
from final
