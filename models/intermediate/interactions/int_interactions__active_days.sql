-- Days on which a customer acted, with the gap before each. What a system did makes no
-- day active. Grain: customer and business day. The basis of longevity and frequency:
-- everything in it can be added up.
with

    interactions as (
        select * from {{ ref("int_interactions__identified") }} where actor = 'customer'
    ),

    days as (
        select
            customer_id,
            occurred_on as active_on,
            count(*) as interactions,
            min(source_table) as first_source_table
        from interactions
        group by customer_id, occurred_on
    ),

    sequenced as (
        select
            *,
            lag(active_on) over (
                partition by customer_id order by active_on
            ) as previous_active_on,
            min(active_on) over (partition by customer_id) as first_active_on,
            row_number() over (
                partition by customer_id order by active_on
            ) as active_day_number
        from days
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
