-- A first look at the published file, one question a query; works in every tool that speaks DuckDB's SQL.
--     duckdb -readonly engagement.duckdb -f bi/first_look.sql

-- How fresh is what I see?
select run_id, as_of, business_time_zone, outcome, ended_at
from audit.runs
order by started_at desc
limit 3;

-- How did the base of customers move, month by month?
select snapshot_date, lifecycle_state, count(*) as customers, avg(tenure_days) as mean_tenure_days
from marts.fct_engagement_longevity
group by snapshot_date, lifecycle_state
order by snapshot_date, lifecycle_state;

-- Who comes of their own accord, and how sure is that?
select
    case
        when is_low_sample then 'too few acts to tell'
        when proactive_share_lower > 0.5 then 'mostly of their own accord'
        when proactive_share_upper < 0.5 then 'mostly prompted'
        else 'mixed'
    end as how,
    count(*) as customers,
    sum(unprompted) as unprompted,
    sum(prompted) as prompted
from marts.fct_engagement_proactiveness
where is_current
group by how
order by customers desc;

-- Which rhythms of engagement are there?
select pattern, count(*) as customers, avg(mean_gap_days) as mean_gap_days, avg(burstiness_adjusted) as burstiness
from marts.fct_engagement_frequency
where is_current
group by pattern
order by customers desc;

-- In which situations do they engage, and how much of it is under a promotion?
select context, sum(interactions) as interactions, sum(promotion_interactions) as promotion_interactions
from marts.fct_engagement_context
where is_current
group by context
order by interactions desc;

-- Through which channels, and for how much revenue?
select
    channel,
    count(*) as customers,
    sum(interactions_to_date) as interactions,
    sum(orders_to_date) as orders,
    sum(revenue_to_date) as revenue
from marts.fct_engagement_volume
where is_current
group by channel
order by interactions desc;

-- Who stays? Cohorts by month, with the numbers behind the rates.
select
    cohort_month,
    months_since_first,
    customers,
    active_customers,
    round(100 * retention_rate, 1) as retained_percent,
    at_risk_customers,
    newly_lapsed_customers,
    round(100 * churn_rate, 1) as churned_percent,
    revenue_per_customer_to_date
from marts.fct_cohort_retention
order by cohort_month, months_since_first;

-- What is the most engaged fifth worth more than the average, and how sure is the order?
select
    feature,
    customers,
    round(100 * lift, 1) as lift_percent,
    feature_lowest as from_value
from marts.fct_engagement_outcomes
where
    snapshot_date = (select max(snapshot_date) from marts.fct_engagement_outcomes)
    and outcome = 'revenue'
    and segment = '5'
order by lift desc;
