-- Who came when, who is still there, and how long it took the others to go.
create table cohorts as
with
    firsts as (
        select person, first_on, is_left_truncated
        from snapshots
        where month_start = month_of(first_on)
    ),

    first_acts as (
        select
            marked_acts.person,
            arg_min(channel, row(occurred_at, source, source_key)) as acquisition_channel
        from marked_acts
        inner join
            firsts
            on marked_acts.person = firsts.person
            and marked_acts.occurred_on = firsts.first_on
        where prompt_rule <> 'system'
        group by marked_acts.person
    )
select
    person, first_on, month_of(first_on) as cohort_month, is_left_truncated, acquisition_channel
from firsts
inner join first_acts using (person);

-- The day on which a silence grew too long, told by what was known by then: the gaps before it, or the
-- population's at the end of the month before it began.
create table lapse_days as
with
    silences as (
        select
            person,
            active_on - gap_days::integer as silent_since,
            active_on as ended_on,
            mean_gap_before as mean_gap
        from active_days
        where gap_days > threshold('lapse_floor_days')
        union all
        select
            person,
            max(active_on),
            getvariable('as_of'),
            case when count(*) > 2 then (max(active_on) - min(active_on)) / (count(*) - 1) end
        from active_days
        group by person
    ),

    limits as (
        select
            person,
            silent_since,
            ended_on,
            greatest(
                threshold('lapse_floor_days'),
                coalesce(
                    threshold('lapse_mean_gap_multiple') * mean_gap, population_gap_days, 0
                )
            ) as longest_days
        from silences
        left join
            population_gaps
            on month_of(silent_since) = population_gaps.month_start + interval 1 month
    )
select
    person,
    silent_since,
    -- who leaves the snapshots has lapsed, however long the gaps used to be
    least(
        silent_since + floor(longest_days)::integer,
        (silent_since + to_months(threshold('inactive_months')::integer))::date
    )
    + 1 as lapsed_on
from limits
where lapsed_on <= ended_on;

create table engagement.marts.fct_customer_months as
with
    with_month_before as (
        select
            *,
            coalesce(lag(is_in_life) over by_month, false) as was_in_life,
            coalesce(lag(is_in_life and not is_lapsed) over by_month, false) as was_at_risk
        from snapshots
        window by_month as (partition by person order by month_start)
    ),

    -- the month of leaving is the last
    lived as (
        select
            person,
            month_start,
            lifecycle_state,
            is_lapsed or not is_in_life as is_lapsed,
            was_at_risk,
            orders_in_month as orders,
            revenue_in_month as revenue
        from with_month_before
        where is_in_life or was_in_life
    ),

    -- but what was bought may still be taken back
    taken_back as (
        select
            person,
            month_of(active_on) as month_start,
            'dormant' as lifecycle_state,
            true as is_lapsed,
            false as was_at_risk,
            sum(orders)::bigint as orders,
            sum(revenue)::decimal(18, 4) as revenue
        from days
        anti join
            lived
            on days.person = lived.person
            and month_of(days.active_on) = lived.month_start
        where interactions = 0 and (orders <> 0 or revenue <> 0)
        group by all
    )
select
    customer_id,
    snapshot_date,
    is_current,
    cohort_month,
    lifecycle_state,
    is_lapsed,
    was_at_risk,
    orders,
    revenue
from (from lived union all by name from taken_back)
inner join months using (month_start)
inner join cohorts using (person)
inner join person_ids using (person);

create table engagement.marts.fct_cohort_retention as
with
    sizes as (
        select
            cohort_month,
            count(*) as customers,
            count_if(is_left_truncated)::bigint as left_truncated_customers
        from cohorts
        group by cohort_month
    ),

    counted as (
        select
            cohort_month,
            snapshot_date,
            count_if(lifecycle_state = 'new') as new_customers,
            count_if(lifecycle_state = 'returning') as returning_customers,
            count_if(lifecycle_state = 'resurrected') as resurrected_customers,
            count_if(not is_lapsed) as staying_customers,
            count_if(was_at_risk) as at_risk_customers,
            count_if(was_at_risk and is_lapsed) as newly_lapsed_customers,
            count_if(not was_at_risk and not is_lapsed and lifecycle_state <> 'new')
            as recovered_customers,
            sum(orders) as orders,
            sum(revenue) as revenue
        from engagement.marts.fct_customer_months
        group by cohort_month, snapshot_date
    )
