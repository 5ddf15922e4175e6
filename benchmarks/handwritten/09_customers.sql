-- Where customers stand: how far they came on their journey, how far their engagement goes, what they answered, and
-- one row that says who is engaged and why. All of it rests on days, where acts are added up already.

-- the current snapshot
create table alive as
select person, first_on
from snapshots
where is_current and is_in_life;

create table stages as
select journey_stage, stage_number::integer as stage, holds_days::integer as holds_days, journey_version
from seed('journey_stages');

create macro days_added(active_on, held_before, held_until) as case
    when held_until is not null
    then greatest(least(held_until, getvariable('as_of')) - greatest(active_on - 1, held_before), 0)
end;

create table journeys as
with
    -- an act of a stage holds the ones before it, too, and each at least as long as the next
    holds as (
        select
            reached.stage,
            max(held.holds_days) filter (held.stage >= 2) as familiarity_days,
            max(held.holds_days) filter (held.stage >= 3) as consideration_days,
            max(held.holds_days) filter (held.stage >= 4) as purchase_days,
            max(held.holds_days) filter (held.stage >= 5) as loyalty_days
        from stages as reached
        inner join stages as held on reached.stage >= held.stage
        where reached.stage > 1
        group by reached.stage
    ),

    type_stages as (
        select distinct interaction_type::act_type as act_type, stage
        from seed('interaction_types')
        inner join stages using (journey_stage)
        where stage > 1
    ),

    -- renewals are no acts, but the purchase stands
    order_days as (
        select person, occurred_on as active_on, bool_or(cancelled_at is null) as is_standing
        from marked_acts
        inner join order_values on marked_acts.source_key = order_values.order_id
        where source = 'orders'
        group by all
    ),

    stage_days as (
        select person, active_on, stage
        from days
        inner join type_stages using (act_type)
        where interactions > 0 and act_type <> 'order'
        union all
        select
            person,
            active_on,
            case
                when not is_standing then 3 -- who cancelled has considered
                when
                    active_on - lag(active_on) over (partition by person, is_standing order by active_on)
                    <= (select holds_days from stages where stage = 4)
                then 5
                else 4
            end
        from order_days
    ),

    furthest as (
        select person, active_on, max(stage) as stage
        from stage_days
        semi join alive using (person)
        group by person, active_on
    ),

    held as (
        select
            person,
            active_on,
            active_on + familiarity_days as familiarity_until,
            active_on + consideration_days as consideration_until,
            active_on + purchase_days as purchase_until,
            active_on + loyalty_days as loyalty_until
        from furthest
        inner join holds using (stage)
    ),

    following as (
        select
            *,
            max(familiarity_until) over earlier as familiarity_before,
            max(consideration_until) over earlier as consideration_before,
            max(purchase_until) over earlier as purchase_before,
            max(loyalty_until) over earlier as loyalty_before
        from held
        window
            earlier as (
                partition by person
                order by active_on
                rows between unbounded preceding and 1 preceding
            )
    ),

    -- what an act adds to the days held by the acts before it, up to the snapshot date
    added as (
        select
            person,
            min(active_on) as familiar_on,
            [
                min(active_on) filter (consideration_until is not null),
                min(active_on) filter (purchase_until is not null),
                min(active_on) filter (loyalty_until is not null)
            ] as further_on,
            [
                max(familiarity_until),
                max(consideration_until),
                max(purchase_until),
                max(loyalty_until)
            ] as holds_until,
            [
                sum(days_added(active_on, familiarity_before, familiarity_until)),
                sum(days_added(active_on, consideration_before, consideration_until)),
                sum(days_added(active_on, purchase_before, purchase_until)),
                sum(days_added(active_on, loyalty_before, loyalty_until))
            ] as held_days,
            [
                count(*) filter (familiarity_before < active_on - 1),
                count(*) filter (consideration_until is not null and consideration_before < active_on - 1),
                count(*) filter (purchase_until is not null and purchase_before < active_on - 1),
                count(*) filter (loyalty_until is not null and loyalty_before < active_on - 1)
            ] as gaps
        from following
        group by person
    ),

    first_touches as (
        select person, on_day(min(touched_at)) as touched_on from touches group by person
    )
select
    person,
    [least(first_on, touched_on, familiar_on), familiar_on] || coalesce(further_on, []) as reached_on,
    [null] || holds_until as holds_until,
    [getvariable('as_of') - least(first_on, touched_on, familiar_on) + 1]
    || coalesce(held_days, [0, 0, 0, 0])
    || [0] as held_days,
    [0] || coalesce(gaps, [0, 0, 0, 0]) as gaps,
    1 + coalesce(len(list_filter(holds_until, lambda until_on: until_on >= getvariable('as_of'))), 0)
    as current_stage
