-- The raw tables: what breaks a rule is left out, of several versions of a key the latest stays, identifiers are
-- normalised. Only columns that some mart needs are read.

-- web and app: by far the largest, so versions are told apart afterwards, among the few keys that repeat
create table web_events as
select
    given(raw.event_id) as source_key,
    (case when raw.platform = 'app' then 'app' else 'web' end)::channel as channel,
    allowed('user_id', given(raw.user_id)) as user_id,
    allowed('email', lower(given(raw.email))) as email,
    allowed('anonymous_id', given(raw.anonymous_id)) as anonymous_id,
    types.act_type,
    utc(raw.occurred_at) as occurred_at,
    given(raw.campaign_id) as campaign_id,
    coalesce(given(raw.campaign_id), given(raw.click_id), given(raw.utm_campaign)) is not null as is_explicit,
    raw.engaged_seconds,
    given(raw.order_id) as order_id,
    coalesce(regexp_matches(lower(raw.user_agent), getvariable('bot_patterns')), false) as is_bot,
    utc(raw.loaded_at) as loaded_at,
    coalesce(raw.is_deleted, false) as is_deleted
from parquet_rows('web_events') as raw
inner join types on types.source = 'web_events' and given(raw.event_name) = types.event_name
where
    given(raw.event_id) is not null
    and coalesce(given(raw.platform) in ('web', 'app'), true)
    and coalesce(isfinite(raw.engaged_seconds) and raw.engaged_seconds >= 0, true)
    and plausible(utc(raw.occurred_at), utc(raw.loaded_at));

delete from web_events
where rowid in (
    select rowid
    from web_events
    where hash(source_key) in (
        select hash(source_key) from web_events group by all having count(*) > 1
    )
    qualify row_number() over (partition by source_key order by loaded_at desc, is_deleted desc) > 1
    union all
    select rowid from web_events where is_deleted
);

create table message_events as
select
    given(raw.event_id) as source_key,
    try_cast(given(raw.message_channel) as channel) as channel,
    allowed('customer_ref', given(raw.customer_ref)) as customer_ref,
    allowed('email', lower(given(raw.email))) as email,
    allowed('phone', digits(raw.phone)) as phone,
    types.event_name,
    types.act_type,
    types.route,
    given(raw.campaign_id) as campaign_id,
    coalesce(raw.is_machine, false) as is_machine,
    coalesce(raw.is_date_only, false) as is_date_only,
    case
        when raw.is_date_only then day_start(raw.occurred_at::date) else raw.occurred_at
    end as occurred_at,
    raw.loaded_at,
    coalesce(raw.is_deleted, false) as is_deleted
from parquet_rows('message_events') as raw
inner join types on types.source = 'message_events' and given(raw.event_name) = types.event_name
where
    given(raw.event_id) is not null
    and given(raw.message_channel) in ('email', 'sms', 'push', 'direct_mail', 'ad')
    and plausible(
        case when raw.is_date_only then day_start(raw.occurred_at::date) else raw.occurred_at end,
        raw.loaded_at
    );

delete from message_events
where rowid in (
    select rowid
    from message_events
    where hash(source_key) in (
        select hash(source_key) from message_events group by all having count(*) > 1
    )
    qualify row_number() over (partition by source_key order by loaded_at desc, is_deleted desc) > 1
    union all
    select rowid from message_events where is_deleted
);

create table exchange_rates as
select given(raw.currency) as currency, raw.rate_on, raw.rate
from parquet_rows('exchange_rates') as raw
where
    raw.rate_on is not null
    and given(raw.currency) is not null
    and isfinite(raw.rate)
    and raw.rate >= 0
    and raw.loaded_at is not null
qualify
    row_number() over (
        partition by raw.rate_on, given(raw.currency) order by raw.loaded_at desc, raw.is_deleted desc
    ) = 1
    and not coalesce(raw.is_deleted, false);

-- one reporting currency, at any time
insert into exchange_rates
select getvariable('currency'), date '0001-01-01', 1;

create table coupon_redemptions as
select
    given(raw.redemption_id) as source_key,
    allowed('customer_ref', given(raw.customer_ref)) as customer_ref,
    allowed('email', lower(given(raw.email))) as email,
    allowed('loyalty_id', given(raw.loyalty_id)) as loyalty_id,
    given(raw.coupon_code) as coupon_code,
    given(raw.campaign_id) as campaign_id,
    given(raw.order_id) as order_id,
    coalesce(raw.is_date_only, false) as is_date_only,
    case
        when raw.is_date_only then day_start(raw.redeemed_at::date) else raw.redeemed_at
    end as occurred_at,
    raw.loaded_at
