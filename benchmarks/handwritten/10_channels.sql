-- What happens on channels day by day, and what surveys say. Every source of counts adds up its own days; they meet
-- in one table, a row per channel and day.

-- Of products put in, the last one before an order or a pause is the cart.
create table cart_days as
with
    followed as (
        select
            channel,
            act_type,
            occurred_at,
            occurred_on,
            lead(act_type) over by_time as next_type,
            occurred_at + to_seconds(3600 * threshold('cart_abandonment_hours')) as waits_until,
            -- after the wait an order comes too late, and a product belongs to another cart
            lead(occurred_at) over by_time <= waits_until as is_followed
        from marked_acts
        where act_type in ('add_to_cart', 'order')
        window by_time as (partition by person order by occurred_at, act_type, source_key)
    )
select
    channel,
    occurred_on as day,
    count(*) as carts,
    count_if(not coalesce(is_followed, false)) as abandoned_carts
from followed
where
    act_type = 'add_to_cart'
    and if(
        coalesce(is_followed, false), next_type = 'order', waits_until < getvariable('known_until')
    )
group by all;

create table subscription_days as
with
    leaves as (
        select person, channel, occurred_at as happened_at, false as is_message
        from marked_acts
        where
            act_type in ('unsubscribe', 'spam_complaint')
            and channel in (select channel from channels where is_subscribed)
    ),

    messages as (
        select person, channel, touched_at as happened_at
        from touches
        where
            channel in (select channel from channels where is_subscribed)
            and coalesce(
                campaign_id not in (select campaign_id from campaigns where purpose = 'transactional'), true
            )
    ),

    -- of whoever never left the first message tells all
    stayed as (
        select channel, on_day(min(happened_at)) as day
        from messages
        anti join leaves using (person, channel)
        group by person, channel
    ),

    -- the message comes before the unsubscription from it
    signs as (
        select
            *,
            max(if(is_message, null, happened_at)) over (
                partition by person, channel
                order by happened_at, not is_message
                rows between unbounded preceding and 1 preceding
            ) as left_at
        from
            (
                from leaves
                union all by name
                select *, true as is_message
                from messages
                semi join leaves using (person, channel)
            )
    ),

    changes as (
        select
            channel,
            happened_at,
            is_message,
            coalesce(
                lag(is_message) over (partition by person, channel order by happened_at, not is_message), false
            ) as was_subscribed
        from signs
        where
            not is_message
            or left_at is null
            or seconds(left_at, happened_at) >= 86400 * threshold('resubscription_days')
    )
select channel, day, count(*) as new_subscribers, 0 as lost_subscribers
from stayed
group by all
union all
select channel, on_day(happened_at), count_if(is_message), count_if(not is_message)
from changes
where is_message <> was_subscribed
group by all;

-- Spans in which the house is open, and how long it had been open before each.
create table open_spans as
with
    spans as (
        select
            timezone('UTC', timezone(getvariable('zone'), day + opens_at::time)) as opens_at,
            timezone('UTC', timezone(getvariable('zone'), day + closes_at::time)) as closes_at
        from
            (
                select
                    unnest(
                        generate_series(
                            (select min(occurred_at)::date - 1 from support_tickets)::timestamp,
                            getvariable('as_of')::timestamp,
                            interval 1 day
                        )
                    )::date as day
            )
        inner join seed('business_hours') on isodow(day) = iso_day_of_week::integer
        where day not in (select closed_on::date from seed('business_closures'))
    )
select
    opens_at,
    date_diff('microsecond', opens_at, closes_at) as length,
    sum(length) over (order by opens_at) - length as open_before
from spans;

create macro open_time(instant, opens_at, length, open_before) as
    coalesce(open_before + least(date_diff('microsecond', opens_at, instant), length), 0);

-- How long customers waited, by the clock and in the hours of the house; on the day on which the wait ended.
create table waits as
with
    answers_by_agents as (
        select ticket_id, min(occurred_at) as answered_at
        from support_messages
        where author_role = 'agent' and is_public and occurred_at < getvariable('known_until')
        group by ticket_id
    ),

    tickets as (
        select
            occurred_at as opened_at,
            if(answered_at is not null, greatest(occurred_at, answered_at), null) as answered_at,
            if(solved_at < getvariable('known_until'), greatest(occurred_at, solved_at), null) as solved_at
        from support_tickets
        left join answers_by_agents on source_key = ticket_id
        where created_by = 'customer' and occurred_at < getvariable('known_until')
    ),

    ends as (
        select opened_at, answered_at as ended_at, true as is_answer
        from tickets
        where answered_at is not null
        union all
        select opened_at, solved_at, false
        from tickets
        where solved_at is not null
    )
