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
-- The tier that a customer had at a closed snapshot, by the acts of its window only, so
-- that outcomes can be held against it. Grain: customer and closed snapshot at which
-- the
-- customer had a tier.
with

    restated_customers as (
        select distinct customer_id from {{ ref("int_night__restated_customers") }}
    ),

    tonight as (
        {{
            rows_of_tonight(
                ref("int_interactions__identified"),
                "restated_customers",
                "occurred_on",
                open_month() ~ " - " ~ longest_window_days("engagement_tiers"),
            )
        }}
    ),

    months as (select * from {{ ref("int_calendar__months") }} where not is_current),

    levels as (
        select interaction_type, min(engagement_level) as tier
        from {{ ref("interaction_types") }}
        where route = 'interaction'
        group by interaction_type
    ),

    tiers as (select * from {{ ref("engagement_tiers") }}),

    act_days as (
        select
            tonight.customer_id,
            tonight.occurred_on,
            tiers.tier_number,
            tiers.window_days,
            tiers.acts_min,
            count(*) as acts
        from tonight
        inner join levels on tonight.interaction_type = levels.interaction_type
        inner join tiers on levels.tier = tiers.tier
        where tonight.actor = 'customer'
        group by
            tonight.customer_id,
            tonight.occurred_on,
            tiers.tier_number,
            tiers.window_days,
            tiers.acts_min
    ),

    reached as (
        select act_days.customer_id, months.snapshot_date, act_days.tier_number
        from act_days
        inner join
            months
            on act_days.occurred_on <= months.snapshot_date
            and act_days.occurred_on + cast(act_days.window_days as integer)
            > months.snapshot_date
        group by
            act_days.customer_id,
            months.snapshot_date,
            act_days.tier_number,
            act_days.acts_min
        having sum(act_days.acts) >= act_days.acts_min
    ),

    final as (
        select
            reached.customer_id,
            reached.snapshot_date,
            cast(max(reached.tier_number) as bigint) as tier_number
        from reached
        {%- if builds_on_last_night() %}
            left join
                restated_customers
                on reached.customer_id = restated_customers.customer_id
            where
                reached.snapshot_date >= {{ open_month() }}
                or restated_customers.customer_id is not null
        {%- endif %}
        group by reached.customer_id, reached.snapshot_date
    )

select *
from final
