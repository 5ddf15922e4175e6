-- Context: the situations in which the interactions of a customer happened. Grain:
-- customer, snapshot date and context
-- with any interaction to date. The contexts of a customer add up to the customer's
-- interactions.
with

    snapshots as (select * from {{ ref("int_snapshots__customers") }}),

    days as (select * from {{ ref("fct_engagement_days") }} where interactions > 0),

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
    ),

    first_months as (
        select customer_id, context, min(month_start) as first_month
        from context_months
        group by customer_id, context
    ),

    cumulated as (
        select
            snapshots.customer_id,
            snapshots.snapshot_date,
            snapshots.is_current,
            snapshots.is_in_life,
            first_months.context,
            cast(
                sum(context_months.interactions) over to_date as bigint
            ) as interactions,
            cast(
                sum(context_months.promotion_interactions) over to_date as bigint
            ) as promotion_interactions,
            cast(
                sum(context_months.offline_interactions) over to_date as bigint
            ) as offline_interactions
        from snapshots
        inner join
            first_months
            on snapshots.customer_id = first_months.customer_id
            and snapshots.month_start >= first_months.first_month
        left join
            context_months
            on snapshots.customer_id = context_months.customer_id
            and snapshots.month_start = context_months.month_start
            and first_months.context = context_months.context
        window
            to_date as (
                partition by snapshots.customer_id, first_months.context
                order by snapshots.month_start
                rows between unbounded preceding and current row
            )
    ),

    totalled as (
        select
            *,
            sum(interactions) over of_customer as customer_interactions,
            sum(promotion_interactions) over of_customer
            as customer_promotion_interactions
        from cumulated
        where is_in_life
        window of_customer as (partition by customer_id, snapshot_date)
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