select
    on_day(ended_at) as day,
    is_answer,
    date_diff('microsecond', opened_at, ended_at) as waited,
    open_time(ends.ended_at, ended_in.opens_at, ended_in.length, ended_in.open_before)
    - open_time(ends.opened_at, opened_in.opens_at, opened_in.length, opened_in.open_before) as waited_in_hours
from ends
asof left join open_spans as opened_in on ends.opened_at >= opened_in.opens_at
asof left join open_spans as ended_in on ends.ended_at >= ended_in.opens_at;

create table channel_counts as
with
    act_days as (
        select
            channel,
            active_on as day,
            sum(interactions) as interactions,
            sum(interactions) filter (prompt_rule = 'no_prompt') as unprompted_interactions,
            sum(interactions) filter (prompt_rule in ('explicit', 'window')) as prompted_interactions,
            sum(promotion_interactions) as promotion_interactions,
            sum(weighted_interactions) as weighted_interactions,
            sum(engaged_seconds) as engaged_seconds,
            sum(visits) as visits,
            sum(interactions) filter (channel = 'social' and weighted_interactions > 0)
            as social_interactions,
            sum(interactions) filter (act_type = 'message_open') as opens,
            sum(interactions) filter (act_type = 'message_click') as clicks,
            sum(interactions) filter (act_type = 'message_reply') as replies,
            sum(interactions) filter (act_type = 'unsubscribe') as unsubscribes,
            sum(interactions) filter (act_type = 'spam_complaint') as spam_complaints,
            sum(interactions) filter (act_type = 'order') as placed_orders,
            sum(interactions) filter (act_type = 'order_return') as returns,
            - sum(revenue) filter (act_type = 'order_return') as returned_revenue,
            sum(orders) as orders,
            sum(revenue) as revenue
        from days
        group by all
    ),

    first_visits as (
        select channel, day, count(*) as first_visits
        from
            (
                select channel, min(active_on) as day
                from days
                where visits > 0
                group by person, channel
            )
        group by all
    ),

    visit_days as (
        select
            channel::channel as channel,
            started_on as day,
            count(*) as tracked_visits,
            count_if(is_bounce) as bounces,
            sum(page_views) as page_views,
            sum(engaged_seconds) as visit_seconds,
            count_if(has_order) as converted_visits
        from engagement.marts.fct_visits
        where is_bounce is not null
        group by all
    ),

    touch_days as (
        select
            channel::channel as channel,
            touched_on as day,
            count(*) as touches,
            count(answered_at) as answered_touches,
            sum(response_seconds) as response_seconds
        from engagement.marts.fct_touches
        group by all
    ),

    message_days as (
        select
            channel,
            on_day(occurred_at) as day,
            count_if(event_name = 'sent') as sends,
            count_if(event_name = 'delivered') as deliveries,
            count_if(event_name = 'bounced') as failed_sends,
            count_if(event_name = 'opened' and is_machine) as machine_opens
        from message_events
        where occurred_at < getvariable('known_until')
        group by all
    ),

    post_days as (
        select 'social'::channel as channel, on_day(occurred_at) as day, count(*) as brand_posts
        from social_events
        where is_brand_author and event_name = 'post' and occurred_at < getvariable('known_until')
        group by all
    ),

    -- an account keeps its followers until they are counted again
    follower_days as (
        select 'social'::channel as channel, observed_on as day, sum(gained) as followers_gained
        from
            (
                select
                    observed_on,
                    followers - lag(followers, 1, 0) over (
                        partition by network, account_id order by observed_on
                    ) as gained
                from social_account_days
                where observed_on <= getvariable('as_of')
            )
        group by all
    ),

    ticket_days as (
        select
            'support'::channel as channel,
            on_day(occurred_at) as day,
            count(*) as tickets,
            count_if(is_complaint) as complaints
        from support_tickets
        where created_by = 'customer' and occurred_at < getvariable('known_until')
        group by all
    ),

    wait_days as (
        select
            'support'::channel as channel,
            day,
            count_if(is_answer) as first_responses,
            sum(waited) filter (is_answer) as first_response_us,
            sum(waited_in_hours) filter (is_answer) as first_response_business_us,
            count_if(not is_answer) as resolutions,
            sum(waited) filter (not is_answer) as resolution_us,
            sum(waited_in_hours) filter (not is_answer) as resolution_business_us
        from waits
        group by all
    ),

    review_days as (
        select
            'reviews'::channel as channel,
            on_day(occurred_at) as day,
            count(rating_share) as reviews,
            sum(rating_share) as rating_sum,
            count_if(rating_share >= threshold('review_positive_share')) as positive_reviews,
            count_if(rating_share <= threshold('review_negative_share')) as negative_reviews
        from reviews
        where occurred_at < getvariable('known_until')
        group by all
    ),

    member_days as (
        select
            'loyalty'::channel as channel,
            on_day(occurred_at) as day,
            count_if(event_name = 'enrolled') as enrolments,
            count_if(event_name = 'left') as exits,
            sum(points) filter (event_name = 'points_earned') as points_earned,
            sum(points) filter (event_name = 'points_redeemed') as points_redeemed,
            sum(points) filter (event_name = 'points_expired') as points_expired
        from loyalty_events
        where occurred_at < getvariable('known_until')
        group by all
    ),

    stay_days as (
        select
            'store'::channel as channel,
            on_day(occurred_at) as day,
            count(*) as stays,
            sum(date_diff('microsecond', occurred_at, left_at)) as stay_us
        from store_visits
        where left_at >= occurred_at and left_at < getvariable('known_until')
        group by all
    ),

    renewals as (
        select channel, occurred_at, cancelled_at, amount
        from order_values
        where
            is_auto_renewal
            and not is_test
            and key is not null
            and occurred_at < getvariable('known_until')
    ),

    renewal_days as (
        select channel, on_day(occurred_at) as day, count(*) as renewals, sum(amount) as renewal_revenue
        from renewals
        group by all
        union all
        select channel, on_day(cancelled_at), - count(*), - sum(amount)
        from renewals
        where cancelled_at is not null
        group by all
    )