from alive
left join added using (person)
left join first_touches using (person);

create table engagement.marts.fct_customer_journey as
select
    customer_id,
    journey_stage,
    stage::bigint as stage_number,
    getvariable('as_of') as snapshot_date,
    reached_on[stage] as reached_on,
    reached_on[stage] - reached_on[1] as days_to_reach,
    (held_days[stage] - coalesce(held_days[stage + 1], 0))::bigint as days_in_stage,
    journeys.holds_until[stage] as holds_until,
    stage <= current_stage as is_held,
    stage = current_stage as is_current_stage,
    gaps[stage] + (stage > current_stage)::bigint as times_dropped_back,
    journey_version
from journeys
inner join person_ids using (person)
cross join stages
where reached_on[stage] is not null;

set variable tiers = (
    select map_from_entries(
        list((tier, {'acts': acts_min::integer, 'days': window_days::integer}))
    )
    from seed('engagement_tiers')
);

set variable engagement_stages = (
    select map_from_entries(
        list((engagement_stage, {'acts': acts_min::integer, 'days': window_days::integer}))
    )
    from seed('engagement_stages')
);

create macro tier(name) as getvariable('tiers')[name];

create macro engagement_stage(name) as getvariable('engagement_stages')[name];

create table kinds as
select distinct
    interaction_type::act_type as act_type,
    engagement_level as level,
    engagement_stage as whom_with,
    four_i,
    jakobson_function as function,
    tier(engagement_level).days as level_days,
    engagement_stage(engagement_stage).days as whom_with_days
from seed('interaction_types')
where route = 'interaction';

-- one pass over the last days serves tiers, stages, kinds of acts and worth
create table lately as
select
    person,
    act_type,
    coalesce(sum(interactions) filter (active_on > getvariable('as_of') - level_days), 0) as level_acts,
    coalesce(sum(interactions) filter (active_on > getvariable('as_of') - whom_with_days), 0)
    as whom_with_acts,
    coalesce(sum(interactions) filter (active_on > getvariable('as_of') - 365), 0) as acts_365,
    coalesce(sum(orders) filter (active_on > getvariable('as_of') - 90), 0) as orders_90,
    coalesce(sum(orders) filter (active_on > getvariable('as_of') - 365), 0) as orders_365,
    coalesce(sum(revenue) filter (active_on > getvariable('as_of') - 90), 0) as revenue_90,
    coalesce(sum(revenue) filter (active_on > getvariable('as_of') - 365), 0) as revenue_365
from days
inner join kinds using (act_type)
where
    active_on > getvariable('as_of') - greatest(
        365,
        (select max(window_days::integer) from seed('engagement_tiers')),
        (select max(window_days::integer) from seed('engagement_stages'))
    )
group by person, act_type;

create table person_tiers as
with
    counted as (
        select
            person,
            coalesce(sum(level_acts) filter (level = 'low'), 0)::bigint as low_acts,
            coalesce(sum(level_acts) filter (level = 'medium'), 0)::bigint as medium_acts,
            coalesce(sum(level_acts) filter (level = 'high'), 0)::bigint as high_acts,
            coalesce(sum(level_acts) filter (level = 'highest'), 0)::bigint as highest_acts,
            coalesce(sum(whom_with_acts) filter (whom_with = 'company'), 0)::bigint as company_acts,
            coalesce(sum(whom_with_acts) filter (whom_with = 'content'), 0)::bigint as content_acts,
            coalesce(sum(whom_with_acts) filter (whom_with = 'community'), 0)::bigint as community_acts
        from alive
        left join lately using (person)
        left join kinds using (act_type)
        group by person
    ),

    placed as (
        select
            *,
            case
                when highest_acts >= tier('highest').acts then 'highest'
                when high_acts >= tier('high').acts then 'high'
                when medium_acts >= tier('medium').acts then 'medium'
                when low_acts >= tier('low').acts then 'low'
                else 'none'
            end as tier,
            case
                when community_acts >= engagement_stage('community').acts then 'community'
                when content_acts >= engagement_stage('content').acts then 'content'
                when company_acts >= engagement_stage('company').acts then 'company'
                else 'none'
            end as whom_with
        from counted
    ),

    earned as (
        select
            person,
            string_agg(
                lately.act_type || ' ' || level_acts, ', ' order by level_acts desc, lately.act_type
            ) as act_types
        from placed
        inner join lately using (person)
        inner join kinds on lately.act_type = kinds.act_type and placed.tier = kinds.level
        where level_acts > 0
        group by person
    )
