-- What happened on a channel on a day. Every rate stands beside its two parts, so that
-- any roll-up divides sums: nothing is an average of averages. Acts, visits, touches,
-- orders and revenue are those of customers, added up from the facts; messages as the
-- sender reports them, tickets, reviews, points, stays and posts are counted whomever
-- they name. Grain: channel and business day, without a hole from the channel's first
-- day to the snapshot date.
{#- parts of a day, each with what it counts -#}
{%- set parts = {
    "act_days": [
        "interactions",
        "unprompted_interactions",
        "prompted_interactions",
        "promotion_interactions",
        "weighted_interactions",
        "engaged_seconds",
        "visits",
        "social_interactions",
        "opens",
        "clicks",
        "replies",
        "unsubscribes",
        "spam_complaints",
        "placed_orders",
        "orders",
        "returns",
        "returned_revenue",
        "revenue",
    ],
    "visit_days": [
        "tracked_visits",
        "bounces",
        "page_views",
        "visit_seconds",
        "converted_visits",
    ],
    "first_visit_days": ["first_visits"],
    "cart_days": ["carts", "abandoned_carts"],
    "touch_days": ["touches", "answered_touches", "response_seconds"],
    "subscription_days": ["new_subscribers", "lost_subscribers"],
    "operation_days": [
        "sends",
        "deliveries",
        "failed_sends",
        "machine_opens",
        "brand_posts",
        "followers_gained",
        "observed_accounts",
        "tickets",
        "complaints",
        "first_responses",
        "first_response_microseconds",
        "first_response_business_microseconds",
        "resolutions",
        "resolution_microseconds",
        "resolution_business_microseconds",
        "reviews",
        "rating_sum",
        "positive_reviews",
        "negative_reviews",
        "enrolments",
        "exits",
        "points_earned",
        "points_redeemed",
        "points_expired",
        "stays",
        "stay_microseconds",
        "renewals",
        "renewal_revenue",
    ],
} %}
{%- set counted_types = {
    "opens": "message_open",
    "clicks": "message_click",
    "replies": "message_reply",
    "unsubscribes": "unsubscribe",
    "spam_complaints": "spam_complaint",
    "placed_orders": "order",
    "returns": "order_return",
} %}
with

    types as (
        select interaction_type, max(weight) as weight
        from {{ ref("interaction_types") }}
        group by interaction_type
    ),

    type_days as (
        select
            channel,
            active_on,
            interaction_type,
            sum(interactions) as interactions,
            sum(
                case when prompt_status = 'unprompted' then interactions else 0 end
            ) as unprompted_interactions,
            sum(
                case when prompt_status = 'prompted' then interactions else 0 end
            ) as prompted_interactions,
            sum(promotion_interactions) as promotion_interactions,
            sum({{ exact("weighted_interactions") }}) as weighted_interactions,
            sum({{ exact("engaged_seconds") }}) as engaged_seconds,
            sum(visits) as visits,
            sum(orders) as orders,
            sum(revenue) as revenue
        from {{ ref("fct_engagement_days") }}
        group by channel, active_on, interaction_type
    ),

    act_days as (
        select
            type_days.channel,
            type_days.active_on as happened_on,
            sum(type_days.interactions) as interactions,
            sum(type_days.unprompted_interactions) as unprompted_interactions,
            sum(type_days.prompted_interactions) as prompted_interactions,
            sum(type_days.promotion_interactions) as promotion_interactions,
            sum(type_days.weighted_interactions) as weighted_interactions,
            sum(type_days.engaged_seconds) as engaged_seconds,
            sum(type_days.visits) as visits,
            sum(
                case
                    when type_days.channel = 'social' and types.weight > 0
                    then type_days.interactions
                    else 0
                end
            ) as social_interactions,
            {%- for measure, interaction_type in counted_types.items() %}
                sum(
                    case
                        when type_days.interaction_type = '{{ interaction_type }}'
                        then type_days.interactions
                        else 0
                    end
                ) as {{ measure }},
            {%- endfor %}
            sum(type_days.orders) as orders,
            sum(type_days.revenue) as revenue,
            sum(
                case
                    when type_days.interaction_type = 'order_return'
                    then - type_days.revenue
                    else 0
                end
            ) as returned_revenue
        from type_days
        inner join types on type_days.interaction_type = types.interaction_type
        group by type_days.channel, type_days.active_on
    ),

    -- where events are grouped into visits by time: only there a visit can bounce
    visit_days as (
        select
            channel,
            started_on as happened_on,
            count(*) as tracked_visits,
            sum(case when is_bounce then 1 else 0 end) as bounces,
            sum(page_views) as page_views,
            sum({{ exact("engaged_seconds") }}) as visit_seconds,
            sum(case when has_order then 1 else 0 end) as converted_visits
        from {{ ref("fct_visits") }}
        where is_bounce is not null
        group by channel, started_on
    ),

    first_visit_days as (
        select channel, first_visited_on as happened_on, count(*) as first_visits
        from {{ ref("int_visits__first") }}
        group by channel, first_visited_on
    ),

    cart_days as (
        select
            channel,
            last_product_on as happened_on,
            count(*) as carts,
            sum(case when is_abandoned then 1 else 0 end) as abandoned_carts
        from {{ ref("int_carts__closed") }}
        group by channel, last_product_on
    ),

    touch_days as (
        select
            channel,
            touched_on as happened_on,
            count(*) as touches,
            sum(case when is_answered then 1 else 0 end) as answered_touches,
            sum({{ exact("response_seconds") }}) as response_seconds
        from {{ ref("fct_touches") }}
        group by channel, touched_on
    ),

    subscription_days as (
        select
            channel,
            changed_on as happened_on,
            sum(case when change > 0 then 1 else 0 end) as new_subscribers,
            sum(case when change < 0 then 1 else 0 end) as lost_subscribers
        from {{ ref("int_subscriptions__changes") }}
        group by channel, changed_on
    ),

    operation_days as (
        select channel, happened_on, {{ parts["operation_days"] | join(", ") }}
        from {{ ref("int_channels__operations") }}
    ),

    told_days as (
        {%- for part in parts %}
            select channel, happened_on from {{ part }} {{ "union" if not loop.last }}
        {%- endfor %}
    ),

    first_days as (
        select channel, min(happened_on) as first_day from told_days group by channel
    ),

    -- a century of days
    numbers as ({{ dbt.generate_series(36525) }}),

    channel_days as (
        select
            first_days.channel,
            cast(
                first_days.first_day
                + cast(numbers.generated_number - 1 as integer) as date
            ) as happened_on
        from first_days
        cross join numbers
        where
            numbers.generated_number - 1
            <= {{ days_between("first_days.first_day", as_of()) }}
    ),

    joined as (
        select
            channel_days.channel,
            channel_days.happened_on,
            {%- for part, measures in parts.items() %}
                {%- set is_last_part = loop.last %}
                {%- for measure in measures %}
                    coalesce({{ part }}.{{ measure }}, 0) as {{ measure }}
                    {{- "," if not (is_last_part and loop.last) }}
                {%- endfor %}
            {%- endfor %}
        from channel_days
        {%- for part in parts %}
            left join
                {{ part }}
                on channel_days.channel = {{ part }}.channel
                and channel_days.happened_on = {{ part }}.happened_on
        {%- endfor %}
    ),

    -- what stands at the end of the day
    standing as (
        select
            *,
            sum(new_subscribers - lost_subscribers) over to_date as subscribers_to_date,
            sum(enrolments - exits) over to_date as members_to_date,
            sum(observed_accounts) over to_date as known_accounts,
            sum(followers_gained) over to_date as known_followers
        from joined
        window
            to_date as (
                partition by channel
                order by happened_on
                rows between unbounded preceding and current row
            )
    ),

    versions as (
        select
            {{ thresholds_version() }} as thresholds_version,
            (
                select max(taxonomy_version) from {{ ref("interaction_types") }}
            ) as taxonomy_version,
            (
                select max(business_hours_version) from {{ ref("business_hours") }}
            ) as business_hours_version
    ),

    channels as (select channel, is_subscribed from {{ ref("channels") }}),

    measured as (
        select
            standing.*,
            versions.thresholds_version,
            versions.taxonomy_version,
            versions.business_hours_version,
            standing.visits - standing.first_visits as repeat_visits,
            standing.placed_orders - standing.orders as cancelled_orders,
            case
                when channels.is_subscribed then standing.subscribers_to_date
            end as subscribers,
            case
                when standing.channel = 'loyalty' then standing.members_to_date
            end as members,
            case
                when standing.known_accounts > 0 then standing.known_followers
            end as followers,
            case
                when standing.known_accounts > 0
                then standing.social_interactions
                else 0
            end as followed_interactions
        from standing
        inner join channels on standing.channel = channels.channel
        cross join versions
    ),

    final as (
        select
            channel,
            happened_on as day,

            cast(interactions as bigint) as interactions,
            cast(unprompted_interactions as bigint) as unprompted_interactions,
            cast(prompted_interactions as bigint) as prompted_interactions,
            {{
                rate(
                    "unprompted_interactions",
                    "unprompted_interactions + prompted_interactions",
                )
            }} as proactive_share,
            cast(promotion_interactions as bigint) as promotion_interactions,
            {{ rate("promotion_interactions", "interactions") }} as promotion_share,
            cast(weighted_interactions as double) as weighted_interactions,
            cast(engaged_seconds as double) as engaged_seconds,

            cast(visits as bigint) as visits,
            cast(repeat_visits as bigint) as repeat_visits,
            {{ rate("repeat_visits", "visits") }} as repeat_visit_rate,
            cast(tracked_visits as bigint) as tracked_visits,
            cast(bounces as bigint) as bounces,
            {{ rate("bounces", "tracked_visits") }} as bounce_rate,
            cast(page_views as bigint) as page_views,
            {{ rate("page_views", "tracked_visits") }} as pages_per_visit,
            cast(visit_seconds as double) as visit_seconds,
            {{ rate("visit_seconds", "tracked_visits") }} as seconds_per_visit,
            cast(converted_visits as bigint) as converted_visits,
            {{ rate("converted_visits", "tracked_visits") }} as conversion_rate,
            cast(carts as bigint) as carts,
            cast(abandoned_carts as bigint) as abandoned_carts,
            {{ rate("abandoned_carts", "carts") }} as cart_abandonment_rate,
            cast(stays as bigint) as stays,
            cast(stay_microseconds as double) / 1000000 as stay_seconds,
            {{ rate("stay_microseconds", "stays * 1000000") }} as seconds_per_stay,

            cast(touches as bigint) as touches,
            cast(answered_touches as bigint) as answered_touches,
            {{ rate("answered_touches", "touches") }} as response_rate,
            cast(response_seconds as double) as response_seconds,
            {{ rate("response_seconds", "answered_touches") }} as seconds_per_response,
            cast(sends as bigint) as sends,
            cast(deliveries as bigint) as deliveries,
            cast(failed_sends as bigint) as failed_sends,
            {{ rate("failed_sends", "sends") }} as failure_rate,
            cast(opens as bigint) as opens,
            {{ rate("opens", "touches") }} as open_rate,
            cast(machine_opens as bigint) as machine_opens,
            cast(clicks as bigint) as clicks,
            {{ rate("clicks", "touches") }} as click_rate,
            cast(replies as bigint) as replies,
            cast(unsubscribes as bigint) as unsubscribes,
            {{ rate("unsubscribes", "touches") }} as unsubscribe_rate,
            cast(spam_complaints as bigint) as spam_complaints,
            cast(new_subscribers as bigint) as new_subscribers,
            cast(lost_subscribers as bigint) as lost_subscribers,
            cast(subscribers as bigint) as subscribers,
            {{ rate("touches", "subscribers") }} as touches_per_subscriber,

            cast(social_interactions as bigint) as social_interactions,
            cast(brand_posts as bigint) as brand_posts,
            cast(followers as bigint) as followers,
            cast(followed_interactions as bigint) as followed_interactions,
            {{ rate("100 * followed_interactions", "followers") }} as engagement_rate,

            cast(tickets as bigint) as tickets,
            cast(complaints as bigint) as complaints,
            {{ rate("complaints", "tickets") }} as complaint_share,
            cast(first_responses as bigint) as first_responses,
            {%- for waited in ["first_response", "first_response_business"] %}
                cast({{ waited }}_microseconds as double)
                / 1000000 as {{ waited }}_seconds,
                {{ rate(waited ~ "_microseconds", "first_responses * 1000000") }}
                as mean_{{ waited }}_seconds,
            {%- endfor %}
            cast(resolutions as bigint) as resolutions,
            {%- for waited in ["resolution", "resolution_business"] %}
                cast({{ waited }}_microseconds as double)
                / 1000000 as {{ waited }}_seconds,
                {{ rate(waited ~ "_microseconds", "resolutions * 1000000") }}
                as mean_{{ waited }}_seconds,
            {%- endfor %}

            cast(reviews as bigint) as reviews,
            cast(rating_sum as double) as rating_sum,
            {{ rate("rating_sum", "reviews") }} as mean_rating,
            cast(positive_reviews as bigint) as positive_reviews,
            cast(negative_reviews as bigint) as negative_reviews,
            {{ rate("positive_reviews", "negative_reviews") }}
            as positive_per_negative_review,

            cast(enrolments as bigint) as enrolments,
            cast(exits as bigint) as exits,
            cast(members as bigint) as members,
            cast(points_earned as bigint) as points_earned,
            cast(points_redeemed as bigint) as points_redeemed,
            cast(points_expired as bigint) as points_expired,
            {{ rate("points_redeemed", "points_earned") }} as redemption_rate,

            cast(placed_orders as bigint) as placed_orders,
            cast(cancelled_orders as bigint) as cancelled_orders,
            cast(orders as bigint) as orders,
            cast(returns as bigint) as returns,
            cast(returned_revenue as decimal(18, 4)) as returned_revenue,
            cast(revenue as decimal(18, 4)) as revenue,
            {{ rate("revenue", "orders") }} as revenue_per_order,
            cast(renewals as bigint) as renewals,
            cast(renewal_revenue as decimal(18, 4)) as renewal_revenue,

            thresholds_version,
            taxonomy_version,
            business_hours_version
        from measured
    )

select *
from final
