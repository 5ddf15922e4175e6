{{ config(materialized="view") }}
-- What the rows of the sources tell of a channel's day, whomever they name and also if
-- they name nobody: messages as the sender reports them, help, reviews, points, stays,
-- posts of the brand; and what renews itself. Sums are over whole numbers and decimals.
-- Grain: channel and business day on which something of it happened.
{%- set parts = {
    "message_days": ["sends", "deliveries", "failed_sends", "machine_opens"],
    "brand_post_days": ["brand_posts"],
    "follower_days": ["followers_gained", "observed_accounts"],
    "ticket_days": ["tickets", "complaints"],
    "answer_days": [
        "first_responses",
        "first_response_microseconds",
        "first_response_business_microseconds",
    ],
    "solution_days": [
        "resolutions",
        "resolution_microseconds",
        "resolution_business_microseconds",
    ],
    "review_days": [
        "reviews",
        "rating_sum",
        "positive_reviews",
        "negative_reviews",
    ],
    "member_days": [
        "enrolments",
        "exits",
        "points_earned",
        "points_redeemed",
        "points_expired",
    ],
    "stay_days": ["stays", "stay_microseconds"],
    "renewal_days": ["renewals", "renewal_revenue"],
} %}
{%- set measures = parts.values() | sum(start=[]) %}
with

    messages as (
        select
            *,
            {{ business_day("occurred_at") }} as happened_on,
            coalesce(is_machine, false) as is_by_machine
        from {{ ref("stg_messages__events") }}
        where occurred_at < {{ as_of_end() }}
    ),

    message_days as (
        select
            message_channel as channel,
            happened_on,
            sum(case when event_name = 'sent' then 1 else 0 end) as sends,
            sum(case when event_name = 'delivered' then 1 else 0 end) as deliveries,
            sum(case when event_name = 'bounced' then 1 else 0 end) as failed_sends,
            sum(
                case when event_name = 'opened' and is_by_machine then 1 else 0 end
            ) as machine_opens
        from messages
        group by message_channel, happened_on
    ),

    brand_post_days as (
        select
            'social' as channel,
            {{ business_day("occurred_at") }} as happened_on,
            count(*) as brand_posts
        from {{ ref("stg_social__events") }}
        where
            is_brand_author and event_name = 'post' and occurred_at < {{ as_of_end() }}
        group by {{ business_day("occurred_at") }}
    ),

    -- an account keeps its followers until they are counted again
    observed as (
        select
            observed_on,
            followers - coalesce(
                lag(followers) over (
                    partition by network, account_id order by observed_on
                ),
                0
            ) as followers_gained,
            row_number() over (
                partition by network, account_id order by observed_on
            ) as observation_number
        from {{ ref("stg_social__account_days") }}
        where observed_on <= {{ as_of() }}
    ),

    follower_days as (
        select
            'social' as channel,
            observed_on as happened_on,
            sum(followers_gained) as followers_gained,
            sum(case when observation_number = 1 then 1 else 0 end) as observed_accounts
        from observed
        group by observed_on
    ),

    ticket_times as (select * from {{ ref("int_support__ticket_times") }}),

    ticket_days as (
        select
            'support' as channel,
            created_on as happened_on,
            count(*) as tickets,
            sum(case when is_complaint then 1 else 0 end) as complaints
        from ticket_times
        group by created_on
    ),

    answer_days as (
        select
            'support' as channel,
            answered_on as happened_on,
            count(*) as first_responses,
            sum(answer_microseconds) as first_response_microseconds,
            sum(answer_business_microseconds) as first_response_business_microseconds
        from ticket_times
        where answered_on is not null
        group by answered_on
    ),

    solution_days as (
        select
            'support' as channel,
            solved_on as happened_on,
            count(*) as resolutions,
            sum(solution_microseconds) as resolution_microseconds,
            sum(solution_business_microseconds) as resolution_business_microseconds
        from ticket_times
        where solved_on is not null
        group by solved_on
    ),

    -- twelve decimals of a rating on the scale from 0 to 1
    ratings as (
        select
            {{ business_day("created_at") }} as happened_on,
            cast(
                rating / nullif(coalesce(rating_max, 5), 0) as decimal(38, 12)
            ) as rating_share
        from {{ ref("stg_reviews__reviews") }}
        where created_at < {{ as_of_end() }}
    ),

    review_days as (
        select
            'reviews' as channel,
            happened_on,
            count(rating_share) as reviews,
            sum(rating_share) as rating_sum,
            sum(
                case
                    when rating_share >= {{ threshold("review_positive_share") }}
                    then 1
                    else 0
                end
            ) as positive_reviews,
            sum(
                case
                    when rating_share <= {{ threshold("review_negative_share") }}
                    then 1
                    else 0
                end
            ) as negative_reviews
        from ratings
        group by happened_on
    ),

    member_events as (
        select *, {{ business_day("occurred_at") }} as happened_on
        from {{ ref("stg_loyalty__events") }}
        where occurred_at < {{ as_of_end() }}
    ),

    member_days as (
        select
            'loyalty' as channel,
            happened_on,
            sum(case when event_name = 'enrolled' then 1 else 0 end) as enrolments,
            sum(case when event_name = 'left' then 1 else 0 end) as exits,
            {%- for event_name in [
                "points_earned",
                "points_redeemed",
                "points_expired",
            ] %}
                sum(
                    case
                        when event_name = '{{ event_name }}'
                        then coalesce(points, 0)
                        else 0
                    end
                ) as {{ event_name }}{{ "," if not loop.last }}
            {%- endfor %}
        from member_events
        group by happened_on
    ),

    -- a stay that has not ended, or without a recorded end, has no length yet
    stay_days as (
        select
            'store' as channel,
            {{ business_day("entered_at") }} as happened_on,
            count(*) as stays,
            sum(
                {{ microseconds_between("entered_at", "left_at") }}
            ) as stay_microseconds
        from {{ ref("stg_stores__visits") }}
        where left_at >= entered_at and left_at < {{ as_of_end() }}
        group by {{ business_day("entered_at") }}
    ),

    channels as (select channel, sales_channel from {{ ref("channels") }}),

    renewed as (
        select *
        from {{ ref("int_orders__valued") }}
        where
            is_auto_renewal
            and not is_test
            and identity_key is not null
            and ordered_at < {{ as_of_end() }}
    ),

    -- booked on its day and taken back when it is cancelled, like an order
    renewals as (
        select
            sales_channel, ordered_on as happened_on, 1 as renewals, amount as revenue
        from renewed
        union all
        select
            sales_channel,
            {{ business_day("cancelled_at") }} as happened_on,
            -1 as renewals,
            - amount as revenue
        from renewed
        where cancelled_at is not null
    ),

    renewal_days as (
        select
            channels.channel,
            renewals.happened_on,
            sum(renewals.renewals) as renewals,
            sum(renewals.revenue) as renewal_revenue
        from renewals
        inner join channels on renewals.sales_channel = channels.sales_channel
        group by channels.channel, renewals.happened_on
    ),

    unioned as (
        {%- for part, told in parts.items() %}
            select
                channel,
                happened_on,
                {%- for measure in measures %}
                    cast(
                        {{ measure if measure in told else 0 }} as decimal(38, 12)
                    ) as {{ measure }}{{ "," if not loop.last }}
                {%- endfor %}
            from {{ part }} {{ "union all" if not loop.last }}
        {%- endfor %}
    ),

    final as (
        select
            channel,
            happened_on,
            {%- for measure in measures %}
                sum({{ measure }}) as {{ measure }}{{ "," if not loop.last }}
            {%- endfor %}
        from unioned
        group by channel, happened_on
    )

select *
from final
