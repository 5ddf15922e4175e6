-- How long customers stay before they first lapse, by the channel that brought them:
-- the
-- Kaplan-Meier estimate, with everybody who has not lapsed counted as censored at T.
-- Grain: population, acquisition channel and days since the first active day on which
-- somebody lapsed or was censored, and day 0.
with

    customers as (select * from {{ ref("int_cohorts__customers") }}),

    first_lapses as (
        select customer_id, min(lapsed_on) as lapsed_on
        from {{ ref("int_lapses__episodes") }}
        group by customer_id
    ),

    followed as (
        select
            customers.acquisition_channel,
            customers.is_left_truncated,
            customers.first_active_on,
            coalesce(first_lapses.lapsed_on, {{ as_of() }}) as followed_until,
            first_lapses.lapsed_on is not null as is_lapsed
        from customers
        left join first_lapses on customers.customer_id = first_lapses.customer_id
    ),

    lifetimes as (
        select
            acquisition_channel,
            is_left_truncated,
            {{ days_between("first_active_on", "followed_until") }} as days_since_first,
            is_lapsed
        from followed
    ),

    counted as (
        select
            acquisition_channel,
            is_left_truncated,
            days_since_first,
            sum(case when is_lapsed then 1 else 0 end) as lapsed,
            sum(case when is_lapsed then 0 else 1 end) as censored
        from lifetimes
        group by acquisition_channel, is_left_truncated, days_since_first
        union all
        select distinct
            acquisition_channel,
            is_left_truncated,
            0 as days_since_first,
            0 as lapsed,
            0 as censored
        from lifetimes
    ),

    -- whose beginning is not known spoils the durations: everybody is shown, and those
    -- whose beginning was seen
    by_population as (
        select
            'all' as population, acquisition_channel, days_since_first, lapsed, censored
        from counted
        union all
        select
            'beginning_seen' as population,
            acquisition_channel,
            days_since_first,
            lapsed,
            censored
        from counted
        where not is_left_truncated
    ),

    by_channel as (
        select population, acquisition_channel, days_since_first, lapsed, censored
        from by_population
        union all
        select
            population, 'all' as acquisition_channel, days_since_first, lapsed, censored
        from by_population
    ),

    by_day as (
        select
            population,
            acquisition_channel,
            days_since_first,
            cast(sum(lapsed) as bigint) as lapsed,
            cast(sum(censored) as bigint) as censored
        from by_channel
        group by population, acquisition_channel, days_since_first
    ),

    at_risk as (
        select
            *,
            cast(sum(lapsed + censored) over curve as bigint) as customers,
            cast(sum(lapsed) over to_date as bigint) as lapsed_to_date,
            cast(sum(censored) over to_date as bigint) as censored_to_date,
            cast(
                sum(lapsed + censored) over curve
                - sum(lapsed + censored) over to_date
                + lapsed
                + censored as bigint
            ) as at_risk
        from by_day
        window
            curve as (partition by population, acquisition_channel),
            to_date as (
                partition by population, acquisition_channel
                order by days_since_first
                rows between unbounded preceding and current row
            )
    ),

    -- the product as a sum of logarithms, in decimals: added in any order it is the
    -- same
    steps as (
        select
            *,
            case
                when lapsed < at_risk
                then ln((at_risk - lapsed) / cast(at_risk as double))
                else 0
            end as log_share_left,
            case
                when lapsed < at_risk
                then lapsed / (cast(at_risk as double) * (at_risk - lapsed))
                else 0
            end as relative_variance
        from at_risk
    ),

    cumulated as (
        select
            *,
            case
                when lapsed = at_risk
                then 0.0
                else
                    exp(
                        cast(
                            sum(cast(log_share_left as decimal(38, 30))) over to_date
                            as double
                        )
                    )
            end as survival,
            cast(
                sum(cast(relative_variance as decimal(38, 30))) over to_date as double
            ) as relative_variance_to_date
        from steps
        window
            to_date as (
                partition by population, acquisition_channel
                order by days_since_first
                rows between unbounded preceding and current row
            )
    ),

    -- Greenwood's variance; the interval of log(-log S) stays within [0, 1]
    spread as (
        select
            *,
            nullif(survival, 0) * sqrt(relative_variance_to_date) as standard_error,
            case
                when survival > 0 and survival < 1
                then
                    {{ threshold("wilson_z") }}
                    * sqrt(relative_variance_to_date)
                    / abs(ln(survival))
            end as log_log_width
        from cumulated
    ),

    final as (
        select
            population,
            acquisition_channel,
            cast(days_since_first as bigint) as days_since_first,
            {{ as_of() }} as snapshot_date,
            customers,
            at_risk as at_risk_customers,
            lapsed as lapsed_customers,
            censored as censored_customers,
            lapsed_to_date,
            censored_to_date,
            survival,
            standard_error,
            power(survival, exp(log_log_width)) as survival_lower,
            power(survival, exp(- log_log_width)) as survival_upper
        from spread
    )

select *
from final