from parquet_rows('coupon_redemptions') as raw
where given(raw.redemption_id) is not null and plausible(occurred_at, raw.loaded_at)
qualify
    row_number() over (partition by source_key order by raw.loaded_at desc, raw.is_deleted desc) = 1
    and not coalesce(raw.is_deleted, false);

create table orders as
select
    given(raw.order_id) as source_key,
    allowed('customer_ref', given(raw.customer_ref)) as customer_ref,
    allowed('user_id', given(raw.user_id)) as user_id,
    allowed('email', lower(given(raw.email))) as email,
    allowed('phone', digits(raw.phone)) as phone,
    allowed('loyalty_id', given(raw.loyalty_id)) as loyalty_id,
    given(raw.sales_channel) as sales_channel,
    utc(raw.ordered_at) as occurred_at,
    case
        when raw.cancelled_at is not null then greatest(utc(raw.cancelled_at), utc(raw.ordered_at))
        when lower(given(raw.status)) in ('cancelled', 'canceled', 'voided') then utc(raw.ordered_at)
    end as cancelled_at,
    try_cast(raw.total_amount as decimal(18, 4)) as total_amount,
    coalesce(given(raw.currency), getvariable('currency')) as currency,
    given(raw.coupon_code) as coupon_code,
    given(raw.promotion_id) as promotion_id,
    coalesce(raw.is_auto_renewal, false) as is_auto_renewal,
    coalesce(raw.is_test, false) as is_test,
    utc(raw.loaded_at) as loaded_at
from parquet_rows('orders') as raw
left join
    (select currency as rate_currency, min(rate_on) as first_rate_on from exchange_rates group by all)
    on coalesce(given(raw.currency), getvariable('currency')) = rate_currency
where
    given(raw.order_id) is not null
    and given(raw.sales_channel) in ('online', 'in_store', 'app', 'phone')
    and try_cast(raw.total_amount as decimal(18, 4)) >= 0
    and coalesce(
        try_cast(raw.discount_amount as decimal(18, 4)) >= 0,
        raw.discount_amount is null or isnan(raw.discount_amount)
    )
    and first_rate_on <= on_day(utc(raw.ordered_at))
    and plausible(utc(raw.ordered_at), utc(raw.loaded_at))
qualify
    row_number() over (partition by source_key order by raw.loaded_at desc, raw.is_deleted desc) = 1
    and not coalesce(raw.is_deleted, false);

create table order_returns as
select
    given(raw.return_id) as source_key,
    given(raw.order_id) as order_id,
    utc(raw.returned_at) as occurred_at,
    try_cast(raw.amount as decimal(18, 4)) as amount,
    coalesce(given(raw.currency), getvariable('currency')) as currency,
    utc(raw.loaded_at) as loaded_at
from parquet_rows('order_returns') as raw
left join
    (select currency as rate_currency, min(rate_on) as first_rate_on from exchange_rates group by all)
    on coalesce(given(raw.currency), getvariable('currency')) = rate_currency
where
    given(raw.return_id) is not null
    and given(raw.order_id) is not null
    and coalesce(
        try_cast(raw.amount as decimal(18, 4)) >= 0, raw.amount is null or isnan(raw.amount)
    )
    and first_rate_on <= on_day(utc(raw.returned_at))
    and plausible(utc(raw.returned_at), utc(raw.loaded_at))
qualify
    row_number() over (partition by source_key order by raw.loaded_at desc, raw.is_deleted desc) = 1
    and not coalesce(raw.is_deleted, false);

create table support_tickets as
select
    given(raw.ticket_id) as source_key,
    allowed('customer_ref', given(raw.customer_ref)) as customer_ref,
    allowed('user_id', given(raw.user_id)) as user_id,
    allowed('email', lower(given(raw.email))) as email,
    allowed('handle', replace(lower(given(raw.handle)), '/@', '/')) as handle,
    coalesce(given(raw.ticket_type) = 'complaint', false) as is_complaint,
    coalesce(given(raw.created_by), 'customer') as created_by,
    utc(raw.created_at) as occurred_at,
    utc(raw.solved_at) as solved_at,
    utc(raw.loaded_at) as loaded_at
from parquet_rows('support_tickets') as raw
where
    given(raw.ticket_id) is not null
    and coalesce(given(raw.via) in ('email', 'chat', 'phone', 'web', 'social'), true)
    and coalesce(given(raw.ticket_type) in ('question', 'problem', 'complaint', 'request'), true)
    and coalesce(given(raw.created_by) in ('customer', 'agent', 'system'), true)
    and plausible(utc(raw.created_at), utc(raw.loaded_at))
