-- The published tables. Texts (ids, hashes, names) are put in last; whatever is added up further runs on numbers.
create schema engagement.marts;

create table visit_ids as
select person, visit_starts_at, min(source || ':' || source_key) as visit_id
from acts
inner join situations on acts.rowid = situations.act_no
where
    acts.occurred_at = situations.visit_starts_at
    and channel in (select channel from channels where is_visit_tracked)
    and not is_system
    and not is_date_only
group by all;

create table marked_acts as
with
    touch_history as (select min(touched_at) as known_from from touches),

    kinds as (
        select
            act_type,
            min(engagement_level) as engagement_level,
            max(weight) as weight,
            bool_or(is_intent) as is_intent,
            bool_or(is_page_view) as is_page_view
        from types
        group by act_type
    ),

    ruled as (
        select
            acts.*,
            situations.* exclude (act_no),
            channels.is_offline,
            case
                when channels.is_visit_tracked and not acts.is_system and not acts.is_date_only
                then situations.visit_starts_at
            end as own_visit_starts_at,
            kinds.* exclude (act_type),
            campaign_prompts.touch_no as campaign_touch_no,
            case
                when acts.is_system then 'system'
                when acts.is_explicit then 'explicit'
                when situations.open_touch_no > 0 then 'window'
                when touch_history.known_from <= acts.occurred_at then 'no_prompt'
                else 'no_coverage'
            end::prompt_rule as prompt_rule
        from acts
        inner join situations on acts.rowid = situations.act_no
        inner join channels on acts.channel = channels.channel
        inner join kinds on acts.act_type = kinds.act_type
        left join campaign_prompts on acts.rowid = campaign_prompts.act_no
        cross join touch_history
    )
select
    ruled.source,
    ruled.source_key,
    ruled.person,
    ruled.channel,
    ruled.act_type,
    ruled.occurred_at,
    ruled.occurred_on,
    ruled.is_date_only,
    visit_ids.visit_id,
    ruled.own_visit_starts_at,
    case
        when visit_ids.visit_id is null then true
        when ruled.own_visit_starts_at = ruled.occurred_at
        then visit_ids.visit_id = ruled.source || ':' || ruled.source_key
        else false
    end as is_visit_start,
    ruled.prompt_rule,
    touches.touch_no,
    seconds(touches.touched_at, ruled.occurred_at) as prompt_lag_seconds,
    coalesce(
        ruled.campaign_id, case when ruled.prompt_rule = 'window' then touches.campaign_id end
    ) as campaign_id,
    case
        when ruled.is_in_support_recovery then 'support_recovery'
        when
            isfinite(ruled.last_ordered_at)
            and seconds(ruled.last_ordered_at, ruled.occurred_at)
            <= 86400 * threshold('post_purchase_days')
        then 'post_purchase'
        when coalesce(not isfinite(ruled.last_ordered_at), true) then 'first_consideration'
        when
            active_days.gap_days
            > greatest(
                threshold('lapse_floor_days'),
                coalesce(
                    threshold('lapse_mean_gap_multiple') * active_days.mean_gap_before,
                    population_gaps.population_gap_days,
                    0
                )
            )
        then 'reactivation'
        when ruled.is_intent then 'repeat_consideration'
        else 'between_purchases'
    end::context as context,
    ruled.is_promotion_on_record
    or coalesce(campaigns.purpose = 'promotional', false)
    or promotion_days.channel is not null as in_promotion,
    ruled.is_offline,
    ruled.is_page_view,
    ruled.engagement_level,
    ruled.weight,
    ruled.engaged_seconds,
    ruled.sentiment,
    ruled.revenue,
    ruled.order_id,
    ruled.loaded_at
from ruled
left join
    touches
    on case
        when ruled.prompt_rule = 'window' then ruled.open_touch_no
        when ruled.prompt_rule = 'explicit' and ruled.campaign_id is null then ruled.open_touch_no
        when ruled.prompt_rule = 'explicit' then ruled.campaign_touch_no
    end = touches.touch_no
