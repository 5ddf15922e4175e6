-- Business days from the month of the first interaction to the snapshot date. Grain:
-- one day.
with

    months as (select * from {{ ref("int_calendar__months") }}),

    -- the days of a month
    numbers as ({{ dbt.generate_series(31) }}),

    days as (
        select
            cast(
                months.month_start
                + cast(numbers.generated_number - 1 as integer) as date
            ) as date_on,
            months.month_start,
            months.snapshot_date,
            months.is_current
        from months
        cross join numbers
        where
            months.month_start + cast(numbers.generated_number - 1 as integer)
            <= months.snapshot_date
    ),

    final as (
        select
            date_on,
            {{ week_start("date_on") }} as week_starts_on,
            month_start as month_starts_on,
            cast(date_trunc('quarter', date_on) as date) as quarter_starts_on,
            cast(extract(year from date_on) as integer) as year_number,
            cast(extract(month from date_on) as integer) as month_number,
            cast(extract(day from date_on) as integer) as day_of_month,
            {{ days_between(week_start("date_on"), "date_on") }} + 1 as iso_day_of_week,
            {{ days_between(week_start("date_on"), "date_on") }} >= 5 as is_weekend,
            date_on = snapshot_date as is_snapshot_date
        from days
    )

select *
from final
