-- How long a gap must be to count as a lapse, for every customer and snapshot date; and
-- how many there were. Grain: customer and snapshot date.
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

    population_gaps as (select * from {{ ref("int_interactions__population_gaps") }}),

    -- no gap at or below the floor is ever a lapse: the rest is a handful a customer
    long_gaps as (
        select customer_id, active_on as ended_on, gap_days
        from {{ ref("int_interactions__active_days") }}
        where gap_days > {{ threshold("lapse_floor_days") }}
    ),

    thresholds as (
        select
            snapshots.customer_id,
            snapshots.snapshot_date,
            greatest(
                cast({{ threshold("lapse_floor_days") }} as double),
                case
                    when snapshots.gaps >= 2
                    then
                        {{ threshold("lapse_mean_gap_multiple") }}
                        * snapshots.gap_days_sum
                        / snapshots.gaps
                    else coalesce(population_gaps.population_gap_days, 0)
                end
            ) as lapse_threshold_days
        from snapshots
        left join population_gaps on snapshots.month_start = population_gaps.month_start
    ),

    final as (
        select
            thresholds.customer_id,
            thresholds.snapshot_date,
            thresholds.lapse_threshold_days,
            count(long_gaps.gap_days) as lapses
        from thresholds
        left join
            long_gaps
            on thresholds.customer_id = long_gaps.customer_id
            and thresholds.snapshot_date >= long_gaps.ended_on
            and thresholds.lapse_threshold_days < long_gaps.gap_days
        group by
            thresholds.customer_id,
            thresholds.snapshot_date,
            thresholds.lapse_threshold_days
    )

select *
from final
