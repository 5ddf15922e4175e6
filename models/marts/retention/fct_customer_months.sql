{{
    config(
        materialized="incremental",
        incremental_strategy="restated",
        meta={
            "restated": {
                "customers": "int_night__restated_customers",
                "since": "snapshot_date",
                "unit": "month",
            }
        },
    )
}}
-- What became of every customer in every month of the life with the brand, the month of
-- leaving included, and what was taken back after it. Grain: customer and month (by its
-- snapshot date).
{#- the last closed month, too: who was there, and at risk, when the open one began -#}
{%- set since = open_month() ~ " - 1" %}
with

    restated_customers as (
        select distinct customer_id from {{ ref("int_night__restated_customers") }}
    ),

    snapshots as (
        {{
            rows_of_tonight(
                ref("int_snapshots__customers"),
                "restated_customers",
                "snapshot_date",
                since,
            )
        }}
    ),

    longevity as (
        {{
            rows_of_tonight(
                ref("fct_engagement_longevity"),
                "restated_customers",
                "snapshot_date",
                since,
            )
        }}
    ),

    days as (
        {{
            rows_of_tonight(
                ref("fct_engagement_days"),
                "restated_customers",
                "active_on",
                open_month(),
            )
        }}
    ),

    customers as (
        select customer_id, cohort_month from {{ ref("int_cohorts__customers") }}
    ),

    months as (select * from {{ ref("int_calendar__months") }}),

    -- who has left the snapshots has lapsed
    states as (
        select
            snapshots.customer_id,
            snapshots.month_start,
            snapshots.snapshot_date,
            snapshots.is_current,
            longevity.customer_id is not null as is_there,
            coalesce(longevity.lifecycle_state, 'dormant') as lifecycle_state,
            coalesce(longevity.is_lapsed, true) as is_lapsed
        from snapshots
        left join
            longevity
            on snapshots.customer_id = longevity.customer_id
            and snapshots.snapshot_date = longevity.snapshot_date
    ),

    followed as (
        select
            *,
            coalesce(lag(is_there) over by_month, false) as was_there,
            not coalesce(lag(is_lapsed) over by_month, true) as was_at_risk
        from states
        window by_month as (partition by customer_id order by snapshot_date)
    ),

    -- between leaving and coming back nothing was known of the customer: a month must
    -- not gain a row by what comes later
    lived as (
        select followed.*
        from followed
        {%- if builds_on_last_night() %}
            left join
                restated_customers
                on followed.customer_id = restated_customers.customer_id
        {%- endif %}
        where
            (followed.is_there or followed.was_there)
            {%- if builds_on_last_night() %}
                and (
                    followed.snapshot_date >= {{ open_month() }}
                    or restated_customers.customer_id is not null
                )
            {%- endif %}
    ),

    -- a cancellation may come after the customer has left: the money counts all the
    -- same
    sales as (
        select
            days.customer_id,
            greatest(
                {{ month_start("days.active_on") }}, customers.cohort_month
            ) as month_start,
            sum(days.orders) as orders,
            sum(days.revenue) as revenue
        from days
        inner join customers on days.customer_id = customers.customer_id
        where days.orders <> 0 or days.revenue <> 0
        group by
            days.customer_id,
            greatest({{ month_start("days.active_on") }}, customers.cohort_month)
    ),

    placed as (
        select
            customer_id,
            month_start,
            snapshot_date,
            is_current,
            lifecycle_state,
            is_lapsed,
            was_at_risk
        from lived
        union all
        select
            sales.customer_id,
            months.month_start,
            months.snapshot_date,
            months.is_current,
            'dormant' as lifecycle_state,
            true as is_lapsed,
            false as was_at_risk
        from sales
        inner join months on sales.month_start = months.month_start
        anti join
            lived
            on sales.customer_id = lived.customer_id
            and sales.month_start = lived.month_start
    ),

    final as (
        select
            placed.customer_id,
            placed.snapshot_date,
            placed.is_current,
            customers.cohort_month,
            placed.lifecycle_state,
            placed.is_lapsed,
            placed.was_at_risk,
            cast(coalesce(sales.orders, 0) as bigint) as orders,
            cast(coalesce(sales.revenue, 0) as decimal(18, 4)) as revenue
        from placed
        inner join customers on placed.customer_id = customers.customer_id
        left join
            sales
            on placed.customer_id = sales.customer_id
            and placed.month_start = sales.month_start
    )

select *
from final
