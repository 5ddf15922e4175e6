-- Words that the rest of the script is written in. The program that runs it has attached the file to build as
-- `engagement` and set the variables raw, seeds, as_of, zone, currency and hash_key.
create macro seed(name) as table
from read_csv(getvariable('seeds') || '/' || name || '.csv', all_varchar = true);

-- A loader writes is_deleted only where it ever deleted something.
create macro parquet_rows(name) as table
from read_parquet(getvariable('raw') || '/' || name || '/*.parquet', union_by_name = true)
union all by name
select null::boolean as is_deleted
where false;

create macro csv_rows(name) as table
from read_csv(getvariable('raw') || '/' || name || '/*.csv', all_varchar = true, union_by_name = true)
union all by name
select null::varchar as is_deleted
where false;

create macro given(value) as case
    when value like ' %' or value like '% ' then nullif(trim(value), '')
    when value <> '' then value
end;

create macro digits(value) as nullif(regexp_replace(given(value), '^00|[^0-9]', '', 'g'), '');

-- An instant is kept as microseconds of UTC; a cast would ask a calendar for every row.
create macro utc(instant) as make_timestamp(epoch_us(instant));

create macro on_day(instant) as case
    when getvariable('zone') = 'UTC' then instant::date
    else timezone(getvariable('zone'), timezone('UTC', instant))::date
end;

create macro day_start(day) as case
    when getvariable('zone') = 'UTC' then day::timestamp
    else timezone('UTC', timezone(getvariable('zone'), day::timestamp))
end;

create macro seconds(earlier, later) as date_diff('microsecond', earlier, later) / 1e6;

create macro month_of(day) as date_trunc('month', day)::date;

set variable thresholds = (
    select map_from_entries(list((threshold, value::double))) from seed('thresholds')
);

create macro threshold(name) as getvariable('thresholds')[name];

create macro plausible(instant, loaded_at) as
    instant >= make_timestamp(threshold('earliest_year')::bigint, 1, 1, 0, 0, 0)
    and instant <= loaded_at + to_seconds(3600 * threshold('future_tolerance_hours'));

set variable known_until = (select day_start(getvariable('as_of') + 1));

set variable bot_patterns = (
    select string_agg(regexp_escape(pattern), '|') from seed('bot_user_agents')
);

create type source as enum (select distinct source_table from seed('interaction_types') order by all);
create type channel as enum (select channel from seed('channels') order by all);
create type act_type as enum (
    select distinct interaction_type from seed('interaction_types') order by all
);
create type context as enum (select context from seed('contexts') order by all);
create type prompt_rule as enum ('system', 'explicit', 'window', 'no_prompt', 'no_coverage');

create table types as
select
    source_table::source as source,
    event_name,
    interaction_type::act_type as act_type,
    actor = 'system' as is_system,
    route,
    is_intent::boolean as is_intent,
    is_page_view::boolean as is_page_view,
    engagement_level,
    weight::double as weight
from seed('interaction_types');

create table channels as
select
    channel::channel as channel,
    sales_channel,
    is_offline::boolean as is_offline,
    is_visit_tracked::boolean as is_visit_tracked,
    is_subscribed::boolean as is_subscribed
from seed('channels');

-- Values that name nobody (role mailboxes, placeholders).
set variable blocked = (
    select map_from_entries(list((identifier_type, blocked_values)))
    from (
        select identifier_type, list(identifier_value) as blocked_values
        from seed('blocked_identifiers')
        group by all
    )
);

create macro allowed(kind, value) as case
    when not list_contains(coalesce(getvariable('blocked')[kind], []::varchar[]), value) then value
end;
