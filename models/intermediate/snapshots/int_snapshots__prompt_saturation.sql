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
-- How much of a customer's tenure was covered by open prompt windows: under constant
-- mailing anything looks prompted. Grain: customer and snapshot date.
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

    months as (select * from {{ ref("int_calendar__months") }}),

    states as (
        select customer_id, state_at, state_ends_at
        from {{ ref("int_prompts__states") }}
        where open_touch_id is not null
    ),

    customers as (select distinct customer_id, first_active_on from snapshots),

    month_bounds as (
        select
            month_start,
            {{ business_day_start("month_start") }} as starts_at,
            {{ business_day_start("(snapshot_date + 1)") }} as ends_at
        from months
    ),

    covered as (
        select
            states.customer_id,
            month_bounds.month_start,
            greatest(
                states.state_at,
                month_bounds.starts_at,
                {{ business_day_start("customers.first_active_on") }}
            ) as covered_from,
            least(states.state_ends_at, month_bounds.ends_at) as covered_until
        from states
        inner join customers on states.customer_id = customers.customer_id
        inner join
            month_bounds
            on states.state_at < month_bounds.ends_at
            and states.state_ends_at > month_bounds.starts_at
        {%- if builds_on_last_night() %}
            left join
                restated_customers
                on states.customer_id = restated_customers.customer_id
            where
                month_bounds.month_start >= {{ open_month() }}
                or restated_customers.customer_id is not null
        {%- endif %}
    ),

    -- what was covered until the last closed month
    carried as (
        {%- if builds_on_last_night() %}
            select former.customer_id, former.covered_microseconds
            from {{ this }} as former
            anti join
                restated_customers
                on former.customer_id = restated_customers.customer_id
            where former.snapshot_date = {{ open_month() }} - 1
        {%- else %}
            select customer_id, 0 as covered_microseconds from snapshots where 1 = 0
        {%- endif %}
    ),

    covered_months as (
        select
            customer_id,
            month_start,
            sum(
                {{ microseconds_between("covered_from", "covered_until") }}
            ) as covered_microseconds
        from covered
        where covered_until > covered_from
        group by customer_id, month_start
    ),

    cumulated as (
        select
            snapshots.customer_id,
            snapshots.snapshot_date,
            coalesce(
                sum(covered_months.covered_microseconds) over (
                    partition by snapshots.customer_id
                    order by snapshots.month_start
                    rows between unbounded preceding and current row
                ),
                0
            )
            + coalesce(carried.covered_microseconds, 0) as covered_microseconds,
            {{
                microseconds_between(
                    business_day_start("snapshots.first_active_on"),
                    business_day_start("(snapshots.snapshot_date + 1)"),
                )
            }} as tenure_microseconds
        from snapshots
        left join
            covered_months
            on snapshots.customer_id = covered_months.customer_id
            and snapshots.month_start = covered_months.month_start
        left join carried on snapshots.customer_id = carried.customer_id
    ),

    -- whole numbers up to here: a tenure that is covered throughout gives exactly 1
    final as (
        select
            customer_id,
            snapshot_date,
            cast(covered_microseconds as bigint) as covered_microseconds,
            cast(covered_microseconds as double)
            / cast(tenure_microseconds as double) as saturation
        from cumulated
    )

select *
from final
