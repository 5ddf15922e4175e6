-- The five facts: a row per person and snapshot date from running totals over months.

create table snapshots as
with
    people_days as (
        select
            person,
            min(active_on) as first_on,
            max(active_on) as last_on,
            arg_min(first_source, active_on) as first_source
        from active_days
        group by person
    ),

    source_starts as (
        select source, min(occurred_on) as starts_on from marked_acts group by source
    ),

    activity as (
        select
            person,
            active_month as month_start,
            max(active_on) as last_on,
            count(*) as active_days,
            count_if(is_first_of_week) as active_weeks,
            count(gap_days) as gaps,
            sum(gap_days) as gap_days,
            sum(gap_days * gap_days) as squared_gap_days,
            max(gap_days) as longest_gap_days,
            sum(acts) as interactions
        from active_days
        group by all
    ),

    prompts as (
        select
            person,
            month_of(active_on) as month_start,
            sum(interactions) filter (prompt_rule = 'no_prompt') as unprompted,
            sum(interactions) filter (prompt_rule = 'explicit') as prompted_explicitly,
            sum(interactions) filter (prompt_rule = 'window') as prompted_by_window,
            sum(interactions) filter (prompt_rule = 'no_coverage') as unknown
        from days
        group by all
    ),

    received as (
        select
            person,
            greatest(month_of(on_day(touched_at)), month_of(first_on)) as month_start,
            count(*) as touches_received
        from touches
        inner join people_days using (person)
        group by all
    ),

    answers as (
        select
            touches.person,
            touch_no,
            min(occurred_at) as answered_at,
            min(prompt_lag_seconds) as response_seconds
        from marked_acts
        inner join touches using (touch_no)
        group by all
    ),

    answered as (
        select
            person,
            month_of(on_day(answered_at)) as month_start,
            count(*) as touches_answered,
            sum(response_seconds) as response_seconds
        from answers
        group by all
    ),

    open_spans as (
        select
            person,
            greatest(state_at, day_start(first_on)) as open_from,
            least(state_ends_at, day_start(getvariable('as_of') + 1)) as open_until
        from prompt_states
        inner join people_days using (person)
        where touch_no > 0
    ),

    open_months as (
        select
            *,
            unnest(
                generate_series(
                    month_of(on_day(open_from))::timestamp,
                    on_day(open_until)::timestamp,
                    interval 1 month
                )
            )::date as month_start
        from open_spans
        where open_until > open_from
    ),

    open_windows as (
        select
            person,
            month_start,
            -- whole microseconds: a tenure that is covered throughout has a share of exactly 1
            sum(
                greatest(
                    date_diff(
                        'microsecond',
                        greatest(open_from, day_start(month_start)),
                        least(open_until, day_start(month_start + interval 1 month))
                    ),
                    0
                )
            ) as open_microseconds
        from open_months
        group by all
    ),

    -- n ln n changes only in months in which a type occurs, so that its changes add up like counts
    type_months as (
        select person, act_type, month_of(active_on) as month_start, sum(interactions)::double as acts
        from days
        where interactions > 0
        group by all
    ),

    type_totals as (
        select
            *,
            sum(acts) over (partition by person, act_type order by month_start) as acts_to_date
        from type_months
    ),

    variety as (
        select
            person,
            month_start,
            sum(
                acts_to_date * ln(acts_to_date)
                - if(acts_to_date > acts, (acts_to_date - acts) * ln(acts_to_date - acts), 0)
            ) as n_ln_n,
            count_if(acts_to_date = acts) as new_types
        from type_totals
        group by all
    ),

    spine as (
        select
            person,
            first_on,
            unnest(
                generate_series(
                    month_of(first_on)::timestamp,
                    least(
                        getvariable('as_of'),
                        last_on
                        + to_months((threshold('inactive_months') + 1)::integer)
                    )::timestamp,
                    interval 1 month
                )
            )::date as month_start,
            starts_on as source_starts_on
        from people_days
        inner join source_starts on first_source = source
    )

