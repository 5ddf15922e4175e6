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
-- Context: the situations in which the interactions of a customer happened. Grain:
-- customer, snapshot date and context with any interaction to date. The contexts of a
-- customer add up to the customer's interactions.
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

    days_tonight as (
        {{
            rows_of_tonight(
                ref("fct_engagement_days"),
                "restated_customers",
                "active_on",
                open_month(),
            )
        }}
    ),

    days as (select * from days_tonight where interactions > 0),

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
            select
                customer_id,
                context,
                interactions,
                promotion_interactions,
                offline_interactions
            from days
            where 1 = 0
        {%- endif %}
    ),

    context_months as (
        select
            customer_id,
            context,
            {{ month_start("active_on") }} as month_start,
            sum(interactions) as interactions,
            sum(promotion_interactions) as promotion_interactions,
            sum(offline_interactions) as offline_interactions
        from days
        group by customer_id, context, {{ month_start("active_on") }}
        union all
        select
            customer_id,
            context,
            {{ last_closed_month() }} as month_start,
            interactions,
            promotion_interactions,
            offline_interactions
        from carried
    ),

    -- a total holds from its month until the next month in which the context occurs
    totals as (
        select
            customer_id,
            context,
            month_start,
            lead(month_start) over in_order as next_month_start,
            cast(sum(interactions) over to_date as bigint) as interactions,
            cast(
                sum(promotion_interactions) over to_date as bigint
            ) as promotion_interactions,
            cast(
                sum(offline_interactions) over to_date as bigint
            ) as offline_interactions
        from context_months
        window
            in_order as (partition by customer_id, context order by month_start),
            to_date as (
                partition by customer_id, context
                order by month_start
                rows between unbounded preceding and current row
            )
    ),

    placed as (
        select
            snapshots.customer_id,
            snapshots.snapshot_date,
            snapshots.is_current,
            totals.context,
            totals.interactions,
            totals.promotion_interactions,
            totals.offline_interactions
        from snapshots
        inner join
            totals
            on snapshots.customer_id = totals.customer_id
            and snapshots.month_start >= totals.month_start
            and snapshots.month_start
            < coalesce(totals.next_month_start, cast('9999-12-31' as date))
    ),

    customer_totals as (
        select
            customer_id,
            snapshot_date,
            sum(interactions) as customer_interactions,
            sum(promotion_interactions) as customer_promotion_interactions
        from placed
        group by customer_id, snapshot_date
    ),

    totalled as (
        select
            placed.*,
            customer_totals.customer_interactions,
            customer_totals.customer_promotion_interactions
        from placed
        inner join
            customer_totals
            on placed.customer_id = customer_totals.customer_id
            and placed.snapshot_date = customer_totals.snapshot_date
    ),

    final as (
        select
            customer_id,
            snapshot_date,
            context,
            is_current,
            interactions,
            interactions / cast(customer_interactions as double) as share,
            promotion_interactions,
            offline_interactions,
            customer_promotion_interactions
            / cast(customer_interactions as double) as promotion_share,
            customer_promotion_interactions / cast(customer_interactions as double)
            >= {{ threshold("promotion_only_share") }}
            and customer_interactions
            >= {{ threshold("promotion_only_interactions") }} as is_promotion_only
        from totalled
    )

select *
from final
