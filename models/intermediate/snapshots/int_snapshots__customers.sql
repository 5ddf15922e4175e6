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
-- Every customer at every snapshot date since the first active day, with what the
-- active days add up to by then. Grain: customer and snapshot date (the months' ends,
-- then T). Rows outside the customer's life in the warehouse (no activity for the
-- configured time) are kept, marked, so that running totals stay whole. A night builds
-- the open months from the totals of the last closed one.
with

    restated_customers as (
        select distinct customer_id from {{ ref("int_night__restated_customers") }}
    ),

    tonight as (
        {{
            rows_of_tonight(
                ref("int_interactions__active_days"),
                "restated_customers",
                "active_on",
                open_month(),
            )
        }}
    ),

    months as (select * from {{ ref("int_calendar__months") }}),

    carried as (
        {%- if builds_on_last_night() %}
            select former.*
            from {{ this }} as former
            anti join
                restated_customers
                on former.customer_id = restated_customers.customer_id
            where former.month_start = {{ last_closed_month() }}
        {%- else %}
            select
                customer_id,
                first_active_on,
                active_month as month_start,
                active_on as snapshot_date,
                active_on as last_active_on,
                0 as active_days_in_month,
                0 as active_days,
                0 as active_weeks,
                0 as active_months,
                0 as gaps,
                0 as gap_days_sum,
                0 as gap_days_square_sum,
                0 as longest_gap_days,
                0 as interactions
            from tonight
            where 1 = 0
        {%- endif %}
    ),

    seen as (
        select customer_id, first_active_on, active_on as last_active_on
        from tonight
        union all
        select customer_id, first_active_on, last_active_on
        from carried
    ),

    customers as (
        select
            customer_id,
            min(first_active_on) as first_active_on,
            max(last_active_on) as last_active_on
        from seen
        group by customer_id
    ),

    -- the totals of the last closed month stand before the months that are built
    customer_months as (
        select
            customer_id,
            active_month as month_start,
            max(active_on) as last_active_on,
            count(*) as active_days_in_month,
            count(*) as active_days,
            sum(case when is_first_of_week then 1 else 0 end) as active_weeks,
            1 as active_months,
            sum(gap_days) as gap_days_sum,
            sum(gap_days * gap_days) as gap_days_square_sum,
            count(gap_days) as gaps,
            max(gap_days) as longest_gap_days,
            sum(interactions) as interactions
        from tonight
        group by customer_id, active_month
        union all
        select
            customer_id,
            month_start,
            last_active_on,
            active_days_in_month,
            active_days,
            active_weeks,
            active_months,
            gap_days_sum,
            gap_days_square_sum,
            gaps,
            longest_gap_days,
            interactions
        from carried
    ),

    spine as (
        select
            customers.customer_id,
            customers.first_active_on,
            months.month_start,
            months.snapshot_date,
            months.is_current,
            false as is_carried
        from customers
        inner join
            months
            on months.month_start >= {{ month_start("customers.first_active_on") }}
            {#- by months: the end of February and 25 months is not the end of March #}
            and months.month_start
            <= {{
                add_months(
                    month_start("customers.last_active_on"),
                    threshold("inactive_months") ~ " + 1",
                )
            }}
        {%- if builds_on_last_night() %}
            left join
                restated_customers
                on customers.customer_id = restated_customers.customer_id
            where
                months.month_start >= {{ open_month() }}
                or restated_customers.customer_id is not null
        {%- endif %}
        union all
        select
            customer_id,
            first_active_on,
            month_start,
            snapshot_date,
            false as is_current,
            true as is_carried
        from carried
    ),

    joined as (
        select
            spine.*,
            customer_months.last_active_on,
            customer_months.active_days_in_month,
            customer_months.active_days,
            customer_months.active_weeks,
            customer_months.active_months,
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
            is_carried,
            max(last_active_on) over to_date as last_active_on,
            coalesce(active_days_in_month, 0) as active_days_in_month,
            coalesce(
                lag(active_days_in_month) over in_order, 0
            ) as active_days_in_month_before,
            cast(sum(active_days) over to_date as bigint) as active_days,
            cast(sum(active_weeks) over to_date as bigint) as active_weeks,
            cast(sum(active_months) over to_date as bigint) as active_months,
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
            customer_id,
            first_active_on,
            month_start,
            snapshot_date,
            is_current,
            last_active_on,
            active_days_in_month,
            active_days_in_month_before,
            active_days,
            active_weeks,
            active_months,
            gaps,
            gap_days_sum,
            gap_days_square_sum,
            longest_gap_days,
            interactions,
            snapshot_date
            <= {{ add_months("last_active_on", threshold("inactive_months")) }}
            as is_in_life
        from cumulated
        where not is_carried
    )

select *
from final
