-- Whether a promotion runs in a sales channel, from one instant to the next. A
-- promotion without a channel runs in all.
-- Grain: sales channel and instant at which a promotion starts or ends.
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

    final as (
        select
            sales_channel,
            state_at,
            sum(change) over (
                partition by sales_channel
                order by state_at
                rows between unbounded preceding and current row
            )
            > 0 as is_promotion_running
        from summed
    )

select *
from final
