-- Every customer at every snapshot date since the first active day, with what the
-- active days add up to by then. Grain: customer and snapshot date (the months' ends,
-- then T). Rows outside the customer's life in the warehouse (no activity for the
-- configured time) are kept, marked, so that running totals stay whole.
with

    active_days as (select * from {{ ref("int_interactions__active_days") }}),

    months as (select * from {{ ref("int_calendar__months") }}),

    customers as (
        select
            customer_id,
            min(active_on) as first_active_on,
            max(active_on) as last_active_on
        from active_days
        group by customer_id
    ),

    customer_months as (
        select
            customer_id,
            active_month as month_start,
            max(active_on) as last_active_on,
            count(*) as active_days,
            sum(case when is_first_of_week then 1 else 0 end) as active_weeks,
            sum(gap_days) as gap_days_sum,
            sum(gap_days * gap_days) as gap_days_square_sum,
            count(gap_days) as gaps,
            max(gap_days) as longest_gap_days,
            sum(interactions) as interactions
        from active_days
        group by customer_id, active_month
    ),

    spine as (
        select
            customers.customer_id,
            customers.first_active_on,
            months.month_start,
            months.snapshot_date,
            months.is_current
        from customers
        inner join
            months
            on months.month_start >= {{ month_start("customers.first_active_on") }}
            and months.snapshot_date
            <= {{
                add_months(
                    "last_day(customers.last_active_on)",
                    threshold("inactive_months") ~ " + 1",
                )
            }}
    ),

    joined as (
        select
            spine.*,
            customer_months.last_active_on,
            customer_months.active_days,
            customer_months.active_weeks,
            customer_months.gap_days_sum,
            customer_months.gap_days_square_sum,
            customer_months.gaps,
            customer_months.longest_gap_days,
            customer_months.interactions
        from spine
        left join
            customer_months
            on spine.customer_id = customer_months.customer_id
            and spine.month_start = customer_months.month_start
    ),

    cumulated as (
        select
            customer_id,
            first_active_on,
            month_start,
            snapshot_date,
            is_current,
            max(last_active_on) over to_date as last_active_on,
            coalesce(active_days, 0) as active_days_in_month,
            coalesce(lag(active_days) over in_order, 0) as active_days_in_month_before,
            cast(sum(active_days) over to_date as bigint) as active_days,
            cast(sum(active_weeks) over to_date as bigint) as active_weeks,
            cast(count(active_days) over to_date as bigint) as active_months,
            cast(coalesce(sum(gaps) over to_date, 0) as bigint) as gaps,
            cast(coalesce(sum(gap_days_sum) over to_date, 0) as bigint) as gap_days_sum,
            cast(
                coalesce(sum(gap_days_square_sum) over to_date, 0) as bigint
            ) as gap_days_square_sum,
            cast(max(longest_gap_days) over to_date as bigint) as longest_gap_days,
            cast(sum(interactions) over to_date as bigint) as interactions
        from joined
        window
            in_order as (partition by customer_id order by month_start),
            to_date as (
                partition by customer_id
                order by month_start
                rows between unbounded preceding and current row
            )
    ),

    final as (
        select
            *,
            snapshot_date
            <= {{ add_months("last_active_on", threshold("inactive_months")) }}
            as is_in_life
        from cumulated
    )

select *
from final
