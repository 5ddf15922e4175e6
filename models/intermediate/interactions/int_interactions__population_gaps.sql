{{ config(materialized="incremental", incremental_strategy="logged") }}
-- The gap that the given quantile of all gaps does not exceed, among the gaps that
-- ended by a month's end: what stands in for customers with too few gaps of their own.
-- Grain: month (its first day); taken from a histogram, so that a night adds counts
-- instead of sorting history.
with

    gaps as (
        select active_month as month_start, gap_days, count(*) as gaps
        from {{ ref("int_interactions__active_days") }}
        where gap_days is not null
        group by active_month, gap_days
    ),

    months as (select month_start from {{ ref("int_calendar__months") }}),

    cumulated as (
        select months.month_start, gaps.gap_days, sum(gaps.gaps) as gaps
        from months
        inner join gaps on gaps.month_start <= months.month_start
        group by months.month_start, gaps.gap_days
    ),

    ranked as (
        select
            month_start,
            gap_days,
            sum(gaps) over (partition by month_start order by gap_days) as gaps_up_to,
            sum(gaps) over (partition by month_start) as all_gaps
        from cumulated
    ),

    final as (
        select month_start, min(gap_days) as population_gap_days
        from ranked
        where gaps_up_to >= all_gaps * {{ threshold("lapse_population_quantile") }}
        group by month_start
    )

select *
from final
