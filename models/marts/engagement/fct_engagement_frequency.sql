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
-- Repetition and frequency: frequent and similar, or sporadic and varied. Grain:
-- customer and snapshot date.
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

    recent as (select * from {{ ref("int_snapshots__trailing_activity") }}),

    type_totals as (
        {{
            rows_of_tonight(
                ref("int_snapshots__type_totals"),
                "restated_customers",
                "month_start",
                open_month(),
            )
        }}
    ),

    -- totals of the last closed month
    carried as (
        {%- if builds_on_last_night() %}
            select former.*
            from {{ this }} as former
            anti join
                restated_customers
                on former.customer_id = restated_customers.customer_id
            where former.snapshot_date = {{ open_month() }} - 1
        {%- else %}
            select customer_id, cast(0 as decimal(28, 12)) as n_ln_n, 0 as types
            from snapshots
            where 1 = 0
        {%- endif %}
    ),

    -- n ln n changes only in months in which the type occurs, so its changes can be
    -- added up like counts; as decimals, so that the order of adding does not matter
    type_changes as (
        select
            customer_id,
            month_start,
            sum(
                cast(
                    interactions_to_date * ln(interactions_to_date) as decimal(28, 12)
                ) - case
                    when interactions_to_date > interactions
                    then
                        cast(
                            (interactions_to_date - interactions)
                            * ln(interactions_to_date - interactions) as decimal(28, 12)
                        )
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
            cast(
                coalesce(sum(type_changes.n_ln_n) over to_date, 0)
                + coalesce(carried.n_ln_n, 0) as decimal(28, 12)
            ) as n_ln_n,
            cast(
                coalesce(sum(type_changes.new_types) over to_date, 0)
                + coalesce(carried.types, 0) as bigint
            ) as types
        from snapshots
        left join
            type_changes
            on snapshots.customer_id = type_changes.customer_id
            and snapshots.month_start = type_changes.month_start
        left join carried on snapshots.customer_id = carried.customer_id
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
            cumulated.n_ln_n,
            case
                when cumulated.types = 1
                then 0.0
                else
                    greatest(
                        ln(cumulated.interactions)
                        - cast(cumulated.n_ln_n as double) / cumulated.interactions,
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
            n_ln_n,
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
