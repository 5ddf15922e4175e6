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
-- leaving included. Grain: customer and month (by its snapshot date).
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
                open_month(),
            )
        }}
    ),

    longevity as (
        {{
            rows_of_tonight(
                ref("fct_engagement_longevity"),
                "restated_customers",
                "snapshot_date",
                open_month(),
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

    -- the month before the months that are built: who was at risk when they began
    carried as (
        {%- if builds_on_last_night() %}
            select former.customer_id, former.snapshot_date, former.is_lapsed
            from {{ this }} as former
            anti join
                restated_customers
                on former.customer_id = restated_customers.customer_id
            where former.snapshot_date = {{ open_month() }} - 1
        {%- else %}
            select customer_id, snapshot_date, is_lapsed from longevity where 1 = 0
        {%- endif %}
    ),

    -- who has left the snapshots has lapsed
    states as (
        select
            snapshots.customer_id,
            snapshots.month_start,
            snapshots.snapshot_date,
            snapshots.is_current,
            coalesce(longevity.lifecycle_state, 'dormant') as lifecycle_state,
            coalesce(longevity.is_lapsed, true) as is_lapsed,
            false as is_carried
        from snapshots
        left join
            longevity
            on snapshots.customer_id = longevity.customer_id
            and snapshots.snapshot_date = longevity.snapshot_date
        union all
        select
            customer_id,
            {{ month_start("snapshot_date") }} as month_start,
            snapshot_date,
            false as is_current,
            cast(null as {{ dbt.type_string() }}) as lifecycle_state,
            is_lapsed,
            true as is_carried
        from carried
    ),

    followed as (
        select
            *,
            not coalesce(
                lag(is_lapsed) over (partition by customer_id order by snapshot_date),
                true
            ) as was_at_risk
        from states
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
        from followed
        where not is_carried
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
            snapshots
            on sales.customer_id = snapshots.customer_id
            and sales.month_start = snapshots.month_start
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
