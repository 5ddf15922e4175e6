-- The customer journey as it stands at T: awareness, familiarity, consideration,
-- purchase, loyalty. A stage that no act has renewed for as long as it holds is lost,
-- and the customer drops back to the furthest one that still holds. Grain: customer of
-- the current snapshot and stage reached.
{#- awareness is never lost -#}
{%- set held_stages = ["familiarity", "consideration", "purchase", "loyalty"] %}
{%- set stages = ["awareness"] + held_stages %}
with

    customers as (
        select customer_id, month_start, snapshot_date
        from {{ ref("int_snapshots__customers") }}
        where is_current and is_in_life
    ),

    progress as (select * from {{ ref("int_journeys__progress") }}),

    stages as (select * from {{ ref("journey_stages") }}),

    -- what is held beyond T is not yet lived through
    held as (
        select
            customers.customer_id,
            customers.snapshot_date,
            progress.aware_on as awareness_first_on,
            cast(null as date) as awareness_holds_until,
            {{ days_between("progress.aware_on", "customers.snapshot_date") }}
            + 1 as awareness_days,
            0 as awareness_gaps,
            {%- for stage in held_stages %}
                progress.{{ stage }}_first_on,
                progress.{{ stage }}_holds_until,
                progress.{{ stage }}_held_days - greatest(
                    coalesce(
                        {{
                            days_between(
                                "customers.snapshot_date",
                                "progress." ~ stage ~ "_holds_until",
                            )
                        }},
                        0
                    ),
                    0
                ) as {{ stage }}_days,
                progress.{{ stage }}_gaps,
            {%- endfor %}
            0 as beyond_loyalty_days
        from customers
        inner join
            progress
            on customers.customer_id = progress.customer_id
            and customers.month_start = progress.month_start
    ),

    reached as (
        {%- for stage in stages %}
            {%- set next_days = (
                stages[loop.index] if not loop.last else "beyond_loyalty"
            ) ~ "_days" %}
            select
                customer_id,
                snapshot_date,
                '{{ stage }}' as journey_stage,
                awareness_first_on,
                {{ stage }}_first_on as reached_on,
                {{ stage }}_holds_until as holds_until,
                {{ stage }}_days - {{ next_days }} as days_in_stage,
                {{ stage }}_gaps as gaps,
                coalesce(
                    {{ stage }}_holds_until >= snapshot_date, {{ loop.first }}
                ) as is_held
            from held
            where {{ stage }}_first_on is not null {{ "union all" if not loop.last }}
        {%- endfor %}
    ),

    numbered as (
        select
            reached.*,
            stages.stage_number,
            stages.journey_version,
            max(case when reached.is_held then stages.stage_number end) over (
                partition by reached.customer_id
            ) as current_stage_number
        from reached
        inner join stages on reached.journey_stage = stages.journey_stage
    ),

    final as (
        select
            customer_id,
            journey_stage,
            cast(stage_number as bigint) as stage_number,
            snapshot_date,
            reached_on,
            cast(
                {{ days_between("awareness_first_on", "reached_on") }} as bigint
            ) as days_to_reach,
            cast(days_in_stage as bigint) as days_in_stage,
            holds_until,
            is_held,
            stage_number = current_stage_number as is_current_stage,
            cast(
                gaps + case when is_held then 0 else 1 end as bigint
            ) as times_dropped_back,
            journey_version
        from numbered
    )

select *
from final
