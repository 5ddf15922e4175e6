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
-- Volume: how much interaction there was over the whole life. Grain: customer, snapshot
-- date and channel with any interaction to date. The channels of a customer add up to
-- the customer's interactions.
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

    days as (
        {{
            rows_of_tonight(
                ref("fct_engagement_days"),
                "restated_customers",
                "active_on",
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
            select
                customer_id,
                channel,
                interactions as interactions_to_date,
                visits as visits_to_date,
                weighted_interactions as weighted_interactions_to_date,
                engaged_seconds as engaged_seconds_to_date,
                orders as orders_to_date,
                revenue as revenue_to_date
            from days
            where 1 = 0
        {%- endif %}
    ),

    channel_months as (
        select
            customer_id,
            channel,
            {{ month_start("active_on") }} as month_start,
            sum(interactions) as interactions,
            sum(visits) as visits,
            sum({{ exact("weighted_interactions") }}) as weighted_interactions,
            sum({{ exact("engaged_seconds") }}) as engaged_seconds,
            sum(orders) as orders,
            sum(revenue) as revenue
        from days
        group by customer_id, channel, {{ month_start("active_on") }}
        union all
        select
            customer_id,
            channel,
            {{ last_closed_month() }} as month_start,
            interactions_to_date,
            visits_to_date,
            {{ exact("weighted_interactions_to_date") }},
            {{ exact("engaged_seconds_to_date") }},
            orders_to_date,
            revenue_to_date
        from carried
    ),

    -- a total holds from its month until the next month in which the channel is used
    totals as (
        select
            *,
            lead(month_start) over in_order as next_month_start,
            sum(interactions) over to_date as interactions_to_date,
            sum(visits) over to_date as visits_to_date,
            sum(weighted_interactions) over to_date as weighted_interactions_to_date,
            sum(engaged_seconds) over to_date as engaged_seconds_to_date,
            sum(orders) over to_date as orders_to_date,
            sum(revenue) over to_date as revenue_to_date
        from channel_months
        window
            in_order as (partition by customer_id, channel order by month_start),
            to_date as (
                partition by customer_id, channel
                order by month_start
                rows between unbounded preceding and current row
            )
    ),

    placed as (
        select
            snapshots.snapshot_date,
            snapshots.is_current,
            snapshots.month_start = totals.month_start as is_month_of_total,
            greatest(
                {{
                    days_between(
                        "snapshots.first_active_on", "snapshots.snapshot_date"
                    )
                }},
                {{ threshold("rate_floor_days") }}
            ) as rated_days,
            totals.*
        from snapshots
        inner join
            totals
            on snapshots.customer_id = totals.customer_id
            and snapshots.month_start >= totals.month_start
            and snapshots.month_start
            < coalesce(totals.next_month_start, cast('9999-12-31' as date))
    ),

    final as (
        select
            customer_id,
            snapshot_date,
            channel,
            is_current,
            cast(
                case when is_month_of_total then interactions else 0 end as bigint
            ) as interactions,
            cast(
                case when is_month_of_total then visits else 0 end as bigint
            ) as visits,
            cast(
                case when is_month_of_total then orders else 0 end as bigint
            ) as orders,
            cast(
                case when is_month_of_total then revenue else 0 end as decimal(18, 4)
            ) as revenue,
            cast(interactions_to_date as bigint) as interactions_to_date,
            cast(visits_to_date as bigint) as visits_to_date,
            cast(
                weighted_interactions_to_date as double
            ) as weighted_interactions_to_date,
            cast(engaged_seconds_to_date as double) as engaged_seconds_to_date,
            cast(orders_to_date as bigint) as orders_to_date,
            cast(revenue_to_date as decimal(18, 4)) as revenue_to_date,
            interactions_to_date * 30.0 / rated_days as interactions_per_30_days
        from placed
    )

select *
from final