from act_days
union all by name
from first_visits
union all by name
from visit_days
union all by name
from cart_days
union all by name
from touch_days
union all by name
from subscription_days
union all by name
from message_days
union all by name
from post_days
union all by name
from follower_days
union all by name
from ticket_days
union all by name
from wait_days
union all by name
from review_days
union all by name
from member_days
union all by name
from stay_days
union all by name
from renewal_days;

create macro rate(part, whole) as part / nullif(whole, 0)::double;

create table engagement.marts.fct_channel_days as
with
    added as (
        select channel, day, sum(columns(* exclude (channel, day))) from channel_counts group by channel, day
    ),

    spine as (
        select
            channel,
            unnest(
                generate_series(min(day)::timestamp, getvariable('as_of')::timestamp, interval 1 day)
            )::date as day
        from added
        group by channel
    ),

    -- what is counted, and what stands at the end of the day; followers are null before the first count
    counted as (
        select
            channel,
            day,
            coalesce(columns(added.* exclude (channel, day)), 0),
            sum(followers_gained) over by_day as followers,
            if(
                is_subscribed, coalesce(sum(new_subscribers - lost_subscribers) over by_day, 0), null
            ) as subscribers,
            if(channel = 'loyalty', coalesce(sum(enrolments - exits) over by_day, 0), null) as members
        from spine
        left join added using (channel, day)
        inner join channels using (channel)
        window by_day as (partition by channel order by day)
    )
