{{
    config(
        materialized="incremental",
        incremental_strategy="restated",
        meta={
            "restated": {
                "customers": "int_night__restated_customers",
                "since": "first_visited_on",
                "unit": "day",
            }
        },
    )
}}
-- The day on which a customer first visited a channel: whoever visits again is a repeat
-- visitor. A night adds those who were not there before. Grain: customer and channel.
with

    restated_customers as (
        select distinct customer_id from {{ ref("int_night__restated_customers") }}
    ),

    tonight as (
        {{
            rows_of_tonight(
                ref("int_interactions__identified"),
                "restated_customers",
                "occurred_at",
                known_until(),
            )
        }}
    ),

    channels as (select channel, is_visit_tracked from {{ ref("channels") }}),

    -- where events are not grouped by time, every one is a visit
    untracked as (
        select tonight.customer_id, tonight.channel, tonight.occurred_on as visited_on
        from tonight
        inner join channels on tonight.channel = channels.channel
        where
            tonight.actor = 'customer'
            and (not channels.is_visit_tracked or tonight.is_date_only)
    ),

    visits as (
        select customer_id, channel, {{ business_day("min(started_at)") }} as visited_on
        from {{ ref("int_visits__starts") }}
        group by customer_id, channel
        union all
        select customer_id, channel, min(visited_on) as visited_on
        from untracked
        group by customer_id, channel
    ),

    first_visits as (
        select customer_id, channel, min(visited_on) as first_visited_on
        from visits
        group by customer_id, channel
    ),

    -- who was there before; what is written tonight makes room for itself
    known as (
        {%- if builds_on_last_night() %}
            select former.customer_id, former.channel
            from {{ this }} as former
            anti join
                restated_customers
                on former.customer_id = restated_customers.customer_id
            where former.first_visited_on < {{ first_unknown_day() }}
        {%- else %}select customer_id, channel from first_visits where 1 = 0
        {%- endif %}
    ),

    final as (
        select
            first_visits.customer_id,
            first_visits.channel,
            first_visits.first_visited_on
        from first_visits
        anti join
            known
            on first_visits.customer_id = known.customer_id
            and first_visits.channel = known.channel
    )

select *
from final
