{{
    config(
        materialized="incremental",
        incremental_strategy="restated",
        meta={
            "restated": {
                "customers": "int_night__restated_customers",
                "since": "changed_at",
                "unit": "instant",
            }
        },
    )
}}
-- Who subscribes to a channel of messages, and who leaves: no source tells when a
-- customer subscribes, so the first message that reaches him shows it, and after an
-- unsubscription (or a complaint about spam) the first one that comes too late to have
-- been on its way. Transactional messages are sent to everybody and show nothing. An
-- unsubscription by who is no subscriber changes nothing and is kept, because messages
-- after it are on their way, too. Grain: customer, channel, instant and change.
with

    restated_customers as (
        select distinct customer_id from {{ ref("int_night__restated_customers") }}
    ),

    channels as (select channel from {{ ref("channels") }} where is_subscribed),

    transactional as (
        select campaign_id
        from {{ ref("stg_campaigns__campaigns") }}
        where purpose = 'transactional'
    ),

    touches_tonight as (
        {{
            rows_of_tonight(
                ref("int_touches__identified"),
                "restated_customers",
                "touched_at",
                known_until(),
            )
        }}
    ),

    interactions_tonight as (
        {{
            rows_of_tonight(
                ref("int_interactions__identified"),
                "restated_customers",
                "occurred_at",
                known_until(),
            )
        }}
    ),

    touches as (
        select
            touches_tonight.customer_id,
            touches_tonight.channel,
            touches_tonight.touched_at
        from touches_tonight
        semi join channels on touches_tonight.channel = channels.channel
        anti join
            transactional on touches_tonight.campaign_id = transactional.campaign_id
    ),

    unsubscriptions as (
        select distinct
            interactions_tonight.customer_id,
            interactions_tonight.channel,
            interactions_tonight.occurred_at as left_at
        from interactions_tonight
        semi join channels on interactions_tonight.channel = channels.channel
        where interactions_tonight.interaction_type in ('unsubscribe', 'spam_complaint')
    ),

    -- how customers stood when the last night ended
    carried as (
        {%- if builds_on_last_night() %}
            select
                former.customer_id,
                former.channel,
                max(
                    case when former.is_subscribed then former.changed_at end
                ) as last_joined_at,
                max(
                    case when not former.is_subscribed then former.changed_at end
                ) as last_left_at
            from {{ this }} as former
            anti join
                restated_customers
                on former.customer_id = restated_customers.customer_id
            where former.changed_at < {{ known_until() }}
            group by former.customer_id, former.channel
        {%- else %}
            select
                customer_id, channel, left_at as last_joined_at, left_at as last_left_at
            from unsubscriptions
            where 1 = 0
        {%- endif %}
    ),

    leavers as (
        select customer_id, channel
        from unsubscriptions
        union
        select customer_id, channel
        from carried
        where last_left_at is not null
    ),

    -- of customers who never left only the first touch can say anything
    signs as (
        select
            customer_id, channel, min(touched_at) as changed_at, true as is_subscribed
        from touches
        group by customer_id, channel
        union
        select
            touches.customer_id,
            touches.channel,
            touches.touched_at as changed_at,
            true as is_subscribed
        from touches
        semi join
            leavers
            on touches.customer_id = leavers.customer_id
            and touches.channel = leavers.channel
        union
        select customer_id, channel, left_at as changed_at, false as is_subscribed
        from unsubscriptions
    ),

    -- at the same instant the message comes before the unsubscription from it
    placed as (
        select
            signs.customer_id,
            signs.channel,
            signs.changed_at,
            signs.is_subscribed,
            coalesce(
                max(case when not signs.is_subscribed then signs.changed_at end) over (
                    partition by signs.customer_id, signs.channel
                    order by signs.changed_at asc, signs.is_subscribed desc
                    rows between unbounded preceding and 1 preceding
                ),
                carried.last_left_at
            ) as left_before_at,
            coalesce(
                carried.last_joined_at > carried.last_left_at,
                carried.last_joined_at is not null
            ) as was_subscribed
        from signs
        left join
            carried
            on signs.customer_id = carried.customer_id
            and signs.channel = carried.channel
    ),

    telling as (
        select *
        from placed
        where
            not is_subscribed
            or left_before_at is null
            or {{ seconds_between("left_before_at", "changed_at") }}
            >= 86400 * {{ threshold("resubscription_days") }}
    ),

    followed as (
        select
            *,
            coalesce(
                lag(is_subscribed) over (
                    partition by customer_id, channel
                    order by changed_at asc, is_subscribed desc
                ),
                was_subscribed
            ) as was_subscribed_before
        from telling
    ),

    final as (
        select
            customer_id,
            channel,
            changed_at,
            {{ business_day("changed_at") }} as changed_on,
            is_subscribed,
            case
                when is_subscribed = was_subscribed_before
                then 0
                when is_subscribed
                then 1
                else -1
            end as change
        from followed
        where not is_subscribed or not was_subscribed_before
    )

select *
from final
