-- Retention and churn of the customers who came in the same month, followed month by
-- month; counts beside every rate. Grain: cohort month and snapshot date. Adds up
-- stored months, so that a night costs customers and not interactions.
with

    customers as (select * from {{ ref("int_cohorts__customers") }}),

    months as (select * from {{ ref("int_calendar__months") }}),

    customer_months as (select * from {{ ref("fct_customer_months") }}),

    cohorts as (
        select
            cohort_month,
            count(*) as customers,
            sum(case when is_left_truncated then 1 else 0 end) as left_truncated
        from customers
        group by cohort_month
    ),

    counted as (
        select
            cohort_month,
            snapshot_date,
            sum(case when lifecycle_state = 'new' then 1 else 0 end) as new_customers,
            sum(
                case when lifecycle_state = 'returning' then 1 else 0 end
            ) as returning_customers,
            sum(
                case when lifecycle_state = 'resurrected' then 1 else 0 end
            ) as resurrected_customers,
            sum(case when not is_lapsed then 1 else 0 end) as unlapsed,
            sum(case when was_at_risk then 1 else 0 end) as at_risk,
            sum(case when was_at_risk and is_lapsed then 1 else 0 end) as newly_lapsed,
            sum(
                case
                    when
                        not is_lapsed
                        and not was_at_risk
                        and {{ month_start("snapshot_date") }} > cohort_month
                    then 1
                    else 0
                end
            ) as recovered,
            sum(orders) as orders,
            sum(revenue) as revenue
        from customer_months
        group by cohort_month, snapshot_date
    ),

    -- a cohort is followed to T, also when everybody has left
    followed as (
        select
            cohorts.cohort_month,
            months.snapshot_date,
            months.is_current,
            {{ dbt.datediff("cohorts.cohort_month", "months.month_start", "month") }}
            as months_since_first,
            cohorts.customers,
            cohorts.left_truncated,
            coalesce(counted.new_customers, 0) as new_customers,
            coalesce(counted.returning_customers, 0) as returning_customers,
            coalesce(counted.resurrected_customers, 0) as resurrected_customers,
            coalesce(counted.unlapsed, 0) as unlapsed,
            coalesce(counted.at_risk, 0) as at_risk,
            coalesce(counted.newly_lapsed, 0) as newly_lapsed,
            coalesce(counted.recovered, 0) as recovered,
            coalesce(counted.orders, 0) as orders,
            coalesce(counted.revenue, 0) as revenue
        from cohorts
        inner join months on cohorts.cohort_month <= months.month_start
        left join
            counted
            on cohorts.cohort_month = counted.cohort_month
            and months.snapshot_date = counted.snapshot_date
    ),

    cumulated as (
        select
            *,
            new_customers + returning_customers + resurrected_customers as active,
            sum(orders) over to_date as orders_to_date,
            sum(revenue) over to_date as revenue_to_date
        from followed
        window
            to_date as (
                partition by cohort_month
                order by snapshot_date
                rows between unbounded preceding and current row
            )
    ),

    final as (
        select
            cohort_month,
            snapshot_date,
            is_current,
            cast(months_since_first as bigint) as months_since_first,
            cast(customers as bigint) as customers,
            cast(left_truncated as bigint) as left_truncated_customers,
            cast(active as bigint) as active_customers,
            cast(new_customers as bigint) as new_customers,
            cast(returning_customers as bigint) as returning_customers,
            cast(resurrected_customers as bigint) as resurrected_customers,
            cast(customers - active as bigint) as dormant_customers,
            cast(customers - unlapsed as bigint) as lapsed_customers,
            cast(at_risk as bigint) as at_risk_customers,
            cast(newly_lapsed as bigint) as newly_lapsed_customers,
            cast(recovered as bigint) as recovered_customers,
            active / cast(customers as double) as retention_rate,
            newly_lapsed / cast(nullif(at_risk, 0) as double) as churn_rate,
            cast(orders as bigint) as orders,
            cast(revenue as decimal(18, 4)) as revenue,
            cast(orders_to_date as bigint) as orders_to_date,
            cast(revenue_to_date as decimal(18, 4)) as revenue_to_date,
            cast(revenue_to_date as double) / customers as revenue_per_customer_to_date
        from cumulated
    )

select *
from final
