-- What is known of a person at the end of a month, held against what comes in the days after it. The checksums,
-- by which nights tell what to count again, are no measures and are left out.
create type feature as enum (select feature from seed('outcome_features') order by all);

-- the days of every window that is over
create table window_days as
select
    month_start,
    snapshot_date,
    snapshot_date + threshold('outcome_window_days')::integer as window_ends_on,
    unnest(
        generate_series(
            (snapshot_date + 1)::timestamp, window_ends_on::timestamp, interval 1 day
        )
    )::date as day
from months
where
    snapshot_date = last_day(month_start)
    and snapshot_date + threshold('outcome_window_days')::integer <= getvariable('as_of');

create table outcomes as
with
    windows as (select distinct month_start, window_ends_on from window_days),

    spent as (
        select person, month_start, sum(revenue) as revenue
        from days
        inner join window_days on active_on = day
        where revenue <> 0
        group by all
    ),

    repurchases as (
        select distinct person, month_start, true as has_repurchased
        from marked_acts
        inner join order_values on source_key = order_values.order_id
        inner join window_days on occurred_on = day
        where act_type = 'order' and coalesce(on_day(cancelled_at) > window_ends_on, true)
    ),

    lapses as (
        select distinct person, month_start, true as has_lapsed
        from lapse_days
        inner join window_days on lapsed_on = day
    ),

    answers as (
        select
            person,
            month_start,
            arg_max(score, row(survey_responses.occurred_at, source_key)) as nps_score
        from survey_responses
        inner join seed('survey_scales') as scales using (metric)
        inner join
            people
            on coalesce('customer_ref:' || customer_ref, 'email:' || email) = people.key
        inner join window_days on on_day(survey_responses.occurred_at) = day
        where
            metric = 'nps'
            and coalesce(survey_responses.scale_min, scales.scale_min::double) = 0
            and coalesce(survey_responses.scale_max, scales.scale_max::double) = 10
            and score between 0 and 10
        group by all
    ),

    -- acts of a level from the first day on that a tier looks at
    tier_days as (
        select
            month_start,
            tier::varchar as level,
            tier_number::bigint as tier_number,
            acts_min::bigint as acts_min,
            unnest(
                generate_series(
                    (snapshot_date - window_days::integer + 1)::timestamp,
                    snapshot_date::timestamp,
                    interval 1 day
                )
            )::date as day
        from (select distinct month_start, snapshot_date from window_days)
        cross join seed('engagement_tiers')
    ),

    levels as (select distinct act_type, engagement_level as level from types),

    acts_of_level as (
        select person, month_start, tier_number
        from days
        inner join levels on days.act_type = levels.act_type
        inner join tier_days on levels.level = tier_days.level and active_on = day
        group by person, month_start, tier_number, acts_min
        having sum(interactions) >= acts_min
    ),

    tiers as (
        select person, month_start, max(tier_number) as tier_number
        from acts_of_level
        group by person, month_start
    )
select
    snapshots.person,
    snapshots.month_start,
    snapshot_date,
    window_ends_on,
    active_months,
    snapshot_date - last_active_on as recency_days,
    nullif(unprompted + prompted_explicitly + prompted_by_window, 0) as known,
    wilson(unprompted / known, known, -1) as proactive_share_lower,
    coalesce(active_days_90, 0) as active_days_90,
    exp(entropy(interactions, n_ln_n, types)) as effective_types,
    promotion_interactions / interactions as promotion_share,
    visits as visits_to_date,
    weighted_interactions as weighted_interactions_to_date,
    orders as orders_to_date,
    snapshots.revenue as revenue_to_date,
    coalesce(tier_number, 0) as tier_number,
    coalesce(spent.revenue, 0)::decimal(18, 4) as revenue,
    case when orders > 0 then coalesce(has_repurchased, false) end as has_repurchased,
    case
        when lapse_days.lapsed_on is null or lapse_days.lapsed_on > snapshot_date
        then coalesce(has_lapsed, false)
    end as has_lapsed,
    nps_score,
    case
        when nps_score >= threshold('nps_promoter_score') then 100
        when nps_score <= threshold('nps_detractor_score') then -100
        when nps_score is not null then 0
    end as nps_points
from snapshots
inner join windows using (month_start)
left join recent_days using (person, month_start)
left join
    lapse_days
    on snapshots.person = lapse_days.person
    and last_active_on = silent_since
left join spent on snapshots.person = spent.person and snapshots.month_start = spent.month_start
left join
    repurchases
    on snapshots.person = repurchases.person
    and snapshots.month_start = repurchases.month_start
left join
    lapses on snapshots.person = lapses.person and snapshots.month_start = lapses.month_start
left join
    answers on snapshots.person = answers.person and snapshots.month_start = answers.month_start
left join tiers on snapshots.person = tiers.person and snapshots.month_start = tiers.month_start
where is_in_life;

create table engagement.marts.fct_customer_outcomes as
select customer_id, outcomes.* exclude (person, month_start, known, nps_points)
from outcomes
inner join person_ids using (person);