select
    placed.*,
    case tier
        when 'highest' then highest_acts
        when 'high' then high_acts
        when 'medium' then medium_acts
        when 'low' then low_acts
        else 0
    end as tier_acts,
    act_types as tier_act_types
from placed
left join earned using (person);

-- What surveys were answered, on which scale: what a response does not say of its scale the seed says.
create table answers as
with
    scales as (
        select
            metric as scale_metric,
            scale_min::double as usual_min,
            scale_max::double as usual_max,
            higher_is_better::boolean as usual_direction
        from seed('survey_scales')
    )
select
    person,
    source_key,
    coalesce(survey_id, 'none') as survey_id,
    metric,
    score,
    coalesce(scale_min, usual_min) as scale_min,
    coalesce(scale_max, usual_max) as scale_max,
    coalesce(higher_is_better, usual_direction) as higher_is_better,
    coalesce(
        score between coalesce(scale_min, usual_min) and coalesce(scale_max, usual_max), false
    ) as is_on_scale,
    scale_min is not null and scale_max is not null as is_scale_stated,
    least(invited_at, occurred_at) as asked_at,
    occurred_at as responded_at,
    on_day(occurred_at) as responded_on
from survey_responses
inner join scales on metric = scale_metric
left join people on coalesce('customer_ref:' || customer_ref, 'email:' || email) = people.key
where occurred_at < getvariable('known_until');

-- the NPS is defined on one scale only
set variable nps_scale = (
    select [scale_min::double, scale_max::double] from seed('survey_scales') where metric = 'nps'
);

create macro has_nps(metric, low, high) as
    metric = 'nps' and [low, high] = getvariable('nps_scale');

set variable dimensions = (
    select map_from_entries(
        list(
            (
                dimension,
                {'weight': weight::double, 'said': measure_name, 'is_share': is_share::boolean}
            )
        )
    )
    from seed('score_dimensions')
);

create macro dimension(name) as getvariable('dimensions')[name];

create macro one_decimal(number) as (number)::decimal(18, 1)::varchar;

create macro told(name, measure, percentile, contribution, known_weights) as coalesce(
    dimension(name).said
    || ' '
    || case
        when dimension(name).is_share then one_decimal(100 * measure) || ' %'
        when measure = floor(measure) then measure::bigint::varchar
        else one_decimal(measure)
    end
    || format(
        ' (percentile {}, {} of {} points)',
        one_decimal(100 * percentile),
        one_decimal(contribution),
        one_decimal(100 * dimension(name).weight / known_weights)
    ),
    name || ' not known'
);

