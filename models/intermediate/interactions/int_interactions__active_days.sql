{{
    config(
        materialized="incremental",
        incremental_strategy="restated",
        meta={
            "restated": {
                "customers": "int_night__changed_customers",
                "since": "active_on",
                "unit": "day",
            }
        },
    )
}}
-- Days on which a customer acted, with the gap before each. What a system did makes no
-- day active. Grain: customer and business day. The basis of longevity and frequency:
-- everything in it can be added up.
with

    changed_customers as (
        select distinct customer_id from {{ ref("int_night__changed_customers") }}
    ),

    tonight as (
        {{
            rows_of_tonight(
                ref("int_interactions__identified"),
                "changed_customers",
                "occurred_at",
                known_until(),
            )
        }}
    ),

    interactions as (select * from tonight where actor = 'customer'),

    days as (
        select
            customer_id,
            occurred_on as active_on,
            count(*) as interactions,
            min(source_table) as first_source_table
        from interactions
        group by customer_id, occurred_on
    ),

    -- the last day that is stored of a customer whose sequence goes on
    carried as (
        {%- if builds_on_last_night() %}
            select
                former.customer_id,
                max(former.active_on) as active_on,
                min(former.first_active_on) as first_active_on,
                count(*) as active_day_number
            from {{ this }} as former
            semi join days on former.customer_id = days.customer_id
            anti join
                changed_customers on former.customer_id = changed_customers.customer_id
            where former.active_on < {{ first_unknown_day() }}
            group by former.customer_id
        {%- else %}
            select
                customer_id,
                active_on,
                active_on as first_active_on,
                0 as active_day_number
            from days
            where 1 = 0
        {%- endif %}
    ),

    sequenced as (
        select
            days.*,
            coalesce(
                lag(days.active_on) over in_order, carried.active_on
            ) as previous_active_on,
            coalesce(
                carried.first_active_on,
                min(days.active_on) over (partition by days.customer_id)
            ) as first_active_on,
            row_number() over in_order
            + coalesce(carried.active_day_number, 0) as active_day_number
        from days
        left join carried on days.customer_id = carried.customer_id
        window in_order as (partition by days.customer_id order by days.active_on)
    ),

    final as (
        select
            customer_id,
            active_on,
            interactions,
            first_source_table,
            previous_active_on,
            first_active_on,
            active_day_number,
            {{ days_between("previous_active_on", "active_on") }} as gap_days,
            -- of the gaps that were over before this day: null unless there are two
            -- or more
            case
                when active_day_number > 3
                then
                    {{ days_between("first_active_on", "previous_active_on") }}
                    / cast(active_day_number - 2 as double)
            end as mean_gap_days_before,
            coalesce(
                {{ week_start("previous_active_on") }} < {{ week_start("active_on") }},
                true
            ) as is_first_of_week,
            coalesce(
                {{ month_start("previous_active_on") }}
                < {{ month_start("active_on") }},
                true
            ) as is_first_of_month,
            {{ month_start("active_on") }} as active_month
        from sequenced
    )

select *
from final
