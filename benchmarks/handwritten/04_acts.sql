-- Acts of customers and touches of the brand, each with its person. `known_until` cuts off what comes after the
-- snapshot date, also where it would only change what is known of something earlier.

create table order_values as
with
    order_campaigns as (
        select order_id, min(campaign_id) as order_campaign_id
        from coupon_redemptions
        where
            order_id is not null
            and campaign_id is not null
            and occurred_at < getvariable('known_until')
        group by order_id
    ),

    -- a code that belongs to several campaigns names none of them
    coupon_campaigns as (
        select coupon_code, min(campaign_id) as coupon_campaign_id
        from coupon_redemptions
        where
            coupon_code is not null
            and campaign_id is not null
            and occurred_at < getvariable('known_until')
        group by coupon_code
        having count(distinct campaign_id) = 1
    )

select
    orders.source_key as order_id,
    coalesce(
        'customer_ref:' || orders.customer_ref,
        'user_id:' || orders.user_id,
        'loyalty_id:' || orders.loyalty_id,
        'email:' || orders.email,
        'phone:' || orders.phone
    ) as key,
    channels.channel,
    orders.occurred_at,
    case
        when orders.cancelled_at < getvariable('known_until') then orders.cancelled_at
    end as cancelled_at,
    (orders.total_amount * exchange_rates.rate)::decimal(18, 4) as amount,
    coalesce(order_campaign_id, coupon_campaign_id) as campaign_id,
    orders.coupon_code is not null
    or orders.promotion_id is not null
    or order_campaign_id is not null as is_promotion_on_record,
    orders.is_auto_renewal,
    orders.is_test,
    orders.loaded_at
from orders
inner join channels on orders.sales_channel = channels.sales_channel
asof join
    exchange_rates
    on orders.currency = exchange_rates.currency
    and on_day(orders.occurred_at) >= exchange_rates.rate_on
left join order_campaigns on orders.source_key = order_campaigns.order_id
left join coupon_campaigns on orders.coupon_code = coupon_campaigns.coupon_code;

create table return_values as
select
    order_returns.source_key as return_id,
    order_returns.order_id,
    order_returns.occurred_at,
    (- coalesce(order_returns.amount, 0) * exchange_rates.rate)::decimal(18, 4) as amount,
    order_returns.loaded_at
from order_returns
asof join
    exchange_rates
    on order_returns.currency = exchange_rates.currency
    and on_day(order_returns.occurred_at) >= exchange_rates.rate_on;

-- A purchase counts once: of what bears its number the first by precedence of its source that names somebody, and
-- what bears no number is the order that the same person placed closest to it. The rest is evidence (the messaging
-- tools of these data tell of no purchases).
create table purchase_evidence as
with
    sources as (
        select source_table::source as source, precedence::bigint as precedence, sources_version
        from seed('purchase_sources')
    ),

    tracked as (
        select
            'web_events'::source as source,
            source_key,
            order_id,
            coalesce('user_id:' || user_id, 'email:' || email, 'anonymous_id:' || anonymous_id) as key,
            occurred_at,
            campaign_id,
            engaged_seconds,
            loaded_at
        from web_events
        where act_type = 'web_purchase' and not is_bot and occurred_at < getvariable('known_until')
    ),

    placed as (
        select
            'orders'::source as source,
            order_id as source_key,
            order_id,
            key,
            occurred_at,
            loaded_at,
            channel in ('web', 'app') and not is_auto_renewal and key is not null as is_online
        from order_values
        where occurred_at < getvariable('known_until')
    ),

    -- orders of which nobody else tells give way to nothing
    numbered as (
        select tracked.*, precedence
        from tracked
        inner join sources using (source)
        where order_id is not null
        union all by name
        select placed.* exclude (is_online), precedence
        from placed
        inner join sources using (source)
        where order_id in (select tracked.order_id from tracked)
    ),

    same_order as (
        select
            *,
            first_value(source) over best_first as counted_source,
            first_value(source_key) over best_first as counted_source_key,
            first_value(occurred_at) over best_first as counted_at,
            'same_order' as match_rule
        from numbered
        window
            best_first as (
                partition by order_id order by key is null, precedence, occurred_at, source_key
            )
        qualify
            row_number() over best_first > 1
            and first_value(key) over best_first is not null
    ),

    unnumbered as (
        select people.person, tracked.* exclude (order_id), precedence
        from tracked
        inner join sources using (source)
        inner join people on tracked.key = people.key
        where order_id is null
    ),

    same_customer as (
        select
            unnumbered.* exclude (person),
            placed.order_id,
            placed.source as counted_source,
            placed.order_id as counted_source_key,
            placed.occurred_at as counted_at,
            'same_customer' as match_rule
        from unnumbered
        inner join people on unnumbered.person = people.person
        inner join placed on people.key = placed.key
        where
            placed.is_online
            and abs(seconds(placed.occurred_at, unnumbered.occurred_at))
            <= 60 * threshold('purchase_match_minutes')
        qualify
            row_number() over (
                partition by unnumbered.source_key
                order by
                    abs(seconds(placed.occurred_at, unnumbered.occurred_at)),
                    placed.occurred_at,
                    placed.order_id
            )
            = 1
    ),

    evidence as (
        from same_order
        union all by name
        from same_customer
    )