create table engagement.marts.customer_engagement as
with
    to_date as (
        select
            person,
            sum(promotion_interactions) / sum(interactions) as promotion_share,
            sum(weighted_interactions)::decimal(38, 6)::double as weighted_interactions
        from days
        group by person
    ),

    measured as (
        select
            person,
            longevity.customer_id,
            lifecycle_state,
            recency_days,
            is_lapsed,
            is_left_truncated,
            is_low_sample,
            unprompted + prompted as prompt_known_interactions,
            tenure_band,
            band_name,
            bands_version,
            count(*) over (partition by tenure_band) as band_customers,
            count(*) over () as all_customers,
            band_customers >= threshold('score_band_customers') as is_ranked_in_band,
            active_months::double as longevity,
            proactive_share_lower as proactiveness,
            active_days_90::double as frequency,
            1 - promotion_share as context,
            weighted_interactions as volume
        from engagement.marts.fct_engagement_longevity as longevity
        inner join engagement.marts.fct_engagement_proactiveness as proactiveness
            on longevity.customer_id = proactiveness.customer_id
            and proactiveness.is_current
        inner join engagement.marts.fct_engagement_frequency as frequency
            on longevity.customer_id = frequency.customer_id
            and frequency.is_current
        inner join person_ids on longevity.customer_id = person_ids.customer_id
        inner join to_date using (person)
        inner join
            seed('tenure_bands')
            on tenure_days >= from_days::integer
            and tenure_days < coalesce(until_days::integer, tenure_days + 1)
        where longevity.is_current
    ),

    told_apart as (
        select person, tenure_band, is_ranked_in_band, dimension, measure
        from measured
        unpivot (measure for dimension in (longevity, proactiveness, frequency, context, volume))
    ),

    -- few values differ: they are ranked, with how many customers have each
    histogram as (
        select tenure_band, is_ranked_in_band, dimension, measure, count(*) as customers
        from told_apart
        group by all
    ),

    percentiles as (
        select
            *,
            (2 * sum(customers) over (partition by ranked_in, dimension order by measure) - customers)
            / (2 * sum(customers) over (partition by ranked_in, dimension)) as percentile
        from
            (
                select tenure_band as ranked_in, dimension, measure, customers
                from histogram
                where is_ranked_in_band
                union all
                select 'all', dimension, measure, sum(customers)
                from histogram
                group by all
            )
    ),

    placed as (
        select
            person,
            max(percentile) filter (dimension = 'longevity') as longevity_percentile,
            max(percentile) filter (dimension = 'proactiveness') as proactiveness_percentile,
            max(percentile) filter (dimension = 'frequency') as frequency_percentile,
            max(percentile) filter (dimension = 'context') as context_percentile,
            max(percentile) filter (dimension = 'volume') as volume_percentile,
            sum(dimension(dimension).weight) as known_weights
        from told_apart
        inner join percentiles using (dimension, measure)
        where ranked_in = if(is_ranked_in_band, tenure_band, 'all')
        group by person
    ),

    contributed as (
        select
            *,
            100 * dimension('longevity').weight * longevity_percentile / known_weights
            as longevity_contribution,
            100 * dimension('proactiveness').weight * proactiveness_percentile / known_weights
            as proactiveness_contribution,
            100 * dimension('frequency').weight * frequency_percentile / known_weights
            as frequency_contribution,
            100 * dimension('context').weight * context_percentile / known_weights as context_contribution,
            100 * dimension('volume').weight * volume_percentile / known_weights as volume_contribution,
            coalesce(longevity_contribution, 0)
            + coalesce(proactiveness_contribution, 0)
            + coalesce(frequency_contribution, 0)
            + coalesce(context_contribution, 0)
            + coalesce(volume_contribution, 0) as score,
            if(is_ranked_in_band, band_customers, all_customers) as ranked_customers
        from measured
        inner join placed using (person)
    ),

    acts as (
        select
            person,
            sum(acts_365)::bigint as interactions_365,
            coalesce(sum(acts_365) filter (four_i = 'involvement'), 0)::bigint as involvement_acts_365,
            coalesce(sum(acts_365) filter (four_i = 'interaction'), 0)::bigint as interaction_acts_365,
            coalesce(sum(acts_365) filter (four_i = 'intimacy'), 0)::bigint as intimacy_acts_365,
            coalesce(sum(acts_365) filter (four_i = 'influence'), 0)::bigint as influence_acts_365,
            coalesce(sum(acts_365) filter (function = 'emotional'), 0)::bigint as emotional_acts_365,
            coalesce(sum(acts_365) filter (function = 'conative'), 0)::bigint as conative_acts_365,
            coalesce(sum(acts_365) filter (function = 'cognitive'), 0)::bigint as cognitive_acts_365,
            sum(orders_90)::bigint as orders_90,
            sum(orders_365)::bigint as orders_365,
            sum(revenue_90) as revenue_90,
            sum(revenue_365) as revenue_365
        from lately
        inner join kinds using (act_type)
        group by person
    ),

    -- what renews itself is no act, and still worth something
    renewed_or_felt as (
        select
            person,
            count(sentiment) as sentiments,
            avg(sentiment) as mean_sentiment,
            sum(revenue) filter (prompt_rule = 'system' and occurred_on > getvariable('as_of') - 90)
            as renewed_90,
            sum(revenue) filter (prompt_rule = 'system') as renewed_365
        from marked_acts
        where
            occurred_on > getvariable('as_of') - 365
            and (sentiment is not null or prompt_rule = 'system')
        group by person
    ),

    latest as (
        select
            person,
            arg_max(score, row(responded_at, source_key)) filter (metric = 'nps') as nps_score,
            arg_max(responded_on, row(responded_at, source_key)) filter (metric = 'nps') as nps_on,
            arg_max(share, row(responded_at, source_key)) filter (metric = 'csat') as csat_share,
            arg_max(share, row(responded_at, source_key)) filter (metric = 'ces') as ces_share
        from
            (
                select
                    *,
                    if(higher_is_better, score - scale_min, scale_max - score) / (scale_max - scale_min)
                    as share
                from answers
            )
        where
            person is not null
            and is_on_scale
            and if(
                metric = 'nps',
                has_nps(metric, scale_min, scale_max),
                is_scale_stated and scale_min < scale_max
            )
        group by person
    ),

    versions as (
        select
            (select max(weights_version) from seed('score_dimensions')) as weights_version,
            (select max(tiers_version) from seed('engagement_tiers')) as tiers_version,
            (select max(stages_version) from seed('engagement_stages')) as stages_version,
            (select max(journey_version) from stages) as journey_version,
            (
                select max(taxonomy_version) from seed('interaction_types') where route = 'interaction'
            ) as taxonomy_version
    )