qualify
    row_number() over (partition by source_key order by raw.loaded_at desc, raw.is_deleted desc) = 1
    and not coalesce(raw.is_deleted, false);

create table support_messages as
select
    given(raw.message_id) as source_key,
    given(raw.ticket_id) as ticket_id,
    given(raw.author_role) as author_role,
    coalesce(raw.is_public, true) as is_public,
    utc(raw.sent_at) as occurred_at,
    utc(raw.loaded_at) as loaded_at
from parquet_rows('support_messages') as raw
where
    given(raw.message_id) is not null
    and given(raw.ticket_id) is not null
    and given(raw.author_role) in ('customer', 'agent', 'system')
    and plausible(utc(raw.sent_at), utc(raw.loaded_at))
qualify
    row_number() over (partition by source_key order by raw.loaded_at desc, raw.is_deleted desc) = 1
    and not coalesce(raw.is_deleted, false);

create table social_events as
select
    given(raw.event_id) as source_key,
    allowed('customer_ref', given(raw.customer_ref)) as customer_ref,
    allowed(
        'handle', lower(given(raw.network)) || '/' || nullif(ltrim(lower(given(raw.handle)), '@'), '')
    ) as handle,
    types.event_name,
    types.act_type,
    coalesce(given(raw.in_reply_to), 'none') as in_reply_to,
    coalesce(raw.is_brand_author, false) as is_brand_author,
    raw.sentiment,
    utc(raw.occurred_at) as occurred_at,
    utc(raw.loaded_at) as loaded_at
from parquet_rows('social_events') as raw
inner join types on types.source = 'social_events' and given(raw.event_name) = types.event_name
where
    given(raw.event_id) is not null
    and given(raw.network) is not null
    and coalesce(given(raw.in_reply_to) in ('none', 'brand', 'customer'), true)
    and coalesce(raw.sentiment between -1 and 1, true)
    and plausible(utc(raw.occurred_at), utc(raw.loaded_at))
qualify
    row_number() over (partition by source_key order by raw.loaded_at desc, raw.is_deleted desc) = 1
    and not coalesce(raw.is_deleted, false);

create table social_account_days as
select
    given(raw.network) as network,
    given(raw.account_id) as account_id,
    raw.observed_on,
    raw.followers
from parquet_rows('social_account_days') as raw
where
    given(raw.network) is not null
    and given(raw.account_id) is not null
    and raw.followers >= 0
    and plausible(raw.observed_on::timestamp, utc(raw.loaded_at))
qualify
    row_number() over (
        partition by given(raw.network), given(raw.account_id), raw.observed_on
        order by raw.loaded_at desc, raw.is_deleted desc
    ) = 1
    and not coalesce(raw.is_deleted, false);

create table reviews as
select
    given(raw.review_id) as source_key,
    allowed('customer_ref', given(raw.customer_ref)) as customer_ref,
    allowed('user_id', given(raw.user_id)) as user_id,
    allowed('email', lower(given(raw.email))) as email,
    allowed(
        'handle',
        lower(coalesce(given(raw.site), 'reviews'))
        || '/'
        || nullif(ltrim(lower(given(raw.handle)), '@'), '')
    ) as handle,
    (case when raw.has_text then 'review_text' else 'review_rating' end)::act_type as act_type,
    coalesce(raw.is_invited, false) as is_invited,
    raw.rating / nullif(coalesce(raw.rating_max, 5), 0) as rating_share,
    raw.sentiment,
    utc(raw.created_at) as occurred_at,
    utc(raw.loaded_at) as loaded_at
from parquet_rows('reviews') as raw
where
    given(raw.review_id) is not null
    and isfinite(raw.rating)
    and raw.rating >= 0
    and coalesce(isfinite(raw.rating_max) and raw.rating_max >= 0, true)
    and coalesce(raw.sentiment between -1 and 1, true)
    and plausible(utc(raw.created_at), utc(raw.loaded_at))
qualify
    row_number() over (partition by source_key order by raw.loaded_at desc, raw.is_deleted desc) = 1
    and not coalesce(raw.is_deleted, false);

create table loyalty_events as
select
    given(raw.event_id) as source_key,
    allowed('loyalty_id', given(raw.loyalty_id)) as loyalty_id,
    allowed('customer_ref', given(raw.customer_ref)) as customer_ref,
    allowed('email', lower(given(raw.email))) as email,
    types.event_name,
    types.act_type,
    types.is_system,
    raw.points,
    utc(raw.occurred_at) as occurred_at,
    utc(raw.loaded_at) as loaded_at
