-- Customers whose rows are deleted and built again from their whole history tonight:
-- changed ones, and those whom a change of a common fact reaches. Everybody else only
-- gains what is unknown. Empty in a full build. Grain: customer and reason.
{%- set interactions = ref("int_interactions__identified") %}
{%- set touches = ref("int_touches__identified") %}
{%- set active_days = ref("int_interactions__active_days") %}
{%- set population_gaps = ref("int_interactions__population_gaps") %}
{%- set source_starts = ref("int_interactions__source_starts") %}
{%- set feeds = ref("int_prompts__feeds") %}
{%- set campaigns = ref("stg_campaigns__campaigns") %}
{%- set promotions = ref("stg_promotions__promotions") %}
{%- set channels = ref("channels") %}
{#- read in a night only: dbt takes the order of models from a full build -#}
{%- set _ = ref("thresholds") %}
with

    changed_customers as (select * from {{ ref("int_night__changed_customers") }}),

    {% if builds_on_last_night() %}
        {%- set timeout = "60 * " ~ threshold_literal("visit_timeout_minutes") %}
        tracked_channels as (select channel from {{ channels }} where is_visit_tracked),

        -- a visit that goes on over the first unknown instant
        tracked as (
            select interactions.customer_id, interactions.occurred_at
            from {{ interactions }} as interactions
            semi join
                tracked_channels on interactions.channel = tracked_channels.channel
            where
                interactions.occurred_at
                >= {{ add_seconds(known_until(), "-" ~ timeout) }}
                and interactions.occurred_at < {{ add_seconds(known_until(), timeout) }}
        ),

        visiting as (
            select customer_id
            from tracked
            group by customer_id
            having
                min(occurred_at) < {{ known_until() }}
                and max(occurred_at) >= {{ known_until() }}
        ),

        -- back after the time at which a customer leaves the snapshots: there is no
        -- total to build on
        returned as (
            select distinct customer_id
            from {{ active_days }}
            where
                active_on >= {{ open_month() }}
                and previous_active_on < {{ open_month() }}
                and {{ open_month() }} - 1
                > {{ add_months("previous_active_on", threshold("inactive_months")) }}
        ),

        changed_campaigns as (
            select campaign_id
            from {{ campaigns }}
            where {{ is_unseen() }}
            union
            select campaign_id
            from {{ changes_of(campaigns) }}
            where {{ is_unseen() }}
        ),

        in_campaigns as (
            select customer_id
            from {{ interactions }}
            where
                campaign_id
                in (select changed_campaigns.campaign_id from changed_campaigns)
                and occurred_at < {{ known_until() }}
            union
            select customer_id
            from {{ touches }}
            where
                campaign_id
                in (select changed_campaigns.campaign_id from changed_campaigns)
                and touched_at < {{ known_until() }}
        ),

        changed_promotions as (
            select sales_channel, starts_at, ends_at
            from {{ promotions }}
            where {{ is_unseen() }} and starts_at < {{ known_until() }}
            union all
            select sales_channel, starts_at, ends_at
            from {{ changes_of(promotions) }}
            where {{ is_unseen() }} and starts_at < {{ known_until() }}
        ),

        promoted_channels as (
            select
                channels.channel,
                min(changed_promotions.starts_at) as starts_at,
                max(changed_promotions.ends_at) as ends_at
            from {{ channels }} as channels
            inner join
                changed_promotions
                on channels.sales_channel
                = coalesce(changed_promotions.sales_channel, channels.sales_channel)
            group by channels.channel
        ),

        in_promotions as (
            select distinct interactions.customer_id
            from {{ interactions }} as interactions
            inner join
                promoted_channels
                on interactions.channel = promoted_channels.channel
                and interactions.occurred_at >= promoted_channels.starts_at
                and interactions.occurred_at < promoted_channels.ends_at
            where interactions.occurred_at < {{ known_until() }}
        ),

        -- prompts are known from the first feed on: it may start earlier, or later
        changed_feeds as (
            select channel, covered_from, was_stored
            from {{ changes_of(feeds) }}
            where {{ is_unseen() }}
        ),

        unchanged_feeds as (
            select min(feeds.covered_from) as covered_from
            from {{ feeds }} as feeds
            anti join changed_feeds on feeds.channel = changed_feeds.channel
        ),

        first_feeds as (
            select min(feeds.covered_from) as covered_from from {{ feeds }} as feeds
        ),

        -- between what was the first start and what is; a killed night may have logged
        -- others on the way, so the latest one that was stored counts
        coverage as (
            select
                min(changed_feeds.covered_from) as least_from,
                greatest(
                    coalesce(
                        least(
                            max(
                                case
                                    when changed_feeds.was_stored
                                    then changed_feeds.covered_from
                                end
                            ),
                            max(unchanged_feeds.covered_from)
                        ),
                        {{ known_until() }}
                    ),
                    coalesce(max(first_feeds.covered_from), {{ known_until() }})
                ) as greatest_from
            from changed_feeds
            cross join unchanged_feeds
            cross join first_feeds
            where
                changed_feeds.covered_from <= unchanged_feeds.covered_from
                or unchanged_feeds.covered_from is null
        ),

        in_coverage as (
            select distinct interactions.customer_id
            from {{ interactions }} as interactions
            inner join
                coverage
                on interactions.occurred_at >= coverage.least_from
                and interactions.occurred_at <= coverage.greatest_from
            where interactions.occurred_at < {{ known_until() }}
        ),

        changed_starts as (
            select source_table, max(history_starts_on) as history_starts_on
            from {{ changes_of(source_starts) }}
            where {{ is_unseen() }}
            group by source_table
        ),

        near_starts as (
            select active_days.customer_id
            from {{ active_days }} as active_days
            inner join
                changed_starts
                on active_days.first_source_table = changed_starts.source_table
            where
                active_days.active_day_number = 1
                and {{
                    days_between(
                        "changed_starts.history_starts_on", "active_days.active_on"
                    )
                }} < {{ threshold("left_truncation_days") }}
        ),

        -- the population's gap stands in for customers with fewer than two gaps: in the
        -- closed snapshot of its month, and in the situations of the month after
        changed_gaps as (
            select month_start
            from {{ changes_of(population_gaps) }}
            where {{ is_unseen() }} and month_start < {{ open_month() }}
        ),

        few_gaps as (
            select
                customer_id,
                min(first_active_on) as first_active_on,
                min(
                    case when active_day_number = 3 then active_on end
                ) as third_active_on
            from {{ active_days }}
            where active_day_number <= 3
            group by customer_id
        ),

        in_gaps as (
            select distinct few_gaps.customer_id
            from few_gaps
            inner join
                changed_gaps
                on few_gaps.first_active_on
                < {{ add_months("changed_gaps.month_start", "2") }}
                and coalesce(few_gaps.third_active_on, {{ as_of() }})
                >= changed_gaps.month_start
        ),
    {%- endif %}

    final as (
        select customer_id, source_table, reason
        from changed_customers
        {%- if builds_on_last_night() %}
            {%- for found, source_table in [
                    ("visiting", "web_events"),
                    ("returned", "interactions"),
                    ("in_campaigns", "campaigns"),
                    ("in_promotions", "promotions"),
                    ("in_coverage", "touches"),
                    ("near_starts", "interactions"),
                    ("in_gaps", "interactions"),
                ] %}
                union
                select
                    customer_id,
                    '{{ source_table }}' as source_table,
                    '{{ found }}' as reason
                from {{ found }}
            {%- endfor %}
        {%- endif %}
    )

select *
from final
