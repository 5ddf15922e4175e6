-- Volume: how much interaction there was over the whole life. Grain: customer,
-- snapshot date and channel with any
-- interaction to date. The channels of a customer add up to the customer's
-- interactions.
with

    snapshots as (select * from {{ ref("int_snapshots__customers") }}),

    days as (select * from {{ ref("fct_engagement_days") }}),

    channel_months as (
        select
            customer_id,
            channel,
            {{ month_start("active_on") }} as month_start,
            sum(interactions) as interactions,
            sum(visits) as visits,
            sum(weighted_interactions) as weighted_interactions,
            sum(engaged_seconds) as engaged_seconds,
            sum(orders) as orders,
            sum(revenue) as revenue
        from days
        group by customer_id, channel, {{ month_start("active_on") }}
    ),

    first_months as (
        select customer_id, channel, min(month_start) as first_month
        from channel_months
        group by customer_id, channel
    ),

    cumulated as (
        select
            snapshots.customer_id,
            snapshots.snapshot_date,
            snapshots.is_current,
            snapshots.is_in_life,
            greatest(
                {{
                    days_between(
                        "snapshots.first_active_on", "snapshots.snapshot_date"
                    )
                }},
                {{ threshold("rate_floor_days") }}
            ) as rated_days,
            first_months.channel,
            cast(coalesce(channel_months.interactions, 0) as bigint) as interactions,
            cast(coalesce(channel_months.visits, 0) as bigint) as visits,
            cast(coalesce(channel_months.orders, 0) as bigint) as orders,
            cast(coalesce(channel_months.revenue, 0) as decimal(18, 4)) as revenue,
            cast(
                sum(channel_months.interactions) over to_date as bigint
            ) as interactions_to_date,
            cast(sum(channel_months.visits) over to_date as bigint) as visits_to_date,
            sum(channel_months.weighted_interactions) over to_date
            as weighted_interactions_to_date,
            sum(channel_months.engaged_seconds) over to_date as engaged_seconds_to_date,
            cast(sum(channel_months.orders) over to_date as bigint) as orders_to_date,
            cast(
                sum(channel_months.revenue) over to_date as decimal(18, 4)
            ) as revenue_to_date
        from snapshots
        inner join
            first_months
            on snapshots.customer_id = first_months.customer_id
            and snapshots.month_start >= first_months.first_month
        left join
            channel_months
            on snapshots.customer_id = channel_months.customer_id
            and snapshots.month_start = channel_months.month_start
            and first_months.channel = channel_months.channel
        window
            to_date as (
                partition by snapshots.customer_id, first_months.channel
                order by snapshots.month_start
                rows between unbounded preceding and current row
            )
    ),

    final as (
        select
            customer_id,
            snapshot_date,
            channel,
            is_current,
            interactions,
            visits,
            orders,
            revenue,
            interactions_to_date,
            visits_to_date,
            weighted_interactions_to_date,
            engaged_seconds_to_date,
            orders_to_date,
            revenue_to_date,
            interactions_to_date * 30.0 / rated_days as interactions_per_30_days
        from cumulated
        where is_in_life
    )

select *
from final
