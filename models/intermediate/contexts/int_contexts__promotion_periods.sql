-- When promotions run in a sales channel: overlapping ones merged, so that an instant
-- falls into one period at most, and cut by the months that they touch, so that an
-- interaction finds its period among a few. A promotion without a channel runs in all.
-- Grain: sales channel, period (its start) and month.
with

    promotions as (select * from {{ ref("stg_promotions__promotions") }}),

    sales_channels as (
        select distinct sales_channel
        from {{ ref("channels") }}
        where sales_channel is not null
    ),

    placed as (
        select sales_channels.sales_channel, promotions.starts_at, promotions.ends_at
        from sales_channels
        inner join
            promotions
            on coalesce(promotions.sales_channel, sales_channels.sales_channel)
            = sales_channels.sales_channel
        where promotions.ends_at > promotions.starts_at
    ),

    changes as (
        select sales_channel, starts_at as state_at, 1 as change
        from placed
        union all
        select sales_channel, ends_at as state_at, -1 as change
        from placed
    ),

    summed as (
        select sales_channel, state_at, sum(change) as change
        from changes
        group by sales_channel, state_at
    ),

    running as (
        select
            sales_channel,
            state_at,
            lead(state_at) over (
                partition by sales_channel order by state_at
            ) as next_state_at,
            sum(change) over (
                partition by sales_channel
                order by state_at
                rows between unbounded preceding and current row
            ) as promotions
        from summed
    ),

    months as (select month_start from {{ ref("int_calendar__months") }}),

    final as (
        select
            running.sales_channel,
            running.state_at as starts_at,
            running.next_state_at as ends_at,
            months.month_start
        from running
        inner join
            months
            on months.month_start >= {{ month_start(business_day("running.state_at")) }}
            and months.month_start <= {{ business_day("running.next_state_at") }}
        where running.promotions > 0
    )

select *
from final