select evidence.*, sources_version
from evidence
inner join sources using (source);

create table acts as
with
    ticket_keys as (
        select
            *,
            coalesce(
                'customer_ref:' || customer_ref,
                'user_id:' || user_id,
                'email:' || email,
                'handle:' || handle
            ) as key
        from support_tickets
    ),

    ticket_messages as (
        select
            *,
            coalesce(
                bool_or(author_role = 'agent' and is_public) over (
                    partition by ticket_id
                    order by occurred_at, source_key
                    rows between unbounded preceding and 1 preceding
                ),
                false
            ) as is_answer,
            row_number() over (
                partition by ticket_id, author_role order by occurred_at, source_key
            ) as author_message_no
        from support_messages
    ),

    all_acts as (
        select
            'web_events'::source as source,
            source_key,
            coalesce('user_id:' || user_id, 'email:' || email, 'anonymous_id:' || anonymous_id) as key,
            channel,
            act_type,
            false as is_system,
            occurred_at,
            false as is_date_only,
            is_explicit,
            campaign_id,
            false as is_promotion_on_record,
            engaged_seconds,
            null::double as sentiment,
            null::decimal(18, 4) as revenue,
            order_id,
            loaded_at
        from web_events
        where
            not is_bot
            and (
                act_type <> 'web_purchase'
                or source_key not in (
                    select evidence.source_key
                    from purchase_evidence as evidence
                    where evidence.source = 'web_events'
                )
            )
        union all by name
        select
            'message_events'::source as source,
            source_key,
            coalesce('customer_ref:' || customer_ref, 'email:' || email, 'phone:' || phone) as key,
            channel,
            act_type,
            false as is_system,
            occurred_at,
            is_date_only,
            true as is_explicit,
            campaign_id,
            false as is_promotion_on_record,
            loaded_at
        from message_events
        where route = 'interaction' and not is_machine
        union all by name
        select
            'coupon_redemptions'::source as source,
            source_key,
            coalesce(
                'customer_ref:' || customer_ref, 'loyalty_id:' || loyalty_id, 'email:' || email
            ) as key,
            'coupons'::channel as channel,
            'coupon_redemption'::act_type as act_type,
            false as is_system,
            occurred_at,
            is_date_only,
            campaign_id is not null as is_explicit,
            campaign_id,
            true as is_promotion_on_record,
            order_id,
            loaded_at
        from coupon_redemptions
        union all by name
        select
            'orders'::source as source,
            order_id as source_key,
            key,
            channel,
            (case when is_auto_renewal then 'order_renewal' else 'order' end)::act_type as act_type,
            is_auto_renewal as is_system,
            occurred_at,
            false as is_date_only,
            campaign_id is not null as is_explicit,
            campaign_id,
            is_promotion_on_record,
            if(cancelled_at is null, amount, 0) as revenue,
            order_id,
            loaded_at
        from order_values
        where not is_test
        union all by name
        select
            'order_returns'::source as source,
            return_values.return_id as source_key,
            order_values.key,
            order_values.channel,
            'order_return'::act_type as act_type,
            false as is_system,
            return_values.occurred_at,
            false as is_date_only,
            false as is_explicit,
            false as is_promotion_on_record,
            if(order_values.cancelled_at is null, return_values.amount, 0) as revenue,
            return_values.order_id,
            return_values.loaded_at
        from return_values
        inner join order_values on return_values.order_id = order_values.order_id
        where not order_values.is_test
        union all by name
        select
            'support_tickets'::source as source,
            source_key,
            key,
            'support'::channel as channel,
            if(created_by = 'system', 'ticket_by_system', 'ticket_opened')::act_type as act_type,
            created_by = 'system' as is_system,
            occurred_at,
            false as is_date_only,
            false as is_explicit,
            false as is_promotion_on_record,
            loaded_at
        from ticket_keys
        where created_by <> 'agent'
        union all by name
        select
            'support_messages'::source as source,
            ticket_messages.source_key,
            ticket_keys.key,
            'support'::channel as channel,
            'support_message'::act_type as act_type,
            false as is_system,
            ticket_messages.occurred_at,
            false as is_date_only,
            ticket_messages.is_answer as is_explicit,
            false as is_promotion_on_record,
            ticket_messages.loaded_at
        from ticket_messages
        inner join ticket_keys on ticket_messages.ticket_id = ticket_keys.source_key
        where
            ticket_messages.author_role = 'customer'
            -- the first words of a ticket are the ticket
            and not (
                ticket_keys.created_by = 'customer'
                and ticket_messages.author_message_no = 1
                and seconds(ticket_keys.occurred_at, ticket_messages.occurred_at)
                <= threshold('ticket_first_message_seconds')
            )
        union all by name
        select
            'social_events'::source as source,
            source_key,
            coalesce('customer_ref:' || customer_ref, 'handle:' || handle) as key,
            'social'::channel as channel,
            act_type,
            false as is_system,
            occurred_at,
            false as is_date_only,
            in_reply_to = 'brand' as is_explicit,
            false as is_promotion_on_record,
            sentiment,
            loaded_at
        from social_events
        where not is_brand_author
        union all by name
        select
            'reviews'::source as source,
            source_key,
            coalesce(
                'customer_ref:' || customer_ref,
                'user_id:' || user_id,
                'email:' || email,
                'handle:' || handle
            ) as key,
            'reviews'::channel as channel,
            act_type,
            false as is_system,
            occurred_at,
            false as is_date_only,
            is_invited as is_explicit,
            false as is_promotion_on_record,
            sentiment,
            loaded_at
        from reviews
        union all by name
        select
            'loyalty_events'::source as source,
            source_key,
            coalesce(
                'customer_ref:' || customer_ref, 'loyalty_id:' || loyalty_id, 'email:' || email
            ) as key,
            'loyalty'::channel as channel,
            act_type,
            is_system,
            occurred_at,
            false as is_date_only,
            false as is_explicit,
            false as is_promotion_on_record,
            loaded_at
        from loyalty_events
        union all by name
        select
            'survey_responses'::source as source,
            source_key,
            coalesce('customer_ref:' || customer_ref, 'email:' || email) as key,
            'surveys'::channel as channel,
            'survey_response'::act_type as act_type,
            false as is_system,
            occurred_at,
            false as is_date_only,
            is_invited as is_explicit,
            false as is_promotion_on_record,
            sentiment,
            loaded_at
        from survey_responses
        union all by name
        select
            'community_events'::source as source,
            source_key,
            coalesce(
                'customer_ref:' || customer_ref,
                'user_id:' || user_id,
                'email:' || email,
                'handle:' || handle
            ) as key,
            'community'::channel as channel,
            act_type,
            false as is_system,
            occurred_at,
            false as is_date_only,
            in_reply_to = 'brand' as is_explicit,
            false as is_promotion_on_record,
            loaded_at
        from community_events
        union all by name
        select
            'store_visits'::source as source,
            source_key,
            coalesce('customer_ref:' || customer_ref, 'loyalty_id:' || loyalty_id) as key,
            'store'::channel as channel,
            'store_visit'::act_type as act_type,
            false as is_system,
            occurred_at,
            false as is_date_only,
            false as is_explicit,
            false as is_promotion_on_record,
            case
                when left_at < getvariable('known_until') then seconds(occurred_at, left_at)
            end as engaged_seconds,
            loaded_at
        from store_visits
        union all by name
        select
            'referrals'::source as source,
            source_key,
            'customer_ref:' || referrer_ref as key,
            'referrals'::channel as channel,
            'referral'::act_type as act_type,
            false as is_system,
            occurred_at,
            false as is_date_only,
            false as is_explicit,
            false as is_promotion_on_record,
            loaded_at
        from referrals
    )

