{{
    config(
        materialized="incremental",
        incremental_strategy="restated",
        meta={
            "restated": {
                "customers": "int_night__restated_customers",
                "since": "month_start",
                "unit": "month",
            }
        },
    )
}}
-- How far customers have come on their journey, and through which day the acts so far
-- hold them at each stage. An act holds its stage, and all before it, for the days that
-- the seed gives them; what is held can be added up act by act. Grain: customer
-- and
-- month, of the last closed month and of the month of T: a night goes on from the
-- former, so that its cost is that of the customers.
--
-- _first_on     day on which the stage was reached
-- _holds_until  last day on which the acts so far hold it
-- _held_days    days held until then, gaps left out
-- _gaps         how often it was lost and reached again
{#- awareness is never lost: it needs its first day only -#}
{%- set stages = ["familiarity", "consideration", "purchase", "loyalty"] %}
{%- set this_month = month_start(as_of()) %}
{%- set month_before = add_months(this_month, "-1") %}
{%- set never = "cast('0001-01-01' as date)" %}
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

    snapshots as (
        select customer_id, first_active_on, month_start
        from snapshots_tonight
        where month_start in ({{ this_month }}, {{ month_before }})
    ),

    customers as (
        select
            customer_id,
            min(first_active_on) as first_active_on,
            min(month_start) as first_month
        from snapshots
        group by customer_id
    ),

    -- of new customers everything counts, also what came before their first act:
    -- touches, and what renewed itself
    whole_customers as (
        select customer_id
        from restated_customers
        {%- if builds_on_last_night() %}
            union
            select customer_id
            from customers
            where {{ month_start("first_active_on") }} >= {{ open_month() }}
        {%- endif %}
    ),

    touches as (
        {{
            rows_of_tonight(
                ref("int_touches__identified"),
                "whole_customers",
                "touched_on",
                open_month(),
            )
        }}
    ),

    first_touches as (
        select customer_id, min(touched_on) as first_touched_on
        from touches
        group by customer_id
    ),

    interactions as (
        {{
            rows_of_tonight(
                ref("int_interactions__identified"),
                "whole_customers",
                "occurred_on",
                open_month(),
            )
        }}
    ),

    types as (
        select interaction_type, min(journey_stage) as journey_stage
        from {{ ref("interaction_types") }}
        where journey_stage is not null and journey_stage <> 'awareness'
        group by interaction_type
    ),

    stages as (select * from {{ ref("journey_stages") }}),

    rules as (
        select
            {%- for stage in stages %}
                max(
                    case when journey_stage = '{{ stage }}' then stage_number end
                ) as {{ stage }}_number,
            {%- endfor %}
            max(
                case when journey_stage = 'purchase' then holds_days end
            ) as purchase_holds_days
        from stages
    ),

    -- an act of a stage holds the ones before it, too, and each at least as long as the
    -- next
    holding as (
        select
            reached.stage_number,
            {%- for stage in stages %}
                max(
                    case
                        when held.stage_number >= rules.{{ stage }}_number
                        then held.holds_days
                    end
                ) as {{ stage }}_holds_days {{ "," if not loop.last }}
            {%- endfor %}
        from stages as reached
        inner join stages as held on reached.stage_number >= held.stage_number
        cross join rules
        group by reached.stage_number
    ),

    cancelled_orders as (
        select order_id
        from {{ ref("int_orders__valued") }}
        where cancelled_at is not null
    ),

    -- who ordered and cancelled has considered
    staged as (
        select
            interactions.customer_id,
            interactions.occurred_on,
            case
                when cancelled_orders.order_id is not null
                then rules.consideration_number
                else stages.stage_number
            end as stage_number,
            interactions.source_table = 'orders'
            and cancelled_orders.order_id is null as is_order
        from interactions
        inner join types on interactions.interaction_type = types.interaction_type
        inner join stages on types.journey_stage = stages.journey_stage
        cross join rules
        -- a condition on one side only would keep the engine from hashing the join
        left join
            cancelled_orders
            on case
                when interactions.source_table = 'orders' then interactions.order_id
            end
            = cancelled_orders.order_id
    ),

    acted as (
        select
            customer_id,
            occurred_on,
            max(stage_number) as stage_number,
            bool_or(is_order) as has_order
        from staged
        group by customer_id, occurred_on
    ),

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
                month_start,
                first_active_on as aware_on,
                first_active_on as last_ordered_on,
                {%- for stage in stages %}
                    first_active_on as {{ stage }}_first_on,
                    first_active_on as {{ stage }}_holds_until,
                    0 as {{ stage }}_held_days,
                    0 as {{ stage }}_gaps {{ "," if not loop.last }}
                {%- endfor %}
            from snapshots
            where 1 = 0
        {%- endif %}
    ),

    ordered as (
        select
            acted.customer_id,
            acted.occurred_on,
            acted.stage_number,
            acted.has_order,
            coalesce(
                max(case when acted.has_order then acted.occurred_on end) over (
                    partition by acted.customer_id
                    order by acted.occurred_on
                    rows between unbounded preceding and 1 preceding
                ),
                carried.last_ordered_on
            ) as previous_ordered_on
        from acted
        left join carried on acted.customer_id = carried.customer_id
    ),

    -- an order while the one before it still holds is loyalty
    furthest as (
        select
            ordered.customer_id,
            ordered.occurred_on,
            ordered.has_order,
            case
                when
                    ordered.has_order
                    and {{
                        days_between(
                            "ordered.previous_ordered_on", "ordered.occurred_on"
                        )
                    }} <= rules.purchase_holds_days
                then greatest(ordered.stage_number, rules.loyalty_number)
                else ordered.stage_number
            end as stage_number
        from ordered
        cross join rules
    ),

    held as (
        select
            furthest.customer_id,
            furthest.occurred_on,
            furthest.has_order,
            {%- for stage in stages %}
                furthest.occurred_on
                + holding.{{ stage }}_holds_days as {{ stage }}_holds_until
                {{- "," if not loop.last }}
            {%- endfor %}
        from furthest
        inner join holding on furthest.stage_number = holding.stage_number
    ),

    following as (
        select
            held.*,
            {%- for stage in stages %}
                greatest(
                    coalesce(
                        max(held.{{ stage }}_holds_until) over earlier, {{ never }}
                    ),
                    coalesce(carried.{{ stage }}_holds_until, {{ never }})
                ) as {{ stage }}_held_until {{ "," if not loop.last }}
            {%- endfor %}
        from held
        left join carried on held.customer_id = carried.customer_id
        window
            earlier as (
                partition by held.customer_id
                order by held.occurred_on
                rows between unbounded preceding and 1 preceding
            )
    ),

    -- of what an act holds, only the days that nothing before it holds are added
    placed as (
        select
            following.*,
            {%- for stage in stages %}
                greatest(
                    following.occurred_on - 1, following.{{ stage }}_held_until
                ) as {{ stage }}_held_from,
            {%- endfor %}
            greatest(
                case
                    when following.occurred_on >= {{ this_month }}
                    then {{ this_month }}
                    else {{ month_before }}
                end,
                customers.first_month
            ) as month_start
        from following
        inner join customers on following.customer_id = customers.customer_id
    ),

    months as (
        select
            customer_id,
            month_start,
            max(case when has_order then occurred_on end) as last_ordered_on,
            {%- for stage in stages %}
                min(
                    case when {{ stage }}_holds_until is not null then occurred_on end
                ) as {{ stage }}_first_on,
                max({{ stage }}_holds_until) as {{ stage }}_holds_until,
                sum(
                    greatest(
                        {{ days_between(stage ~ "_held_from", stage ~ "_holds_until") }},
                        0
                    )
                ) as {{ stage }}_held_days,
                count(
                    case
                        when
                            {{ stage }}_holds_until is not null
                            and {{ stage }}_held_until > {{ never }}
                            and {{ stage }}_held_until < occurred_on - 1
                        then 1
                    end
                ) as {{ stage }}_gaps {{ "," if not loop.last }}
            {%- endfor %}
        from placed
        group by customer_id, month_start
        union all
        select
            customer_id,
            month_start,
            last_ordered_on,
            {%- for stage in stages %}
                {{ stage }}_first_on,
                {{ stage }}_holds_until,
                {{ stage }}_held_days,
                {{ stage }}_gaps {{ "," if not loop.last }}
            {%- endfor %}
        from carried
    ),

    spine as (
        select customer_id, month_start, false as is_carried
        from snapshots
        union all
        select customer_id, month_start, true as is_carried
        from carried
    ),

    cumulated as (
        select
            spine.customer_id,
            spine.month_start,
            spine.is_carried,
            max(months.last_ordered_on) over to_date as last_ordered_on,
            {%- for stage in stages %}
                min(months.{{ stage }}_first_on) over to_date as {{ stage }}_first_on,
                max(months.{{ stage }}_holds_until) over to_date
                as {{ stage }}_holds_until,
                cast(
                    coalesce(
                        sum(months.{{ stage }}_held_days) over to_date, 0
                    ) as bigint
                ) as {{ stage }}_held_days,
                cast(
                    coalesce(sum(months.{{ stage }}_gaps) over to_date, 0) as bigint
                ) as {{ stage }}_gaps {{ "," if not loop.last }}
            {%- endfor %}
        from spine
        left join
            months
            on spine.customer_id = months.customer_id
            and spine.month_start = months.month_start
        window
            to_date as (
                partition by spine.customer_id
                order by spine.month_start
                rows between unbounded preceding and current row
            )
    ),

    final as (
        select
            cumulated.customer_id,
            cumulated.month_start,
            coalesce(
                carried.aware_on,
                least(
                    customers.first_active_on,
                    first_touches.first_touched_on,
                    cumulated.familiarity_first_on
                )
            ) as aware_on,
            cumulated.last_ordered_on,
            {%- for stage in stages %}
                cumulated.{{ stage }}_first_on,
                cumulated.{{ stage }}_holds_until,
                cumulated.{{ stage }}_held_days,
                cumulated.{{ stage }}_gaps {{ "," if not loop.last }}
            {%- endfor %}
        from cumulated
        inner join customers on cumulated.customer_id = customers.customer_id
        left join first_touches on cumulated.customer_id = first_touches.customer_id
        left join carried on cumulated.customer_id = carried.customer_id
        where not cumulated.is_carried
    )

select *
from final