select
    person,
    first_on,
    spine.month_start,
    snapshot_date,
    is_current,
    first_on - source_starts_on < threshold('left_truncation_days') as is_left_truncated,
    max(activity.last_on) over so_far as last_active_on,
    coalesce(active_days, 0) as active_days_in_month,
    coalesce(lag(active_days) over by_month, 0) as active_days_in_month_before,
    (sum(active_days) over so_far)::bigint as active_days,
    (sum(active_weeks) over so_far)::bigint as active_weeks,
    count(active_days) over so_far as active_months,
    coalesce(sum(gaps) over so_far, 0)::bigint as gaps,
    coalesce(sum(gap_days) over so_far, 0)::bigint as gap_days,
    coalesce(sum(squared_gap_days) over so_far, 0)::bigint as squared_gap_days,
    max(longest_gap_days) over so_far as longest_gap_days,
    (sum(interactions) over so_far)::bigint as interactions,
    coalesce(sum(unprompted) over so_far, 0)::bigint as unprompted,
    coalesce(sum(prompted_explicitly) over so_far, 0)::bigint as prompted_explicitly,
    coalesce(sum(prompted_by_window) over so_far, 0)::bigint as prompted_by_window,
    coalesce(sum(unknown) over so_far, 0)::bigint as unknown,
    coalesce(sum(touches_received) over so_far, 0)::bigint as touches_received,
    coalesce(sum(touches_answered) over so_far, 0)::bigint as touches_answered,
    sum(response_seconds) over so_far as response_seconds,
    coalesce(sum(open_microseconds) over so_far, 0) as open_microseconds,
    sum(n_ln_n) over so_far as n_ln_n,
    (sum(new_types) over so_far)::bigint as types,
    -- months after a life has ended stay for the running totals and are shown nowhere
    snapshot_date <= (last_active_on + to_months(threshold('inactive_months')::integer))::date as is_in_life
from spine
inner join months using (month_start)
left join activity using (person, month_start)
left join prompts using (person, month_start)
left join received using (person, month_start)
left join answered using (person, month_start)
left join open_windows using (person, month_start)
left join variety using (person, month_start)
window
    by_month as (partition by person order by spine.month_start),
    so_far as (
        partition by person order by spine.month_start rows between unbounded preceding and current row
    )
;


create table engagement.marts.fct_engagement_longevity as
with
    thresholds as (
        select
            person,
            month_start,
            greatest(
                threshold('lapse_floor_days'),
                case
                    when gaps >= 2 then threshold('lapse_mean_gap_multiple') * gap_days / gaps
                    else coalesce(population_gap_days, 0)
                end
            ) as lapse_threshold_days
        from snapshots
        left join population_gaps using (month_start)
        where is_in_life
    ),

    -- no gap at or below the floor is ever a lapse: few are left
    lapses as (
        select thresholds.person, thresholds.month_start, count(*) as lapses
        from thresholds
        inner join
            active_days
            on thresholds.person = active_days.person
            and thresholds.month_start >= active_days.active_month
            and thresholds.lapse_threshold_days < active_days.gap_days
        where active_days.gap_days > threshold('lapse_floor_days')
        group by all
    )