select people.person, all_acts.* exclude (key), on_day(all_acts.occurred_at) as occurred_on
from all_acts
inner join people on all_acts.key = people.key
where all_acts.occurred_at < getvariable('known_until');

drop table web_events;

-- touches, numbered by time: the later of two has the higher number
create table touches as
with
    messages as (
        select
            *,
            max(if(event_name = 'sent', occurred_at, null)) over so_far as sent_at,
            min(if(event_name = 'bounced', occurred_at, null)) over from_now as bounced_at
        from
            (
                select
                    *,
                    coalesce(
                        'customer_ref:' || customer_ref, 'email:' || email, 'phone:' || phone
                    ) as key
                from message_events
                where
                    event_name in ('sent', 'delivered', 'bounced')
                    and occurred_at < getvariable('known_until')
            )
        window
            so_far as (
                partition by channel, key, coalesce(campaign_id, '') order by occurred_at
            ),
            from_now as (
                partition by channel, key, coalesce(campaign_id, '') order by occurred_at
                range between current row and unbounded following
            )
    ),

    all_touches as (
        select
            'message_events'::source as source,
            source_key,
            key,
            channel,
            campaign_id,
            occurred_at as touched_at,
            is_date_only,
            loaded_at
        from messages
        where
            event_name <> 'bounced'
            -- a delivery is evidence of its sending, a sending that bounced reached nobody
            and not coalesce(
                event_name = 'delivered'
                and seconds(sent_at, occurred_at) <= 86400 * threshold('delivery_match_days'),
                false
            )
            and not coalesce(
                seconds(occurred_at, bounced_at) <= 86400 * threshold('bounce_match_days'), false
            )
        union all by name
        select
            'support_messages'::source as source,
            support_messages.source_key,
            coalesce(
                'customer_ref:' || customer_ref,
                'user_id:' || user_id,
                'email:' || email,
                'handle:' || handle
            ) as key,
            'agent_message'::channel as channel,
            support_messages.occurred_at as touched_at,
            false as is_date_only,
            support_messages.loaded_at
        from support_messages
        inner join support_tickets on support_messages.ticket_id = support_tickets.source_key
        where author_role = 'agent' and is_public
        union all by name
        select
            'social_events'::source as source,
            source_key,
            coalesce('customer_ref:' || customer_ref, 'handle:' || handle) as key,
            'social_reply'::channel as channel,
            occurred_at as touched_at,
            false as is_date_only,
            loaded_at
        from social_events
        where is_brand_author and (in_reply_to = 'customer' or event_name = 'message')
    )

select
    row_number() over (order by touched_at, source, source_key) as touch_no,
    people.person,
    all_touches.* exclude (key),
    touched_at + to_seconds(86400 * coalesce(windows.window_days::double, 0)) as window_ends_at
from all_touches
inner join people on all_touches.key = people.key
left join seed('prompt_windows') as windows on all_touches.channel::varchar = windows.touch_channel
where touched_at < getvariable('known_until');
