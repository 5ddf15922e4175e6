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
-- Longevity: over how long a time the interactions are spread. Grain: customer and
-- snapshot date.
with

    restated_customers as (
        select distinct customer_id from {{ ref("int_night__restated_customers") }}
    ),

    snapshots_tonight as (
        {{
            rows_of_tonight(
                ref("int_snapshots__customers"),
                "restated_customers",
                "snapshot_date",
                open_month(),
            )
        }}
    ),

    snapshots as (select * from snapshots_tonight where is_in_life),

    lapses as (select * from {{ ref("int_snapshots__lapse_thresholds") }}),

    first_days as (
        select customer_id, first_source_table
        from {{ ref("int_interactions__active_days") }}
        where active_day_number = 1
    ),

    source_starts as (select * from {{ ref("int_interactions__source_starts") }}),

    measured as (
        select
            snapshots.*,
            {{ days_between("snapshots.first_active_on", "snapshots.last_active_on") }}
            as span_days,
            {{ days_between("snapshots.first_active_on", "snapshots.snapshot_date") }}
            as tenure_days,
            {{ days_between("snapshots.last_active_on", "snapshots.snapshot_date") }}
            as recency_days,
            {{
                days_between(
                    week_start("snapshots.first_active_on"),
                    week_start("snapshots.snapshot_date"),
                )
            }} / 7.0 + 1 as calendar_weeks,
            lapses.lapse_threshold_days,
            lapses.lapses,
            {{
                days_between(
                    "source_starts.history_starts_on", "snapshots.first_active_on"
                )
            }} as days_into_history
        from snapshots
        inner join
            lapses
            on snapshots.customer_id = lapses.customer_id
            and snapshots.snapshot_date = lapses.snapshot_date
        inner join first_days on snapshots.customer_id = first_days.customer_id
        inner join
            source_starts on first_days.first_source_table = source_starts.source_table
    ),

    final as (
        select
            customer_id,
            snapshot_date,
            is_current,
            first_active_on,
            last_active_on,
            span_days,
            tenure_days,
            recency_days,
            active_days,
            active_weeks,
            active_months,
            cast(active_weeks / calendar_weeks as double) as active_week_ratio,
            longest_gap_days,
            lapse_threshold_days,
            lapses,
            recency_days > lapse_threshold_days as is_lapsed,
            days_into_history
            < {{ threshold("left_truncation_days") }} as is_left_truncated,
            case
                when active_days_in_month = 0
                then 'dormant'
                when {{ month_start("first_active_on") }} = month_start
                then 'new'
                when active_days_in_month_before > 0
                then 'returning'
                else 'resurrected'
            end as lifecycle_state
        from measured
    )

select *
from final
