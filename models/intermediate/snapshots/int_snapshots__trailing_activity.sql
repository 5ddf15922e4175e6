-- Active days in the 7, 28 and 90 days that end with a snapshot date. Grain: customer
-- and snapshot date with any.
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
                open_month() ~ " - 90",
            )
        }}
    ),

    months as (
        select month_start, snapshot_date from {{ ref("int_calendar__months") }}
    ),

    -- 90 days touch the snapshots of at most four months
    offsets as (
        select generated_number - 1 as months_later
        from ({{ dbt.generate_series(4) }}) as numbers
    ),

    reaching as (
        select
            {{ add_months("months.month_start", "-offsets.months_later") }}
            as active_month,
            months.snapshot_date
        from months
        cross join offsets
    ),

    placed as (
        select
            active_days.customer_id,
            reaching.snapshot_date,
            {{ days_between("active_days.active_on", "reaching.snapshot_date") }}
            as age_days
        from active_days
        inner join reaching on active_days.active_month = reaching.active_month
    ),

    final as (
        select
            customer_id,
            snapshot_date,
            sum(case when age_days < 7 then 1 else 0 end) as active_days_7,
            sum(case when age_days < 28 then 1 else 0 end) as active_days_28,
            count(*) as active_days_90
        from placed
        where age_days < 90
        group by customer_id, snapshot_date
    )

select *
from final
