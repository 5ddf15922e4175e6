-- What was going on when somebody acted: the visit, the prompt, the context. Whatever holds from one instant to the
-- next becomes a marker; one sort of acts and markers by person and time carries all of them to the acts.

create table active_days as
with
    days as (
        select person, occurred_on as active_on, count(*) as acts, min(source) as first_source
        from acts
        where not is_system
        group by person, occurred_on
    ),

    in_order as (
        select
            *,
            lag(active_on) over by_day as previous_on,
            first_value(active_on) over by_day as first_on,
            row_number() over by_day as day_no
        from days
        window by_day as (partition by person order by active_on)
    )
select
    person,
    active_on,
    acts,
    first_source,
    day_no,
    first_on,
    month_of(active_on) as active_month,
    active_on - previous_on as gap_days,
    case when day_no > 3 then (previous_on - first_on) / (day_no - 2) end as mean_gap_before,
    coalesce(date_trunc('week', previous_on) < date_trunc('week', active_on), true) as is_first_of_week
from in_order;

create table months as
select
    month_start::date as month_start,
    least(last_day(month_start), getvariable('as_of')) as snapshot_date,
    month_start = month_of(getvariable('as_of')) as is_current
from
    (
        select unnest(
            generate_series(
                (select date_trunc('month', min(occurred_on)) from acts)::timestamp,
                getvariable('as_of')::timestamp,
                interval 1 month
            )
        ) as month_start
    );

-- the gap that nine tenths of all gaps up to a month's end do not exceed
create table population_gaps as
with
    gaps as (
        select active_month, gap_days, count(*) as gaps
        from active_days
        where gap_days is not null
        group by all
    ),

    ranked as (
        select
            month_start,
            gap_days,
            sum(sum(gaps)) over (partition by month_start order by gap_days) as gaps_up_to,
            sum(sum(gaps)) over (partition by month_start) as all_gaps
        from months
        inner join gaps on active_month <= month_start
        group by month_start, gap_days
    )
select month_start, min(gap_days) as population_gap_days
from ranked
where gaps_up_to >= all_gaps * threshold('lapse_population_quantile')
group by month_start;

create table visit_starts as
with
    tracked as (
        select
            person,
            occurred_at,
            lag(occurred_at) over (partition by person order by occurred_at) as previous_at
        from acts
        where
            channel in (select channel from channels where is_visit_tracked)
            and not is_system
            and not is_date_only
    )
select person, occurred_at
from tracked
where
    previous_at is null
    or seconds(previous_at, occurred_at) >= 60 * threshold('visit_timeout_minutes');

-- the last order that still stands, from one instant to the next
create table order_states as
with
    placed as (
        select
            acts.person,
            acts.occurred_at as ordered_at,
            coalesce(order_values.cancelled_at, 'infinity'::timestamp) as stands_until
        from acts
        inner join order_values on acts.source_key = order_values.order_id
        where acts.act_type = 'order'
    ),

    instants as (
        select person, ordered_at as state_at
        from placed
        union
        select person, stands_until
        from placed
        where isfinite(stands_until)
    )
select instants.person, state_at, max(ordered_at) as last_ordered_at
from instants
left join
    placed
    on instants.person = placed.person
    and state_at >= ordered_at
    and state_at < stands_until
group by instants.person, state_at;

-- tickets opened, and no longer felt a while after they were solved
create table support_changes as
with
    tickets as (
        select
            people.person,
            occurred_at,
            greatest(solved_at, occurred_at)
            + to_seconds(86400 * threshold('support_recovery_days')) as recovered_at,
            solved_at < getvariable('known_until') as is_solved
        from support_tickets
        inner join
            people
            on coalesce(
                'customer_ref:' || customer_ref,
                'user_id:' || user_id,
                'email:' || email,
                'handle:' || handle
            )
            = people.key
        where occurred_at < getvariable('known_until')
    )
select person, occurred_at as changed_at, 1 as change
from tickets
union all
select person, recovered_at, -1
from tickets
where is_solved;

-- the latest touch whose window is open after an instant; 0 is none
create table prompt_states as
with
    instants as (
        select person, touched_at as state_at
        from touches
        union
        select person, window_ends_at
        from touches
    )
select
    instants.person,
    state_at,
    lead(state_at) over (partition by instants.person order by state_at) as state_ends_at,
    coalesce(max(touch_no), 0) as touch_no
from instants
left join
    touches
    on instants.person = touches.person and state_at >= touched_at and state_at < window_ends_at
group by instants.person, state_at;

-- spans in which promotions run in a sales channel, day by day
create table promotion_days as
with
    sales_channels as (select channel, sales_channel from channels where sales_channel is not null),

    changes as (
        select sales_channels.channel, starts_at as changed_at, 1 as change
        from promotions
        inner join
            sales_channels
            on coalesce(promotions.sales_channel, sales_channels.sales_channel)
            = sales_channels.sales_channel
        where ends_at > starts_at
        union all
        select sales_channels.channel, ends_at, -1
        from promotions
        inner join
            sales_channels
            on coalesce(promotions.sales_channel, sales_channels.sales_channel)
            = sales_channels.sales_channel
        where ends_at > starts_at
    ),

    states as (
        select
            channel,
            changed_at as runs_from,
            lead(changed_at) over by_time as runs_until,
            sum(sum(change)) over by_time > 0 as is_running
        from changes
        group by channel, changed_at
        window by_time as (partition by channel order by changed_at)
    )
select
    channel,
    runs_from,
    runs_until,
    unnest(generate_series(runs_from::date::timestamp, runs_until, interval 1 day))::date as utc_day
from states
where is_running;

-- what an explicit prompt answers: the last touch of its campaign, however long ago
create table campaign_prompts as
with
    explicit_acts as (
        select rowid as act_no, person, campaign_id, occurred_at
        from acts
        where is_explicit and campaign_id is not null
    ),

    campaign_touches as (
        select person, campaign_id, touched_at, max(touch_no) as touch_no
        from touches
        where campaign_id is not null
        group by all
    )
select act_no, touch_no
from explicit_acts
asof join
    campaign_touches
    on explicit_acts.person = campaign_touches.person
    and explicit_acts.campaign_id = campaign_touches.campaign_id
    and explicit_acts.occurred_at > campaign_touches.touched_at;

create table situations as
with
    -- at the same instant: what counts for the act comes before it, what does not comes after it
    trail as (
        select person, epoch_us(occurred_at) * 4 + 1 as place, rowid as act_no
        from acts
        union all by name
        select person, epoch_us(occurred_at) * 4 as place, occurred_at as visit_starts_at
        from visit_starts
        union all by name
        select person, epoch_us(changed_at) * 4 as place, change as tickets
        from support_changes
        union all by name
        select
            person,
            epoch_us(state_at) * 4 + 2 as place,
            coalesce(last_ordered_at, '-infinity'::timestamp) as last_ordered_at
        from order_states
        union all by name
        select person, epoch_us(state_at) * 4 + 2 as place, touch_no
        from prompt_states
    ),

    carried as (
        select
            act_no,
            max(visit_starts_at) over so_far as visit_starts_at,
            coalesce(sum(tickets) over so_far, 0) > 0 as is_in_support_recovery,
            last_value(last_ordered_at ignore nulls) over so_far as last_ordered_at,
            last_value(touch_no ignore nulls) over so_far as open_touch_no
        from trail
        window
            so_far as (
                partition by person order by place rows between unbounded preceding and current row
            )
    )
from carried
where act_no is not null;