-- Ranks of what came: doubled, so that mid-ranks are whole numbers. The proactive share is the one feature that
-- may be missing, so there are two populations to rank in: everybody, and those who have it.
create table outcome_ranks as
with
    values_of_outcomes as (
        select 'revenue' as outcome, snapshot_date, revenue as value, known
        from outcomes
        union all
        select 'nps', snapshot_date, nps_points, known
        from outcomes
        where nps_points is not null
    ),

    counted as (
        select
            outcome, snapshot_date, value, count(*) as all_customers, count(known) as known_customers
        from values_of_outcomes
        group by outcome, snapshot_date, value
    )
select
    *,
    (2 * sum(all_customers) over up_to - all_customers + 1)::double as rank_of_all,
    (2 * sum(known_customers) over up_to - known_customers + 1)::double as rank_of_known
from counted
window up_to as (partition by outcome, snapshot_date order by value);

-- How many share a value of a feature, and what came of them: ranks and correlations follow, and nobody is sorted.
create table feature_values as
with
    ranked as (
        select
            outcomes.snapshot_date,
            outcomes.active_months::double as active_months,
            outcomes.recency_days::double as recency_days,
            outcomes.proactive_share_lower::double as proactive_share_lower,
            outcomes.active_days_90::double as active_days_90,
            outcomes.effective_types::double as effective_types,
            outcomes.promotion_share::double as promotion_share,
            outcomes.visits_to_date::double as visits_to_date,
            outcomes.weighted_interactions_to_date::double as weighted_interactions_to_date,
            outcomes.orders_to_date::double as orders_to_date,
            outcomes.revenue_to_date::double as revenue_to_date,
            outcomes.tier_number::double as tier_number,
            outcomes.revenue,
            has_repurchased,
            has_lapsed,
            nps_points,
            by_revenue.rank_of_all as revenue_rank_of_all,
            by_revenue.rank_of_known as revenue_rank_of_known,
            by_nps.rank_of_all as nps_rank_of_all,
            by_nps.rank_of_known as nps_rank_of_known
        from outcomes
        inner join
            (from outcome_ranks where outcome = 'revenue') as by_revenue
            on outcomes.snapshot_date = by_revenue.snapshot_date
            and outcomes.revenue = by_revenue.value
        left join
            (from outcome_ranks where outcome = 'nps') as by_nps
            on outcomes.snapshot_date = by_nps.snapshot_date
            and outcomes.nps_points = by_nps.value
    ),

    grouped as (
        select
            snapshot_date,
            active_months,
            recency_days,
            proactive_share_lower,
            active_days_90,
            effective_types,
            promotion_share,
            visits_to_date,
            weighted_interactions_to_date,
            orders_to_date,
            revenue_to_date,
            tier_number,
            count(*) as customers,
            sum(revenue) as revenue,
            sum(revenue_rank_of_all) as revenue_ranks_of_all,
            sum(revenue_rank_of_known) as revenue_ranks_of_known,
            count(has_repurchased) as orderers,
            count_if(has_repurchased) as repurchasers,
            count(has_lapsed) as stayers,
            count_if(has_lapsed) as lapsers,
            count(nps_points) as respondents,
            sum(nps_points) as nps_points,
            sum(nps_rank_of_all) as nps_ranks_of_all,
            sum(nps_rank_of_known) as nps_ranks_of_known
        from ranked
        group by
            grouping sets (
                (snapshot_date, active_months),
                (snapshot_date, recency_days),
                (snapshot_date, proactive_share_lower),
                (snapshot_date, active_days_90),
                (snapshot_date, effective_types),
                (snapshot_date, promotion_share),
                (snapshot_date, visits_to_date),
                (snapshot_date, weighted_interactions_to_date),
                (snapshot_date, orders_to_date),
                (snapshot_date, revenue_to_date),
                (snapshot_date, tier_number)
            )
    )
select feature::feature as feature, * exclude (feature)
from
    grouped unpivot (
        value for feature in (
            active_months,
            recency_days,
            proactive_share_lower,
            active_days_90,
            effective_types,
            promotion_share,
            visits_to_date,
            weighted_interactions_to_date,
            orders_to_date,
            revenue_to_date,
            tier_number
        )
    );