select
    channel::varchar as channel,
    day,
    interactions::bigint as interactions,
    unprompted_interactions::bigint as unprompted_interactions,
    prompted_interactions::bigint as prompted_interactions,
    rate(unprompted_interactions, unprompted_interactions + prompted_interactions) as proactive_share,
    promotion_interactions::bigint as promotion_interactions,
    rate(promotion_interactions, interactions) as promotion_share,
    weighted_interactions::double as weighted_interactions,
    engaged_seconds::double as engaged_seconds,
    visits::bigint as visits,
    (visits - first_visits)::bigint as repeat_visits,
    rate(visits - first_visits, visits) as repeat_visit_rate,
    tracked_visits::bigint as tracked_visits,
    bounces::bigint as bounces,
    rate(bounces, tracked_visits) as bounce_rate,
    page_views::bigint as page_views,
    rate(page_views, tracked_visits) as pages_per_visit,
    visit_seconds::double as visit_seconds,
    rate(visit_seconds, tracked_visits) as seconds_per_visit,
    converted_visits::bigint as converted_visits,
    rate(converted_visits, tracked_visits) as conversion_rate,
    carts::bigint as carts,
    abandoned_carts::bigint as abandoned_carts,
    rate(abandoned_carts, carts) as cart_abandonment_rate,
    stays::bigint as stays,
    stay_us / 1e6 as stay_seconds,
    rate(stay_us / 1e6, stays) as seconds_per_stay,
    touches::bigint as touches,
    answered_touches::bigint as answered_touches,
    rate(answered_touches, touches) as response_rate,
    response_seconds::double as response_seconds,
    rate(response_seconds, answered_touches) as seconds_per_response,
    sends::bigint as sends,
    deliveries::bigint as deliveries,
    failed_sends::bigint as failed_sends,
    rate(failed_sends, sends) as failure_rate,
    opens::bigint as opens,
    rate(opens, touches) as open_rate,
    machine_opens::bigint as machine_opens,
    clicks::bigint as clicks,
    rate(clicks, touches) as click_rate,
    replies::bigint as replies,
    unsubscribes::bigint as unsubscribes,
    rate(unsubscribes, touches) as unsubscribe_rate,
    spam_complaints::bigint as spam_complaints,
    new_subscribers::bigint as new_subscribers,
    lost_subscribers::bigint as lost_subscribers,
    subscribers::bigint as subscribers,
    rate(touches, subscribers) as touches_per_subscriber,
    social_interactions::bigint as social_interactions,
    brand_posts::bigint as brand_posts,
    followers::bigint as followers,
    (if(followers is null, 0, social_interactions))::bigint as followed_interactions,
    rate(100 * social_interactions, followers) as engagement_rate,
    tickets::bigint as tickets,
    complaints::bigint as complaints,
    rate(complaints, tickets) as complaint_share,
    first_responses::bigint as first_responses,
    first_response_us / 1e6 as first_response_seconds,
    rate(first_response_us / 1e6, first_responses) as mean_first_response_seconds,
    first_response_business_us / 1e6 as first_response_business_seconds,
    rate(first_response_business_us / 1e6, first_responses) as mean_first_response_business_seconds,
    resolutions::bigint as resolutions,
    resolution_us / 1e6 as resolution_seconds,
    rate(resolution_us / 1e6, resolutions) as mean_resolution_seconds,
    resolution_business_us / 1e6 as resolution_business_seconds,
    rate(resolution_business_us / 1e6, resolutions) as mean_resolution_business_seconds,
    reviews::bigint as reviews,
    rating_sum::double as rating_sum,
    rate(rating_sum, reviews) as mean_rating,
    positive_reviews::bigint as positive_reviews,
    negative_reviews::bigint as negative_reviews,
    rate(positive_reviews, negative_reviews) as positive_per_negative_review,
    enrolments::bigint as enrolments,
    exits::bigint as exits,
    members::bigint as members,
    points_earned::bigint as points_earned,
    points_redeemed::bigint as points_redeemed,
    points_expired::bigint as points_expired,
    rate(points_redeemed, points_earned) as redemption_rate,
    placed_orders::bigint as placed_orders,
    (placed_orders - orders)::bigint as cancelled_orders,
    orders::bigint as orders,
    returns::bigint as returns,
    returned_revenue::decimal(18, 4) as returned_revenue,
    revenue::decimal(18, 4) as revenue,
    rate(revenue, orders) as revenue_per_order,
    renewals::bigint as renewals,
    renewal_revenue::decimal(18, 4) as renewal_revenue,
    (select max(thresholds_version) from seed('thresholds')) as thresholds_version,
    (select max(taxonomy_version) from seed('interaction_types')) as taxonomy_version,
    (select max(business_hours_version) from seed('business_hours')) as business_hours_version
from counted;

-- A response belongs to the last touch of a survey campaign before the customer was asked.
create table invitations as
select touch_no, person, touches.channel, campaign_id, touched_at
from touches
inner join campaigns using (campaign_id)
where purpose = 'survey';

create table judged_answers as
with
    -- of touches at the same instant the first
    asked as (
        select person, touched_at, min(touch_no) as touch_no from invitations group by all
    )
select
    answers.*,
    case
        when seconds(asked.touched_at, responded_at) <= 86400 * threshold('survey_response_days')
        then touch_no
    end as touch_no
from answers
asof left join
    asked
    on answers.person = asked.person
    and coalesce(asked_at, responded_at) >= asked.touched_at;

