create table engagement.marts.dim_customers as
with
    firsts as (
        select
            person,
            min(first_seen_at) as first_seen_at,
            arg_min(identifier_hash, row(first_seen_at, id)) filter (kind = 'customer_ref') as customer_ref_hash,
            arg_min(identifier_hash, row(first_seen_at, id)) filter (kind = 'user_id') as user_id_hash,
            arg_min(identifier_hash, row(first_seen_at, id)) filter (kind = 'loyalty_id') as loyalty_id_hash,
            arg_min(identifier_hash, row(first_seen_at, id)) filter (kind = 'email') as email_hash,
            arg_min(identifier_hash, row(first_seen_at, id)) filter (kind = 'phone') as phone_hash,
            arg_min(identifier_hash, row(first_seen_at, id)) filter (kind = 'handle') as handle_hash,
            arg_min(identifier_hash, row(first_seen_at, id)) filter (kind = 'anonymous_id') as anonymous_id_hash,
            count(*) as identifiers
        from people
        group by person
    ),

    countries as (
        select
            person,
            arg_min(country, row(coalesce(created_at, 'infinity'::timestamp), customer_ref)) as country
        from customers
        inner join people on people.kind = 'customer_ref' and customers.customer_ref = people.value
        where country is not null
        group by person
    )
select
    customer_id,
    firsts.* exclude (person),
    country,
    person in (
        select people.person
        from people
        inner join erasures using (kind, value)
    ) as is_erased
from firsts
inner join person_ids using (person)
left join countries using (person);

create table engagement.marts.dim_dates as
select
    day::date as date_on,
    date_trunc('week', day)::date as week_starts_on,
    month_of(day) as month_starts_on,
    date_trunc('quarter', day)::date as quarter_starts_on,
    year(day)::integer as year_number,
    month(day)::integer as month_number,
    day(day)::integer as day_of_month,
    isodow(day) as iso_day_of_week,
    isodow(day) > 5 as is_weekend,
    day = last_day(day) or day = getvariable('as_of') as is_snapshot_date
from
    (
        select unnest(
            generate_series(
                (select min(month_start) from months)::timestamp,
                getvariable('as_of')::timestamp,
                interval 1 day
            )
        ) as day
    );

create table engagement.marts.dim_channels as
select
    channels.channel,
    channels.channel_name,
    channels.sales_channel,
    channels.is_offline::boolean as is_offline,
    channels.is_visit_tracked::boolean as is_visit_tracked,
    windows.window_days is not null as is_touch_channel,
    windows.window_days::double as prompt_window_days,
    feeds.touches_known_from
from seed('channels') as channels
left join seed('prompt_windows') as windows on channels.channel = windows.touch_channel
left join
    (select channel::varchar as channel, min(touched_at) as touches_known_from from touches group by all)
    as feeds
    on channels.channel = feeds.channel;

create table engagement.marts.dim_interaction_types as
select
    interaction_type,
    source_table,
    event_name,
    actor,
    is_intent::boolean as is_intent,
    is_page_view::boolean as is_page_view,
    engagement_level,
    weight::double as weight,
    four_i,
    jakobson_function,
    engagement_stage,
    journey_stage,
    taxonomy_version
from seed('interaction_types')
where route = 'interaction';

create table engagement.marts.dim_campaigns as
select
    campaign_id,
    campaign_name,
    channel,
    purpose,
    promotion_id,
    starts_at,
    ends_at,
    on_day(starts_at) as starts_on,
    on_day(ends_at) as ends_on
from campaigns;

create table engagement.marts.dim_promotions as
select
    promotion_id,
    promotion_name,
    sales_channel,
    starts_at,
    ends_at,
    on_day(starts_at) as starts_on,
    on_day(ends_at) as ends_on,
    discount_rate
from promotions;
