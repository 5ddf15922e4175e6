-- Where visits start: web and app events (and the orders placed there) of one customer
-- less than the time-out apart share a visit; it does not break at midnight. A visit
-- bears the id of its first interaction. In a night: visits of restated customers,
-- among
-- them everybody whose visit goes on over the first unknown instant, and new ones.
-- Grain: one visit of web or app.
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

    interactions as (
        select customer_id, channel, occurred_at, interaction_id
        from tonight
        where actor = 'customer' and not is_date_only
    ),

    channels as (select channel from {{ ref("channels") }} where is_visit_tracked),

    followed as (
        select
            interactions.customer_id,
            interactions.channel,
            interactions.occurred_at,
            interactions.interaction_id,
            lag(interactions.occurred_at) over (
                partition by interactions.customer_id
                order by interactions.occurred_at, interactions.interaction_id
            ) as previous_at
        from interactions
        inner join channels on interactions.channel = channels.channel
    ),

    final as (
        select
            customer_id, channel, occurred_at as started_at, interaction_id as visit_id
        from followed
        where
            previous_at is null
            or {{ seconds_between("previous_at", "occurred_at") }}
            >= 60 * {{ threshold("visit_timeout_minutes") }}
    )

select *
from final