create table engagement.marts.fct_survey_scores as
with
    -- an invitation names no survey: it is the one to which all answers to its campaign belong
    campaign_surveys as (
        select campaign_id, any_value(survey) as survey
        from
            (
                select
                    campaign_id,
                    {
                        'survey_id': survey_id,
                        'metric': metric,
                        'scale_min': scale_min,
                        'scale_max': scale_max,
                        'higher_is_better': higher_is_better
                    } as survey
                from judged_answers
                inner join invitations using (touch_no)
            )
        group by campaign_id
        having count(distinct survey) = 1
    ),

    told as (
        select
            judged_answers.*,
            coalesce(invitations.channel::varchar, 'surveys') as channel,
            window_unit,
            date_trunc(window_unit, responded_on)::date as window_start_on,
            -- who gave no name answers for himself
            is_on_scale
            and row_number() over (
                partition by
                    survey_id,
                    metric,
                    is_on_scale,
                    window_unit,
                    window_start_on,
                    judged_answers.person,
                    if(judged_answers.person is null, source_key, null)
                order by responded_at desc, source_key desc
            ) = 1 as is_latest
        from judged_answers
        left join invitations using (touch_no)
        cross join (select unnest(['month', 'quarter', 'year']) as window_unit)
    ),

    asked as (
        select
            coalesce(survey.survey_id, 'any') as survey_id,
            coalesce(survey.metric, 'any') as metric,
            survey.scale_min as scale_min,
            survey.scale_max as scale_max,
            survey.higher_is_better as higher_is_better,
            channel::varchar as channel,
            person,
            touch_no in (
                select answered.touch_no
                from judged_answers as answered
                where answered.touch_no is not null
            ) as is_answered,
            window_unit,
            date_trunc(window_unit, on_day(touched_at))::date as window_start_on
        from invitations
        left join campaign_surveys using (campaign_id)
        cross join (select unnest(['month', 'quarter', 'year']) as window_unit)
    ),

    counted as (
        select
            survey_id,
            metric,
            scale_min,
            scale_max,
            higher_is_better,
            window_unit,
            window_start_on,
            channel,
            coalesce(tier, 'unknown') as tier,
            count(score) as responses,
            count(*) filter (not is_on_scale) as off_scale_responses,
            count(*) filter (is_latest) as respondents,
            count(*) filter (is_latest and score >= threshold('nps_promoter_score')) as promoters,
            count(*) filter (is_latest and score <= threshold('nps_detractor_score')) as detractors,
            count(*) filter (
                is_latest and if(higher_is_better, score >= scale_max - 1, score <= scale_min + 1)
            ) as satisfied,
            coalesce(sum(score) filter (is_latest), 0) as score_sum,
            count(is_answered) as invitations,
            count(*) filter (is_answered) as answered_invitations,
            has_nps(metric, scale_min, scale_max) as is_nps
        from (from told union all by name from asked)
        left join person_tiers using (person)
        group by all
    )
select
    survey_id,
    metric,
    coalesce(
        scale_min
        || ' to '
        || scale_max
        || if(higher_is_better, ', higher is better', ', lower is better'),
        'none'
    ) as scale,
    scale_min,
    scale_max,
    higher_is_better,
    window_unit,
    window_start_on,
    (window_start_on + to_months(map {'month': 1, 'quarter': 3, 'year': 12}[window_unit]))::date - 1 as window_end_on,
    channel,
    tier,
    responses,
    off_scale_responses,
    respondents,
    if(is_nps, promoters, null) as promoters,
    if(is_nps, respondents - promoters - detractors, null) as passives,
    if(is_nps, detractors, null) as detractors,
    if(is_nps, rate(100 * (promoters - detractors), respondents), null) as nps,
    if(
        is_nps,
        100
        * sqrt(
            rate(promoters + detractors, respondents)
            - rate(promoters - detractors, respondents) ** 2
        )
        / sqrt(nullif(respondents, 0)),
        null
    ) as nps_standard_error,
    if(metric = 'csat', satisfied, null) as satisfied,
    if(metric = 'csat', rate(satisfied, respondents), null) as csat,
    score_sum,
    rate(score_sum, respondents) as mean_score,
    if(metric = 'ces', rate(score_sum, respondents), null) as ces,
    invitations,
    answered_invitations,
    rate(answered_invitations, invitations) as response_rate,
    (select max(scales_version) from seed('survey_scales')) as scales_version,
    (select max(thresholds_version) from seed('thresholds')) as thresholds_version,
    (select max(tiers_version) from seed('engagement_tiers')) as tiers_version
from counted;