select
    sizes.cohort_month,
    months.snapshot_date,
    is_current,
    date_diff('month', sizes.cohort_month, month_start) as months_since_first,
    customers,
    left_truncated_customers,
    coalesce(new_customers + returning_customers + resurrected_customers, 0)::bigint as active_customers,
    coalesce(new_customers, 0)::bigint as new_customers,
    coalesce(returning_customers, 0)::bigint as returning_customers,
    coalesce(resurrected_customers, 0)::bigint as resurrected_customers,
    customers - active_customers as dormant_customers,
    (customers - coalesce(staying_customers, 0))::bigint as lapsed_customers,
    coalesce(at_risk_customers, 0)::bigint as at_risk_customers,
    coalesce(newly_lapsed_customers, 0)::bigint as newly_lapsed_customers,
    coalesce(recovered_customers, 0)::bigint as recovered_customers,
    active_customers / customers as retention_rate,
    newly_lapsed_customers / nullif(at_risk_customers, 0) as churn_rate,
    coalesce(counted.orders, 0)::bigint as orders,
    coalesce(counted.revenue, 0)::decimal(18, 4) as revenue,
    coalesce(sum(counted.orders) over to_date, 0)::bigint as orders_to_date,
    coalesce(sum(counted.revenue) over to_date, 0)::decimal(18, 4) as revenue_to_date,
    coalesce(sum(counted.revenue) over to_date, 0)::double / customers as revenue_per_customer_to_date
from sizes
inner join months on sizes.cohort_month <= months.month_start
left join
    counted
    on sizes.cohort_month = counted.cohort_month
    and months.snapshot_date = counted.snapshot_date
window to_date as (partition by sizes.cohort_month order by months.snapshot_date);

create table engagement.marts.fct_customer_survival as
with
    first_lapses as (select person, min(lapsed_on) as lapsed_on from lapse_days group by person),

    ends as (
        select
            is_left_truncated,
            acquisition_channel,
            coalesce(lapsed_on, getvariable('as_of')) - first_on as days_since_first,
            count(lapsed_on) as lapsed_customers,
            count(*) - count(lapsed_on) as censored_customers
        from cohorts
        left join first_lapses using (person)
        group by all
    ),

    populations as (
        select
            unnest(if(is_left_truncated, ['all'], ['all', 'beginning_seen'])) as population,
            acquisition_channel,
            days_since_first,
            lapsed_customers,
            censored_customers
        from ends
    ),

    steps as (
        select
            population,
            coalesce(acquisition_channel::varchar, 'all') as acquisition_channel,
            days_since_first,
            sum(lapsed_customers)::bigint as lapsed_customers,
            sum(censored_customers)::bigint as censored_customers
        from
            (
                from populations
                -- every curve begins on day 0
                union all
                select distinct population, acquisition_channel, 0, 0, 0
                from populations
            )
        group by
            grouping sets (
                (population, acquisition_channel, days_since_first), (population, days_since_first)
            )
    ),

    followed as (
        select
            *,
            (sum(lapsed_customers + censored_customers) over whole)::bigint as customers,
            (sum(lapsed_customers) over so_far)::bigint as lapsed_to_date,
            (sum(censored_customers) over so_far)::bigint as censored_to_date,
            customers
            - lapsed_to_date
            - censored_to_date
            + lapsed_customers
            + censored_customers as at_risk_customers
        from steps
        window
            whole as (partition by population, acquisition_channel),
            so_far as (partition by population, acquisition_channel order by days_since_first)
    ),

    estimated as (
        select
            *,
            product(1 - lapsed_customers / at_risk_customers) over so_far as survival,
            sqrt(
                sum(
                    lapsed_customers
                    / nullif(at_risk_customers * (at_risk_customers - lapsed_customers), 0)
                ) over so_far
            ) as relative_error
        from followed
        window so_far as (partition by population, acquisition_channel order by days_since_first)
    )
select
    population,
    acquisition_channel,
    days_since_first,
    getvariable('as_of') as snapshot_date,
    customers,
    at_risk_customers,
    lapsed_customers,
    censored_customers,
    lapsed_to_date,
    censored_to_date,
    survival,
    case when survival > 0 then survival * relative_error end as standard_error,
    case
        when survival > 0 and survival < 1
        then survival ** exp(threshold('wilson_z') * relative_error / - ln(survival))
    end as survival_lower,
    case
        when survival > 0 and survival < 1
        then survival ** exp(threshold('wilson_z') * relative_error / ln(survival))
    end as survival_upper
from estimated;
