-- Repetition and frequency: frequent and similar, or sporadic and varied. Grain:
-- customer and snapshot date.
with

    snapshots as (select * from {{ ref("int_snapshots__customers") }}),

    recent as (select * from {{ ref("int_snapshots__trailing_activity") }}),

    days as (select * from {{ ref("fct_engagement_days") }} where interactions > 0),

    type_months as (
        select
            customer_id,
            interaction_type,
            {{ month_start("active_on") }} as month_start,
            cast(sum(interactions) as double) as interactions
        from days
        group by customer_id, interaction_type, {{ month_start("active_on") }}
    ),

    type_totals as (
        select
            *,
            sum(interactions) over (
                partition by customer_id, interaction_type
                order by month_start
                rows between unbounded preceding and current row
            ) as interactions_to_date
        from type_months
    ),

    -- n ln n changes only in months in which the type occurs, so its changes can be
    -- added up like counts
    type_changes as (
        select
            customer_id,
            month_start,
            sum(
                interactions_to_date * ln(interactions_to_date) - case
                    when interactions_to_date > interactions
                    then
                        (interactions_to_date - interactions)
                        * ln(interactions_to_date - interactions)
                    else 0
                end
            ) as n_ln_n,
            sum(
                case when interactions_to_date = interactions then 1 else 0 end
            ) as new_types
        from type_totals
        group by customer_id, month_start
    ),

    cumulated as (
        select
            snapshots.*,
            sum(type_changes.n_ln_n) over to_date as n_ln_n,
            cast(sum(type_changes.new_types) over to_date as bigint) as types
        from snapshots
        left join
            type_changes
            on snapshots.customer_id = type_changes.customer_id
            and snapshots.month_start = type_changes.month_start
        window
            to_date as (
                partition by snapshots.customer_id
                order by snapshots.month_start
                rows between unbounded preceding and current row
            )
    ),

    measured as (
        select
            cumulated.customer_id,
            cumulated.snapshot_date,
            cumulated.is_current,
            cumulated.gaps,
            cumulated.gap_days_sum
            / cast(nullif(cumulated.gaps, 0) as double) as mean_gap_days,
            -- n sum(x^2) - sum(x)^2 stays in whole numbers: nothing cancels
            sqrt(
                cast(
                    cumulated.gaps * cumulated.gap_days_square_sum
                    - cumulated.gap_days_sum * cumulated.gap_days_sum as double
                )
            )
            / nullif(cumulated.gaps, 0) as sd_gap_days,
            cast(coalesce(recent.active_days_7, 0) as bigint) as active_days_7,
            cast(coalesce(recent.active_days_28, 0) as bigint) as active_days_28,
            coalesce(recent.active_days_90, 0) as active_days_90,
            cumulated.interactions,
            cumulated.types,
            case
                when cumulated.types = 1
                then 0.0
                else
                    greatest(
                        ln(cumulated.interactions)
                        - cumulated.n_ln_n / cumulated.interactions,
                        0.0
                    )
            end as type_entropy
        from cumulated
        left join
            recent
            on cumulated.customer_id = recent.customer_id
            and cumulated.snapshot_date = recent.snapshot_date
        where cumulated.is_in_life
    ),

    varied as (
        select
            *,
            sd_gap_days / nullif(mean_gap_days, 0) as cv_gap,
            exp(type_entropy) as effective_types
        from measured
    ),

    final as (
        select
            customer_id,
            snapshot_date,
            is_current,
            mean_gap_days,
            sd_gap_days,
            cv_gap,
            case when gaps >= 2 then (cv_gap - 1) / (cv_gap + 1) end as burstiness,
            case
                when gaps >= 2
                then
                    (sqrt(gaps + 1) * cv_gap - sqrt(gaps - 1))
                    / ((sqrt(gaps + 1) - 2) * cv_gap + sqrt(gaps - 1))
            end as burstiness_adjusted,
            active_days_7,
            active_days_28,
            active_days_90,
            interactions,
            types,
            type_entropy,
            effective_types,
            case when types >= 2 then type_entropy / ln(types) end as type_evenness,
            case
                when active_days_90 >= {{ threshold("frequent_active_days_90") }}
                then 'frequent'
                else 'sporadic'
            end || case
                when effective_types >= {{ threshold("varied_effective_types") }}
                then '_varied'
                else '_similar'
            end as pattern
        from varied
    )

select *
from final
