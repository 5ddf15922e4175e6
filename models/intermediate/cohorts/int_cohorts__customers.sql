{{
    config(
        materialized="incremental",
        incremental_strategy="restated",
        meta={
            "restated": {
                "customers": "int_night__restated_customers",
                "since": "first_active_on",
                "unit": "day",
            }
        },
    )
}}
-- When and where each customer was first met. Grain: one customer with an active day.
with

    restated_customers as (
        select distinct customer_id from {{ ref("int_night__restated_customers") }}
    ),

    active_days as (
        {{
            rows_of_tonight(
                ref("int_interactions__active_days"),
                "restated_customers",
                "active_on",
                first_unknown_day(),
            )
        }}
    ),

    first_days as (select * from active_days where active_day_number = 1),

    interactions as (
        {{
            rows_of_tonight(
                ref("int_interactions__identified"),
                "restated_customers",
                "occurred_at",
                known_until(),
            )
        }}
    ),

    source_starts as (select * from {{ ref("int_interactions__source_starts") }}),

    -- a handful a customer: only the acts of the first day are put in order
    first_acts as (
        select
            first_days.customer_id,
            first_days.active_on,
            first_days.first_source_table,
            interactions.channel,
            row_number() over (
                partition by first_days.customer_id
                order by interactions.occurred_at, interactions.interaction_id
            ) as act_number
        from interactions
        inner join
            first_days
            on interactions.customer_id = first_days.customer_id
            and interactions.occurred_on = first_days.active_on
        where interactions.actor = 'customer'
    ),

    final as (
        select
            first_acts.customer_id,
            first_acts.active_on as first_active_on,
            {{ month_start("first_acts.active_on") }} as cohort_month,
            first_acts.channel as acquisition_channel,
            {{
                days_between(
                    "source_starts.history_starts_on", "first_acts.active_on"
                )
            }} < {{ threshold("left_truncation_days") }} as is_left_truncated
        from first_acts
        inner join
            source_starts on first_acts.first_source_table = source_starts.source_table
        where first_acts.act_number = 1
    )

select *
from final
