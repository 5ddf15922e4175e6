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
-- Proactiveness: whether the customer engages of their own accord. Grain: customer and
-- snapshot date; counts to date.
with

    restated_customers as (
        select distinct customer_id from {{ ref("int_night__restated_customers") }}
    ),

    snapshots as (
        {{
            rows_of_tonight(
                ref("int_snapshots__customers"),
                "restated_customers",
                "snapshot_date",
                open_month(),
            )
        }}
    ),

    saturations as (select * from {{ ref("int_snapshots__prompt_saturation") }}),

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

    customers as (
        select distinct customer_id, {{ month_start("first_active_on") }} as first_month
        from snapshots
    ),

    -- of new customers all touches count, also those before the open month
    whole_customers as (
        select customer_id
        from restated_customers
        {%- if builds_on_last_night() %}
            union
            select customer_id
            from customers
            where first_month >= {{ open_month() }}
        {%- endif %}
    ),

    touches as (
        {{
            rows_of_tonight(
                ref("fct_touches"), "whole_customers", "touched_on", open_month()
            )
        }}
    ),

    answered_touches as (
        {{
            rows_of_tonight(
                ref("fct_touches"),
                "whole_customers",
                "answered_at",
                business_day_start(open_month()),
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
                0 as unprompted,
                0 as prompted_explicitly,
                0 as prompted_by_window,
                0 as unknown,
                0 as touches_received,
                0 as touches_answered,
                {{ exact(0) }} as response_seconds
            from snapshots
            where 1 = 0
        {%- endif %}
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
            sum({{ exact("response_seconds") }}) as response_seconds
        from answered_touches
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
                coalesce(sum(prompt_months.unprompted) over to_date, 0)
                + coalesce(carried.unprompted, 0) as bigint
            ) as unprompted,
            cast(
                coalesce(sum(prompt_months.prompted_explicitly) over to_date, 0)
                + coalesce(carried.prompted_explicitly, 0) as bigint
            ) as prompted_explicitly,
            cast(
                coalesce(sum(prompt_months.prompted_by_window) over to_date, 0)
                + coalesce(carried.prompted_by_window, 0) as bigint
            ) as prompted_by_window,
            cast(
                coalesce(sum(prompt_months.unknown) over to_date, 0)
                + coalesce(carried.unknown, 0) as bigint
            ) as unknown,
            cast(
                coalesce(sum(received_months.touches_received) over to_date, 0)
                + coalesce(carried.touches_received, 0) as bigint
            ) as touches_received,
            cast(
                coalesce(sum(answered_months.touches_answered) over to_date, 0)
                + coalesce(carried.touches_answered, 0) as bigint
            ) as touches_answered,
            {{
                exact(
                    "coalesce(sum(answered_months.response_seconds) over to_date, 0)"
                    " + coalesce(carried.response_seconds, 0)"
                )
            }} as response_seconds,
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
        left join carried on snapshots.customer_id = carried.customer_id
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
            response_seconds,
            cast(response_seconds as double)
            / nullif(touches_answered, 0) as mean_response_seconds,
            known < {{ threshold("low_sample_interactions") }} as is_low_sample,
            saturation,
            windowed_share,
            (windowed_share - saturation)
            / nullif(1 - saturation, 0) as adjusted_prompted_share
        from shared
    )

select *
from final