from parquet_rows('loyalty_events') as raw
inner join types on types.source = 'loyalty_events' and given(raw.event_name) = types.event_name
where
    given(raw.event_id) is not null
    and given(raw.loyalty_id) is not null
    and plausible(utc(raw.occurred_at), utc(raw.loaded_at))
qualify
    row_number() over (partition by source_key order by raw.loaded_at desc, raw.is_deleted desc) = 1
    and not coalesce(raw.is_deleted, false);

create table survey_responses as
select
    given(raw.response_id) as source_key,
    given(raw.survey_id) as survey_id,
    allowed('customer_ref', given(raw.customer_ref)) as customer_ref,
    allowed('email', lower(given(raw.email))) as email,
    given(raw.metric) as metric,
    raw.score,
    raw.scale_min,
    raw.scale_max,
    raw.invited_at is not null as is_invited,
    raw.sentiment,
    raw.higher_is_better,
    utc(raw.invited_at) as invited_at,
    utc(raw.responded_at) as occurred_at,
    utc(raw.loaded_at) as loaded_at
from parquet_rows('survey_responses') as raw
where
    given(raw.response_id) is not null
    and given(raw.metric) in ('nps', 'csat', 'ces', 'other')
    and isfinite(raw.score)
    and coalesce(isfinite(raw.scale_min), true)
    and coalesce(isfinite(raw.scale_max), true)
    and coalesce(raw.sentiment between -1 and 1, true)
    and plausible(utc(raw.responded_at), utc(raw.loaded_at))
qualify
    row_number() over (partition by source_key order by raw.loaded_at desc, raw.is_deleted desc) = 1
    and not coalesce(raw.is_deleted, false);

create table community_events as
select
    given(raw.event_id) as source_key,
    allowed('handle', 'community/' || nullif(ltrim(lower(given(raw.handle)), '@'), '')) as handle,
    allowed('customer_ref', given(raw.customer_ref)) as customer_ref,
    allowed('user_id', given(raw.user_id)) as user_id,
    allowed('email', lower(given(raw.email))) as email,
    types.act_type,
    coalesce(given(raw.in_reply_to), 'none') as in_reply_to,
    utc(try_cast(raw.occurred_at as timestamptz)) as occurred_at,
    utc(try_cast(raw.loaded_at as timestamptz)) as loaded_at
from
    read_json(
        getvariable('raw') || '/community_events/*.jsonl',
        columns = {
            event_id: 'varchar',
            handle: 'varchar',
            customer_ref: 'varchar',
            user_id: 'varchar',
            email: 'varchar',
            event_name: 'varchar',
            in_reply_to: 'varchar',
            occurred_at: 'varchar',
            is_deleted: 'varchar',
            loaded_at: 'varchar'
        }
    ) as raw
inner join types on types.source = 'community_events' and given(raw.event_name) = types.event_name
where
    given(raw.event_id) is not null
    and coalesce(given(raw.in_reply_to) in ('none', 'brand', 'customer'), true)
    and plausible(
        utc(try_cast(raw.occurred_at as timestamptz)), utc(try_cast(raw.loaded_at as timestamptz))
    )
qualify
    row_number() over (
        partition by source_key
        order by raw.loaded_at::timestamptz desc, raw.is_deleted::boolean desc nulls last
    ) = 1
    and not coalesce(raw.is_deleted::boolean, false);

create table store_visits as
select
    given(raw.visit_id) as source_key,
    allowed('customer_ref', given(raw.customer_ref)) as customer_ref,
    allowed('loyalty_id', given(raw.loyalty_id)) as loyalty_id,
    utc(try_cast(raw.entered_at as timestamptz)) as occurred_at,
    utc(try_cast(raw.left_at as timestamptz)) as left_at,
    utc(try_cast(raw.loaded_at as timestamptz)) as loaded_at
from csv_rows('store_visits') as raw
where
    given(raw.visit_id) is not null
    and (given(raw.left_at) is null or try_cast(raw.left_at as timestamptz) is not null)
    and plausible(
        utc(try_cast(raw.entered_at as timestamptz)), utc(try_cast(raw.loaded_at as timestamptz))
    )
qualify
    row_number() over (
        partition by source_key
        order by raw.loaded_at::timestamptz desc, raw.is_deleted::boolean desc nulls last
    ) = 1
    and not coalesce(raw.is_deleted::boolean, false);

