-- Proactiveness: whether the customer engages of their own accord. Grain: customer and
-- snapshot date; counts to date.
with

    snapshots as (select * from {{ ref("int_snapshots__customers") }}),

    saturations as (select * from {{ ref("int_snapshots__prompt_saturation") }}),

    days as (select * from {{ ref("fct_engagement_days") }}),

    touches as (select * from {{ ref("fct_touches") }}),

    customers as (
        select distinct customer_id, {{ month_start("first_active_on") }} as first_month
        from snapshots
    ),

    prompt_months as (
        select
            customer_id,
            {{ month_start("active_on") }} as month_start,
            sum(
                case when prompt_status = 'unprompted' then interactions else 0 end
            ) as unprompted,
            sum(
                case when prompt_rule = 'explicit' then interactions else 0 end
            ) as prompted_explicitly,
            sum(
                case when prompt_rule = 'window' then interactions else 0 end
            ) as prompted_by_window,
            sum(
                case when prompt_status = 'unknown' then interactions else 0 end
            ) as unknown
        from days
        group by customer_id, {{ month_start("active_on") }}
    ),

    -- what came before the first interaction counts with the first month
    received_months as (
        select
            touches.customer_id,
            greatest(
                {{ month_start("touches.touched_on") }}, customers.first_month
            ) as month_start,
            count(*) as touches_received
        from touches
        inner join customers on touches.customer_id = customers.customer_id
        group by
            touches.customer_id,
            greatest({{ month_start("touches.touched_on") }}, customers.first_month)
    ),

    answered_months as (
        select
            customer_id,
            {{ month_start(business_day("answered_at")) }} as month_start,
            count(*) as touches_answered,
            sum(response_seconds) as response_seconds
        from touches
        where is_answered
        group by customer_id, {{ month_start(business_day("answered_at")) }}
    ),

    cumulated as (
        select
            snapshots.customer_id,
            snapshots.snapshot_date,
            snapshots.is_current,
            snapshots.is_in_life,
            cast(
                coalesce(sum(prompt_months.unprompted) over to_date, 0) as bigint
            ) as unprompted,
            cast(
                coalesce(
                    sum(prompt_months.prompted_explicitly) over to_date, 0
                ) as bigint
            ) as prompted_explicitly,
            cast(
                coalesce(
                    sum(prompt_months.prompted_by_window) over to_date, 0
                ) as bigint
            ) as prompted_by_window,
            cast(
                coalesce(sum(prompt_months.unknown) over to_date, 0) as bigint
            ) as unknown,
            cast(
                coalesce(
                    sum(received_months.touches_received) over to_date, 0
                ) as bigint
            ) as touches_received,
            cast(
                coalesce(
                    sum(answered_months.touches_answered) over to_date, 0
                ) as bigint
            ) as touches_answered,
            sum(answered_months.response_seconds) over to_date as response_seconds,
            saturations.saturation
        from snapshots
        inner join
            saturations
            on snapshots.customer_id = saturations.customer_id
            and snapshots.snapshot_date = saturations.snapshot_date
        left join
            prompt_months
            on snapshots.customer_id = prompt_months.customer_id
            and snapshots.month_start = prompt_months.month_start
        left join
            received_months
            on snapshots.customer_id = received_months.customer_id
            and snapshots.month_start = received_months.month_start
        left join
            answered_months
            on snapshots.customer_id = answered_months.customer_id
            and snapshots.month_start = answered_months.month_start
        window
            to_date as (
                partition by snapshots.customer_id
                order by snapshots.month_start
                rows between unbounded preceding and current row
            )
    ),

    counted as (
        select
            *,
            prompted_explicitly + prompted_by_window as prompted,
            unprompted + prompted_explicitly + prompted_by_window as known,
            unprompted + prompted_by_window as unprompted_or_window
        from cumulated
        where is_in_life
    ),

    shared as (
        select
            *,
            unprompted / cast(nullif(known, 0) as double) as proactive_share,
            prompted_by_window
            / cast(nullif(unprompted_or_window, 0) as double) as windowed_share
        from counted
    ),

    final as (
        select
            customer_id,
            snapshot_date,
            is_current,
            unprompted,
            prompted,
            prompted_explicitly,
            prompted_by_window,
            unknown,
            proactive_share,
            {{
                wilson_bound(
                    "proactive_share", "known", threshold("wilson_z"), upper=false
                )
            }} as proactive_share_lower,
            {{
                wilson_bound(
                    "proactive_share", "known", threshold("wilson_z"), upper=true
                )
            }} as proactive_share_upper,
            known / cast(nullif(known + unknown, 0) as double) as coverage,
            unprompted_or_window
            / cast(nullif(known, 0) as double) as strict_proactive_share,
            touches_received,
            touches_answered,
            touches_answered
            / cast(nullif(touches_received, 0) as double) as response_rate,
            response_seconds / nullif(touches_answered, 0) as mean_response_seconds,
            known < {{ threshold("low_sample_interactions") }} as is_low_sample,
            saturation,
            windowed_share,
            (windowed_share - saturation)
            / nullif(1 - saturation, 0) as adjusted_prompted_share
        from shared
    )

select *
from final
