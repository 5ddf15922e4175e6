{{
    config(
        materialized="incremental",
        incremental_strategy="restated",
        meta={
            "restated": {
                "customers": "int_night__restated_customers",
                "since": "lapsed_on",
                "unit": "day",
            }
        },
    )
}}
-- The day on which each silence became a lapse, told by what was known on that day: a
-- customer who comes back later has lapsed all the same. Grain: customer and day of the
-- lapse. A silence lapses on the first day on which it is longer than the threshold,
-- and at the latest when the customer leaves the snapshots.
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

    -- silences that ended with an act, and those that still went on at a snapshot
    silences as (
        select
            customer_id,
            previous_active_on as silent_since,
            active_on as silent_until,
            {{ days_between("first_active_on", "previous_active_on") }} as gap_days_sum,
            active_day_number - 2 as gaps
        from active_days
        where gap_days > {{ threshold("lapse_floor_days") }}
        union all
        select
            customer_id,
            last_active_on as silent_since,
            snapshot_date as silent_until,
            gap_days_sum,
            gaps
        from snapshots
        where
            {{ days_between("last_active_on", "snapshot_date") }}
            > {{ threshold("lapse_floor_days") }}
    ),

    -- the population stands in as it was known when the month of the last act began, so
    -- that the threshold of a silence is settled when it begins
    measured as (
        select
            silences.customer_id,
            silences.silent_since,
            silences.silent_until,
            greatest(
                cast({{ threshold("lapse_floor_days") }} as double),
                case
                    when silences.gaps >= 2
                    then
                        {{ threshold("lapse_mean_gap_multiple") }}
                        * silences.gap_days_sum
                        / silences.gaps
                    else coalesce(population_gaps.population_gap_days, 0)
                end
            ) as lapse_threshold_days
        from silences
        left join
            population_gaps
            on {{ month_start("silences.silent_since") }}
            = {{ add_months("population_gaps.month_start", "1") }}
    ),

    dated as (
        select
            customer_id,
            silent_since,
            silent_until,
            least(
                cast(
                    silent_since
                    + cast(floor(lapse_threshold_days) as integer)
                    + 1 as date
                ),
                cast(
                    {{ add_months("silent_since", threshold("inactive_months")) }}
                    + 1 as date
                )
            ) as lapsed_on
        from measured
    ),

    final as (
        select distinct customer_id, silent_since, lapsed_on
        from dated
        where
            lapsed_on <= silent_until
            {%- if builds_on_last_night() %}
                -- everybody else's earlier lapses are stored
                and (
                    lapsed_on >= {{ first_unknown_day() }}
                    or customer_id
                    in (select restated_customers.customer_id from restated_customers)
                )
            {%- endif %}
    )

select *
from final