select
    customer_id,
    snapshot_date,
    is_current,
    first_on as first_active_on,
    last_active_on,
    last_active_on - first_on as span_days,
    snapshot_date - first_on as tenure_days,
    snapshot_date - last_active_on as recency_days,
    active_days,
    active_weeks,
    active_months,
    active_weeks
    / (date_diff('day', date_trunc('week', first_on), date_trunc('week', snapshot_date)) // 7 + 1)
    as active_week_ratio,
    longest_gap_days,
    lapse_threshold_days,
    coalesce(lapses, 0) as lapses,
    snapshot_date - last_active_on > lapse_threshold_days as is_lapsed,
    is_left_truncated,
    case
        when active_days_in_month = 0 then 'dormant'
        when month_of(first_on) = month_start then 'new'
        when active_days_in_month_before > 0 then 'returning'
        else 'resurrected'
    end as lifecycle_state
from snapshots
inner join thresholds using (person, month_start)
left join lapses using (person, month_start)
inner join person_ids using (person);

-- none and all are their own bounds: rounding would rank those who are equal
create macro wilson(share, trials, sign) as case
    when share = (1 + sign) / 2
    then share
    else
        (
            share
            + threshold('wilson_z') ** 2 / (2 * trials)
            + sign
            * threshold('wilson_z')
            * sqrt(share * (1 - share) / trials + threshold('wilson_z') ** 2 / (4.0 * trials * trials))
        )
        / (1 + threshold('wilson_z') ** 2 / trials)
end;

create table engagement.marts.fct_engagement_proactiveness as
with
    counted as (
        select
            *,
            prompted_explicitly + prompted_by_window as prompted,
            nullif(unprompted + prompted_explicitly + prompted_by_window, 0) as known,
            nullif(unprompted + prompted_by_window, 0) as not_explicit,
            unprompted / known as proactive_share,
            prompted_by_window / not_explicit as windowed_share,
            open_microseconds
            / date_diff('microsecond', day_start(first_on), day_start(snapshot_date + 1)) as saturation
        from snapshots
        where is_in_life
    )
select
    customer_id,
    snapshot_date,
    is_current,
    unprompted,
    prompted,
    prompted_explicitly,
    prompted_by_window,
    unknown,
    proactive_share,
    wilson(proactive_share, known, -1) as proactive_share_lower,
    wilson(proactive_share, known, 1) as proactive_share_upper,
    coalesce(known, 0) / nullif(coalesce(known, 0) + unknown, 0) as coverage,
    coalesce(not_explicit, 0) / known as strict_proactive_share,
    touches_received,
    touches_answered,
    touches_answered / nullif(touches_received, 0) as response_rate,
    coalesce(counted.response_seconds, 0)::decimal(18, 6) as response_seconds,
    counted.response_seconds / nullif(touches_answered, 0) as mean_response_seconds,
    coalesce(known, 0) < threshold('low_sample_interactions') as is_low_sample,
    saturation,
    windowed_share,
    (windowed_share - saturation) / nullif(1 - saturation, 0) as adjusted_prompted_share
from counted
inner join person_ids using (person);

create table engagement.marts.fct_engagement_frequency as
with
    -- 90 days touch the snapshots of four months at most
    recent as (
        select
            person,
            months.month_start,
            count_if(snapshot_date - active_on < 7)::bigint as active_days_7,
            count_if(snapshot_date - active_on < 28)::bigint as active_days_28,
            count(*) as active_days_90
        from
            (
                select
                    person,
                    active_on,
                    (active_month + to_months(unnest([0, 1, 2, 3])))::date as month_start
                from active_days
            )
        inner join months using (month_start)
        where snapshot_date - active_on < 90
        group by all
    ),

    measured as (
        select
            *,
            gap_days / nullif(gaps, 0) as mean_gap_days,
            sqrt((gaps * squared_gap_days - gap_days * gap_days)::double) / nullif(gaps, 0) as sd_gap_days,
            sd_gap_days / nullif(mean_gap_days, 0) as cv_gap,
            case
                when types = 1 then 0.0::double
                else greatest(ln(interactions) - n_ln_n / interactions, 0.0)
            end as type_entropy,
            exp(type_entropy) as effective_types
        from snapshots
        where is_in_life
    )
select
    customer_id,
    snapshot_date,
    is_current,
    mean_gap_days,
    sd_gap_days,
    cv_gap,
    case when gaps >= 2 then (cv_gap - 1) / (cv_gap + 1) end as burstiness,
    case
        when gaps >= 2
        then
            (sqrt(gaps + 1) * cv_gap - sqrt(gaps - 1))
            / ((sqrt(gaps + 1) - 2) * cv_gap + sqrt(gaps - 1))
    end as burstiness_adjusted,
    coalesce(active_days_7, 0) as active_days_7,
    coalesce(active_days_28, 0) as active_days_28,
    coalesce(active_days_90, 0) as active_days_90,
    interactions,
    types,
    n_ln_n::decimal(28, 12) as n_ln_n,
    type_entropy,
    effective_types,
    case when types >= 2 then type_entropy / ln(types) end as type_evenness,
    if(coalesce(active_days_90, 0) >= threshold('frequent_active_days_90'), 'frequent', 'sporadic')
    || if(effective_types >= threshold('varied_effective_types'), '_varied', '_similar') as pattern
from measured
left join recent using (person, month_start)
inner join person_ids using (person);

-- Totals by context and by channel change only in months with acts: they are added up there, and hold until the
-- next such month.
create table engagement.marts.fct_engagement_context as
with
    changes as (
        select
            person,
            context,
            month_of(active_on) as month_start,
            sum(interactions) as interactions,
            sum(promotion_interactions) as promotion_interactions,
            sum(offline_interactions) as offline_interactions
        from days
        where interactions > 0
        group by all
    ),

    totals as (
        select
            person,
            context,
            month_start as holds_from,
            coalesce(lead(month_start) over by_month, 'infinity'::date) as holds_until,
            (sum(interactions) over by_month)::bigint as interactions,
            (sum(promotion_interactions) over by_month)::bigint as promotion_interactions,
            (sum(offline_interactions) over by_month)::bigint as offline_interactions
        from changes
        window by_month as (partition by person, context order by month_start)
    ),

    placed as (
        select
            snapshots.person,
            snapshots.month_start,
            snapshot_date,
            is_current,
            totals.* exclude (person, holds_from, holds_until)
        from snapshots
        inner join
            totals
            on snapshots.person = totals.person
            and snapshots.month_start >= holds_from
            and snapshots.month_start < holds_until
        where is_in_life
    ),

    of_person as (
        select
            person,
            month_start,
            sum(interactions) as all_interactions,
            sum(promotion_interactions) / sum(interactions) as promotion_share
        from placed
        group by all
    )
select
    customer_id,
    snapshot_date,
    context::varchar as context,
    is_current,
    interactions,
    interactions / all_interactions as share,
    promotion_interactions,
    offline_interactions,
    promotion_share,
    promotion_share >= threshold('promotion_only_share')
    and all_interactions >= threshold('promotion_only_interactions') as is_promotion_only
from placed
inner join of_person using (person, month_start)
inner join person_ids using (person);

create table engagement.marts.fct_engagement_volume as
with
    changes as (
        select
            person,
            channel,
            month_of(active_on) as month_start,
            sum(interactions)::bigint as interactions,
            sum(visits)::bigint as visits,
            sum(weighted_interactions) as weighted_interactions,
            sum(engaged_seconds) as engaged_seconds,
            sum(orders)::bigint as orders,
            sum(revenue)::decimal(18, 4) as revenue
        from days
        group by all
    ),

    totals as (
        select
            *,
            coalesce(lead(month_start) over by_month, 'infinity'::date) as holds_until,
            (sum(interactions) over by_month)::bigint as interactions_to_date,
            (sum(visits) over by_month)::bigint as visits_to_date,
            sum(weighted_interactions) over by_month as weighted_interactions_to_date,
            sum(engaged_seconds) over by_month as engaged_seconds_to_date,
            (sum(orders) over by_month)::bigint as orders_to_date,
            (sum(revenue) over by_month)::decimal(18, 4) as revenue_to_date
        from changes
        window by_month as (partition by person, channel order by month_start)
    )
select
    customer_id,
    snapshot_date,
    totals.channel::varchar as channel,
    is_current,
    if(totals.month_start = snapshots.month_start, totals.interactions, 0) as interactions,
    if(totals.month_start = snapshots.month_start, totals.visits, 0) as visits,
    if(totals.month_start = snapshots.month_start, totals.orders, 0) as orders,
    if(totals.month_start = snapshots.month_start, totals.revenue, 0) as revenue,
    interactions_to_date,
    visits_to_date,
    weighted_interactions_to_date,
    engaged_seconds_to_date,
    orders_to_date,
    revenue_to_date,
    interactions_to_date
    * 30
    / greatest(snapshot_date - first_on, threshold('rate_floor_days')) as interactions_per_30_days
from snapshots
inner join
    totals
    on snapshots.person = totals.person
    and snapshots.month_start >= totals.month_start
    and snapshots.month_start < totals.holds_until
inner join person_ids on snapshots.person = person_ids.person
where is_in_life;