create table referrals as
select
    given(raw.referral_id) as source_key,
    allowed('customer_ref', given(raw.referrer_ref)) as referrer_ref,
    allowed('customer_ref', given(raw.referred_ref)) as referred_ref,
    allowed('email', lower(given(raw.referred_email))) as referred_email,
    utc(raw.sent_at) as occurred_at,
    utc(raw.loaded_at) as loaded_at
from parquet_rows('referrals') as raw
where
    given(raw.referral_id) is not null
    and given(raw.referrer_ref) is not null
    and plausible(utc(raw.sent_at), utc(raw.loaded_at))
qualify
    row_number() over (partition by source_key order by raw.loaded_at desc, raw.is_deleted desc) = 1
    and not coalesce(raw.is_deleted, false);

create table customers as
select
    given(raw.customer_ref) as customer_ref,
    utc(raw.created_at) as created_at,
    allowed('email', lower(given(raw.email))) as email,
    allowed('phone', digits(raw.phone)) as phone,
    allowed('loyalty_id', given(raw.loyalty_id)) as loyalty_id,
    given(raw.country) as country,
    utc(raw.loaded_at) as loaded_at
from parquet_rows('customers') as raw
where given(raw.customer_ref) is not null and raw.loaded_at is not null
qualify
    row_number() over (
        partition by given(raw.customer_ref) order by raw.loaded_at desc, raw.is_deleted desc
    ) = 1
    and not coalesce(raw.is_deleted, false);

create macro of_kind(kind, value) as case
    kind
    when 'email' then lower(given(value))
    when 'phone' then digits(value)
    when 'handle' then replace(lower(given(value)), '/@', '/')
    else given(value)
end;

create table identity_links as
select
    given(raw.left_type) as left_kind,
    allowed(given(raw.left_type), of_kind(given(raw.left_type), raw.left_value)) as left_value,
    given(raw.right_type) as right_kind,
    allowed(given(raw.right_type), of_kind(given(raw.right_type), raw.right_value)) as right_value,
    coalesce(utc(raw.observed_at), utc(raw.loaded_at)) as seen_at
from parquet_rows('identity_links') as raw
where
    given(raw.link_id) is not null
    and given(raw.left_type) in (from (select identifier_type from seed('identifier_rules')))
    and given(raw.right_type) in (from (select identifier_type from seed('identifier_rules')))
    and of_kind(given(raw.left_type), raw.left_value) is not null
    and of_kind(given(raw.right_type), raw.right_value) is not null
    and raw.loaded_at is not null
    and coalesce(plausible(utc(raw.observed_at), utc(raw.loaded_at)), true)
qualify
    row_number() over (
        partition by given(raw.link_id) order by raw.loaded_at desc, raw.is_deleted desc
    ) = 1
    and not coalesce(raw.is_deleted, false);

create table campaigns as
select
    given(raw.campaign_id) as campaign_id,
    given(raw.name) as campaign_name,
    given(raw.channel) as channel,
    given(raw.purpose) as purpose,
    given(raw.promotion_id) as promotion_id,
    utc(raw.starts_at) as starts_at,
    utc(raw.ends_at) as ends_at
from parquet_rows('campaigns') as raw
where
    given(raw.campaign_id) is not null
    and coalesce(
        given(raw.purpose) in (
            'promotional', 'informational', 'transactional', 'survey', 'review_request', 'winback'
        ),
        true
    )
    and raw.loaded_at is not null
qualify
    row_number() over (
        partition by given(raw.campaign_id) order by raw.loaded_at desc, raw.is_deleted desc
    ) = 1
    and not coalesce(raw.is_deleted, false);

create table promotions as
select
    given(raw.promotion_id) as promotion_id,
    given(raw.name) as promotion_name,
    given(raw.sales_channel) as sales_channel,
    utc(raw.starts_at) as starts_at,
    utc(raw.ends_at) as ends_at,
    raw.discount_rate
from parquet_rows('promotions') as raw
where
    given(raw.promotion_id) is not null
    and raw.starts_at is not null
    and raw.ends_at is not null
    and coalesce(isfinite(raw.discount_rate) and raw.discount_rate >= 0, true)
    and raw.loaded_at is not null
qualify
    row_number() over (
        partition by given(raw.promotion_id) order by raw.loaded_at desc, raw.is_deleted desc
    ) = 1
    and not coalesce(raw.is_deleted, false);

create table erasures as
select distinct identifier_type as kind, of_kind(identifier_type, identifier_value) as value
from
    read_json(
        getvariable('raw') || '/erasure_requests/*.jsonl',
        columns = {identifier_type: 'varchar', identifier_value: 'varchar'}
    );