left join
    visit_ids
    on ruled.person = visit_ids.person
    and ruled.own_visit_starts_at = visit_ids.visit_starts_at
left join
    active_days
    on ruled.person = active_days.person
    and ruled.occurred_on = active_days.active_on
left join
    population_gaps
    on month_of(ruled.occurred_on) = population_gaps.month_start + interval 1 month
left join
    promotion_days
    on ruled.channel = promotion_days.channel
    and ruled.occurred_at::date = promotion_days.utc_day
    and ruled.occurred_at >= promotion_days.runs_from
    and ruled.occurred_at < promotion_days.runs_until
left join
    campaigns
    on coalesce(
        ruled.campaign_id, case when ruled.prompt_rule = 'window' then touches.campaign_id end
    )
    = campaigns.campaign_id;

drop table situations;
drop table acts;

create macro status_of(rule) as case
    rule
    when 'system' then 'system'
    when 'explicit' then 'prompted'
    when 'window' then 'prompted'
    when 'no_prompt' then 'unprompted'
    else 'unknown'
end;

create table engagement.marts.fct_interactions as
select
    marked_acts.source || ':' || marked_acts.source_key as interaction_id,
    customer_id,
    marked_acts.channel::varchar as channel,
    act_type::varchar as interaction_type,
    occurred_at,
    occurred_on,
    marked_acts.is_date_only,
    coalesce(visit_id, marked_acts.source || ':' || marked_acts.source_key) as visit_id,
    status_of(prompt_rule) as prompt_status,
    prompt_rule::varchar as prompt_rule,
    touches.source || ':' || touches.source_key as prompt_touch_id,
    prompt_lag_seconds,
    marked_acts.campaign_id,
    context::varchar as context,
    in_promotion,
    is_offline,
    engagement_level,
    weight,
    engaged_seconds,
    sentiment,
    revenue,
    order_id,
    marked_acts.source::varchar as source_table,
    marked_acts.source_key,
    marked_acts.loaded_at
from marked_acts
inner join person_ids using (person)
left join touches using (touch_no);

create table engagement.marts.fct_purchase_evidence as
select
    source || ':' || source_key as interaction_id,
    source::varchar as source_table,
    source_key,
    order_id,
    occurred_at,
    on_day(occurred_at) as occurred_on,
    counted_source || ':' || counted_source_key as counted_interaction_id,
    counted_source::varchar as counted_source_table,
    counted_source_key,
    seconds(counted_at, occurred_at) as seconds_apart,
    match_rule,
    precedence,
    campaign_id,
    engaged_seconds,
    sources_version,
    loaded_at
from purchase_evidence;

create table engagement.marts.fct_touches as
with
    answers as (
        select
            touch_no,
            min(occurred_at) as answered_at,
            min(prompt_lag_seconds) as response_seconds,
            count(*) as answers
        from marked_acts
        where touch_no is not null
        group by touch_no
    )
select
    source || ':' || source_key as touch_id,
    customer_id,
    touches.channel::varchar as channel,
    touches.campaign_id,
    campaigns.purpose,
    touched_at,
    on_day(touched_at) as touched_on,
    is_date_only,
    window_ends_at,
    answered_at is not null as is_answered,
    answered_at,
    response_seconds,
    coalesce(answers, 0) as answers,
    source::varchar as source_table,
    source_key,
    loaded_at
from touches
inner join person_ids using (person)
left join campaigns using (campaign_id)
left join answers using (touch_no);