select
    customer_id,
    getvariable('as_of') as snapshot_date,
    score,
    tier,
    longevity as longevity_measure,
    longevity_percentile,
    dimension('longevity').weight as longevity_weight,
    longevity_contribution,
    proactiveness as proactiveness_measure,
    proactiveness_percentile,
    dimension('proactiveness').weight as proactiveness_weight,
    proactiveness_contribution,
    frequency as frequency_measure,
    frequency_percentile,
    dimension('frequency').weight as frequency_weight,
    frequency_contribution,
    context as context_measure,
    context_percentile,
    dimension('context').weight as context_weight,
    context_contribution,
    volume as volume_measure,
    volume_percentile,
    dimension('volume').weight as volume_weight,
    volume_contribution,
    known_weights / (select sum(weight::double) from seed('score_dimensions')) as weight_coverage,
    tenure_band,
    is_ranked_in_band,
    ranked_customers,
    tier_acts,
    tier_act_types,
    low_acts,
    medium_acts,
    high_acts,
    highest_acts,
    lifecycle_state,
    recency_days,
    is_lapsed,
    whom_with as engagement_stage,
    company_acts,
    content_acts,
    community_acts,
    journey_stage,
    coalesce(interactions_365, 0) as interactions_365,
    coalesce(involvement_acts_365, 0) as involvement_acts_365,
    coalesce(interaction_acts_365, 0) as interaction_acts_365,
    coalesce(intimacy_acts_365, 0) as intimacy_acts_365,
    coalesce(influence_acts_365, 0) as influence_acts_365,
    coalesce(emotional_acts_365, 0) as emotional_acts_365,
    coalesce(conative_acts_365, 0) as conative_acts_365,
    coalesce(cognitive_acts_365, 0) as cognitive_acts_365,
    emotional_acts_365 / nullif(interactions_365, 0) as emotional_share_365,
    conative_acts_365 / nullif(interactions_365, 0) as conative_share_365,
    cognitive_acts_365 / nullif(interactions_365, 0) as cognitive_share_365,
    coalesce(sentiments, 0) as sentiments_365,
    mean_sentiment as mean_sentiment_365,
    csat_share as latest_csat_share,
    ces_share as latest_ces_share,
    nps_score as latest_nps_score,
    nps_on as latest_nps_on,
    case
        when nps_score >= threshold('nps_promoter_score') then 'advocate'
        when nps_score <= threshold('nps_detractor_score') then 'detractor'
        when nps_score is not null then 'passive'
    end as nps_group,
    coalesce(orders_90, 0) as orders_90,
    coalesce(orders_365, 0) as orders_365,
    (coalesce(revenue_90, 0) + coalesce(renewed_90, 0))::decimal(18, 4) as revenue_90,
    (coalesce(revenue_365, 0) + coalesce(renewed_365, 0))::decimal(18, 4) as revenue_365,
    prompt_known_interactions,
    is_low_sample,
    is_left_truncated,
    format(
        'Score {} of 100, ranked among {} customers{}: {}; {}; {}; {}; {}. Tier {}{}.',
        one_decimal(score),
        ranked_customers,
        if(is_ranked_in_band, ' with ' || band_name, ''),
        told('longevity', longevity, longevity_percentile, longevity_contribution, known_weights),
        told(
            'proactiveness', proactiveness, proactiveness_percentile, proactiveness_contribution, known_weights
        ),
        told('frequency', frequency, frequency_percentile, frequency_contribution, known_weights),
        told('context', context, context_percentile, context_contribution, known_weights),
        told('volume', volume, volume_percentile, volume_contribution, known_weights),
        tier,
        coalesce(': ' || tier_act_types || ' in ' || tier(tier).days || ' days', '')
    )
    || if(
        is_low_sample,
        ' Few interactions whose prompt is known (' || prompt_known_interactions
        || '): proactiveness is uncertain.',
        ''
    )
    || if(is_left_truncated, ' Seen from the start of the records: the tenure is a lower bound.', '')
    as explanation,
    weights_version,
    bands_version,
    tiers_version,
    stages_version,
    versions.journey_version,
    taxonomy_version
from contributed
inner join person_tiers using (person)
inner join journeys using (person)
inner join stages on current_stage = stage
left join acts using (person)
left join renewed_or_felt using (person)
left join latest using (person)
cross join versions;