create table segments as
with
    -- the rank of a value among those for whom the outcome is known, doubled
    ranked as (
        select
            *,
            feature = 'proactive_share_lower' as is_of_known,
            sum(customers::double) over up_to as customers_up_to,
            sum(orderers::double) over up_to as orderers_up_to,
            sum(stayers::double) over up_to as stayers_up_to,
            sum(respondents::double) over up_to as respondents_up_to
        from feature_values
        window up_to as (partition by snapshot_date, feature order by value)
    ),

    -- who says yes is counted; the ranks of yes and no follow from how many there are
    held_against as (
        select
            snapshot_date,
            feature,
            value,
            'revenue' as outcome,
            customers,
            2 * customers_up_to - customers + 1 as value_rank,
            revenue as total,
            if(is_of_known, revenue_ranks_of_known, revenue_ranks_of_all) as outcome_ranks
        from ranked
        where feature in (
            select features.feature
            from seed('outcome_features') as features
            where not features.is_purchase_based::boolean
        )
        union all
        select
            snapshot_date,
            feature,
            value,
            'repurchase',
            orderers,
            2 * orderers_up_to - orderers + 1,
            repurchasers,
            repurchasers
        from ranked
        where orderers > 0
        union all
        select
            snapshot_date,
            feature,
            value,
            'lapse',
            stayers,
            2 * stayers_up_to - stayers + 1,
            lapsers,
            lapsers
        from ranked
        where stayers > 0
        union all
        select
            snapshot_date,
            feature,
            value,
            'nps',
            respondents,
            2 * respondents_up_to - respondents + 1,
            nps_points,
            if(is_of_known, nps_ranks_of_known, nps_ranks_of_all)
        from ranked
        where respondents > 0
    ),

    populations as (
        select snapshot_date, feature, outcome, sum(customers)::bigint as population
        from held_against
        group by all
    )
select
    snapshot_date,
    feature,
    outcome,
    case
        when feature = 'tier_number' then value::bigint
        else 5 * (value_rank::bigint - 1) // (2 * population) + 1
    end as segment_number,
    sum(customers)::bigint as customers,
    min(value) as feature_lowest,
    max(value) as feature_highest,
    sum(total)::decimal(28, 4) as outcome_total,
    sum(customers * value_rank * value_rank) as squares,
    sum(value_rank * outcome_ranks) as products
from held_against
inner join populations using (snapshot_date, feature, outcome)
group by all;

create macro bound(correlation, n, sign) as case
    when n > 3 and abs(correlation) < 1
    then
        tanh(
            atanh(correlation)
            + sign * threshold('wilson_z') * sqrt((1 + correlation ** 2 / 2) / (n - 3))
        )
end;

create table engagement.marts.fct_engagement_outcomes as
with
    outcome_squares as (
        select
            snapshot_date,
            outcome,
            sum(all_customers * rank_of_all ** 2) as squares_of_all,
            sum(known_customers * rank_of_known ** 2) as squares_of_known
        from outcome_ranks
        group by all
    ),

    -- of who says no and who says yes there are two ranks
    everybody as (
        select
            snapshot_date,
            feature,
            outcome,
            sum(customers)::double as n,
            sum(outcome_total)::double as total,
            total / n as overall_mean,
            n * (n + 1) ** 2 as expected,
            n - total + 1 as rank_of_no,
            2 * n - total + 1 as rank_of_yes,
            sum(squares) - expected as feature_variation,
            sum(products) as products
        from segments
        group by all
    ),

    correlated as (
        select
            everybody.*,
            case
                when outcome in ('repurchase', 'lapse')
                then
                    (n - total) * rank_of_no ** 2 + total * rank_of_yes ** 2
                when feature = 'proactive_share_lower'
                then squares_of_known
                else squares_of_all
            end
            - expected as outcome_variation,
            case
                when outcome in ('repurchase', 'lapse')
                then rank_of_no * (n * (n + 1) - products) + rank_of_yes * products
                else products
            end
            - expected as covariation,
            covariation
            / nullif(sqrt(feature_variation * outcome_variation), 0) as correlation
        from everybody
        left join outcome_squares using (snapshot_date, outcome)
    ),

    shown as (
        select
            snapshot_date,
            feature,
            outcome,
            if(feature = 'tier_number', 'tier', 'quintile') as segmentation,
            case
                when feature <> 'tier_number'
                then segment_number::varchar
                else coalesce(tiers.tier, 'none')
            end as segment,
            customers,
            feature_lowest,
            feature_highest,
            outcome_total
        from segments
        left join seed('engagement_tiers') as tiers on segment_number = tiers.tier_number::bigint
        union all
        select
            snapshot_date,
            feature,
            outcome,
            'all',
            'all',
            sum(customers)::bigint,
            min(feature_lowest),
            max(feature_highest),
            sum(outcome_total)::decimal(28, 4)
        from segments
        group by all
    )
select
    shown.snapshot_date,
    shown.feature::varchar as feature,
    shown.outcome,
    segmentation,
    segment,
    window_ends_on,
    dimension,
    customers,
    feature_lowest,
    feature_highest,
    shown.outcome_total,
    shown.outcome_total::double / customers as outcome_mean,
    overall_mean,
    outcome_mean - overall_mean as difference,
    case
        when shown.outcome <> 'nps' and overall_mean > 0 then outcome_mean / overall_mean - 1
    end as lift,
    case when segmentation = 'all' then correlation end as spearman,
    bound(spearman, customers, -1) as spearman_lower,
    bound(spearman, customers, 1) as spearman_upper,
    features_version
from shown
inner join correlated using (snapshot_date, feature, outcome)
inner join seed('outcome_features') as features on shown.feature = features.feature::feature
inner join (select distinct snapshot_date, window_ends_on from window_days) as windows using (snapshot_date);