create table engagement.marts.fct_visits as
with
    tracked as (
        select
            any_value(visit_id) as visit_id,
            person,
            any_value(channel) filter (is_visit_start) as channel,
            min(occurred_at) as started_at,
            max(occurred_at) as ended_at,
            count(*) as interactions,
            count_if(is_page_view) as page_views,
            coalesce(sum(engaged_seconds), 0) as engaged_seconds,
            bool_or(act_type = 'order') as has_order
        from marked_acts
        where own_visit_starts_at is not null
        group by person, own_visit_starts_at
    ),

    all_visits as (
        from tracked
        union all
        select
            source || ':' || source_key,
            person,
            channel,
            occurred_at,
            occurred_at,
            1,
            is_page_view::bigint,
            coalesce(engaged_seconds, 0),
            act_type = 'order'
        from marked_acts
        where own_visit_starts_at is null and prompt_rule <> 'system'
    )
select
    visit_id,
    customer_id,
    channel::varchar as channel,
    started_at,
    ended_at,
    on_day(started_at) as started_on,
    interactions,
    page_views::bigint as page_views,
    engaged_seconds,
    case
        when is_visit_tracked
        then page_views = 1 and engaged_seconds < threshold('bounce_engaged_seconds')
    end as is_bounce,
    has_order
from all_visits
inner join person_ids using (person)
inner join channels using (channel);

-- What was done on a day. A cancelled order counts on its day and is taken back on the day of its cancellation.
create table days as
with
    -- a cancelled order and what had come back of it until then
    reversed as (
        select marked_acts.*, order_values.amount, on_day(order_values.cancelled_at) as cancelled_on
        from marked_acts
        inner join order_values on marked_acts.source_key = order_values.order_id
        where marked_acts.act_type = 'order' and order_values.cancelled_at is not null
        union all
        select
            marked_acts.*, return_values.amount, on_day(order_values.cancelled_at) as cancelled_on
        from marked_acts
        inner join return_values on marked_acts.source_key = return_values.return_id
        inner join order_values on return_values.order_id = order_values.order_id
        where
            marked_acts.act_type = 'order_return'
            and marked_acts.occurred_at < order_values.cancelled_at
    ),

    entries as (
        select
            person,
            occurred_on as active_on,
            channel,
            act_type,
            context,
            prompt_rule,
            1 as interactions,
            is_visit_start::integer as visits,
            in_promotion::integer as promotion_interactions,
            is_offline::integer as offline_interactions,
            weight as weighted_interactions,
            engaged_seconds,
            (act_type = 'order')::integer as orders,
            revenue
        from marked_acts
        where prompt_rule <> 'system'
        union all by name
        select person, occurred_on as active_on, channel, act_type, context, prompt_rule, amount as revenue
        from reversed
        union all by name
        select
            person,
            cancelled_on as active_on,
            channel,
            act_type,
            context,
            prompt_rule,
            - (act_type = 'order')::integer as orders,
            - amount as revenue
        from reversed
    )
select
    person,
    active_on,
    channel,
    act_type,
    context,
    prompt_rule,
    coalesce(sum(interactions), 0)::bigint as interactions,
    coalesce(sum(visits), 0)::bigint as visits,
    coalesce(sum(promotion_interactions), 0)::bigint as promotion_interactions,
    coalesce(sum(offline_interactions), 0)::bigint as offline_interactions,
    coalesce(sum(weighted_interactions), 0) as weighted_interactions,
    coalesce(sum(engaged_seconds), 0) as engaged_seconds,
    coalesce(sum(orders), 0)::bigint as orders,
    coalesce(sum(revenue), 0)::decimal(18, 4) as revenue
from entries
group by person, active_on, channel, act_type, context, prompt_rule;

create table engagement.marts.fct_engagement_days as
select
    customer_id,
    active_on,
    channel::varchar as channel,
    act_type::varchar as interaction_type,
    context::varchar as context,
    status_of(prompt_rule) as prompt_status,
    prompt_rule::varchar as prompt_rule,
    interactions,
    visits,
    promotion_interactions,
    offline_interactions,
    weighted_interactions,
    engaged_seconds,
    orders,
    revenue
from days
inner join person_ids using (person);
