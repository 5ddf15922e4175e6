-- Who is engaged, and why: every customer of the current snapshot with the measures,
-- ranks and weights that make up the score, the tier with the acts that earned it,
-- where the customer stands, and what the customer is worth. Percentiles are taken
-- within the tenure band, or among all where the band is small. Grain: one customer.
{%- set dimensions = score_dimensions() %}
{%- set stages = ["company", "content", "community"] %}
{%- set tiers = ["low", "medium", "high", "highest"] %}
{%- set kinds = {
    "four_i": ["involvement", "interaction", "intimacy", "influence"],
    "jakobson_function": ["emotional", "conative", "cognitive"],
} %}
{%- set year_before = "(" ~ as_of() ~ " - 365)" %}
{%- set quarter_before = "(" ~ as_of() ~ " - 90)" %}
with

    longevity as (select * from {{ ref("fct_engagement_longevity") }} where is_current),

    proactiveness as (
        select * from {{ ref("fct_engagement_proactiveness") }} where is_current
    ),

    frequency as (select * from {{ ref("fct_engagement_frequency") }} where is_current),

    contexts as (
        select
            customer_id, max(promotion_share) as promotion_share, count(*) as contexts
        from {{ ref("fct_engagement_context") }}
        where is_current
        group by customer_id
    ),

    volumes as (
        select
            customer_id,
            sum({{ exact("weighted_interactions_to_date") }}) as weighted_interactions,
            sum({{ exact("engaged_seconds_to_date") }}) as engaged_seconds,
            sum(visits_to_date) as visits,
            sum(orders_to_date) as orders,
            sum(revenue_to_date) as revenue
        from {{ ref("fct_engagement_volume") }}
        where is_current
        group by customer_id
    ),

    types as (
        select
            interaction_type,
            min(four_i) as four_i,
            min(jakobson_function) as jakobson_function,
            max(taxonomy_version) as taxonomy_version
        from {{ ref("dim_interaction_types") }}
        group by interaction_type
    ),

    taxonomy as (select max(taxonomy_version) as taxonomy_version from types),

    days as (
        select *
        from {{ ref("fct_engagement_days") }}
        where active_on > {{ year_before }}
    ),

    -- additive: an order that was cancelled takes its revenue back on that day
    lately as (
        select
            days.customer_id,
            sum(days.interactions) as interactions_365,
            {%- for kind, values in kinds.items() %}
                {%- for value in values %}
                    sum(
                        case
                            when types.{{ kind }} = '{{ value }}'
                            then days.interactions
                            else 0
                        end
                    ) as {{ value }}_acts_365,
                {%- endfor %}
            {%- endfor %}
            sum(
                case
                    when days.active_on > {{ quarter_before }} then days.orders else 0
                end
            ) as orders_90,
            sum(days.orders) as orders_365,
            sum(
                case
                    when days.active_on > {{ quarter_before }} then days.revenue else 0
                end
            ) as revenue_90,
            sum(days.revenue) as revenue_365
        from days
        left join types on days.interaction_type = types.interaction_type
        group by days.customer_id
    ),

    felt as (
        select
            customer_id,
            sum({{ exact("sentiment") }}) as sentiment_sum,
            count(*) as sentiments_365
        from {{ ref("fct_interactions") }}
        where occurred_on > {{ year_before }} and sentiment is not null
        group by customer_id
    ),

    -- what days leave out: what renews itself is no act, and still worth something
    renewed as (
        select
            customer_id,
            sum(
                case when occurred_on > {{ quarter_before }} then revenue end
            ) as revenue_90,
            sum(revenue) as revenue_365
        from {{ ref("fct_interactions") }}
        where occurred_on > {{ year_before }} and prompt_status = 'system'
        group by customer_id
    ),

    answers as (select * from {{ ref("int_surveys__latest_answers") }}),

    tiers as (select * from {{ ref("int_tiers__customers") }}),

    journeys as (
        select customer_id, journey_stage, journey_version
        from {{ ref("fct_customer_journey") }}
        where is_current_stage
    ),

    bands as (select * from {{ ref("tenure_bands") }}),

    chosen as (
        select
            {%- for dimension in dimensions %}
                max(
                    case when dimension = '{{ dimension }}' then measure end
                ) as {{ dimension }}_measure_name,
                max(
                    case when dimension = '{{ dimension }}' then measure_name end
                ) as {{ dimension }}_said,
                bool_or(
                    dimension = '{{ dimension }}' and is_share
                ) as {{ dimension }}_is_share,
                max(
                    case when dimension = '{{ dimension }}' then weight end
                ) as {{ dimension }}_weight,
            {%- endfor %}
            max(weights_version) as weights_version
        from {{ ref("score_dimensions") }}
    ),

    measured as (
        select
            longevity.customer_id,
            longevity.snapshot_date,
            longevity.lifecycle_state,
            longevity.recency_days,
            longevity.is_lapsed,
            longevity.is_left_truncated,
            longevity.active_days,
            longevity.active_weeks,
            longevity.active_months,
            longevity.active_week_ratio,
            longevity.span_days,
            longevity.tenure_days,
            proactiveness.proactive_share,
            proactiveness.proactive_share_lower,
            proactiveness.strict_proactive_share,
            proactiveness.unprompted,
            proactiveness.unprompted
            + proactiveness.prompted as prompt_known_interactions,
            proactiveness.is_low_sample,
            frequency.active_days_7,
            frequency.active_days_28,
            frequency.active_days_90,
            frequency.effective_types,
            frequency.interactions,
            1 - contexts.promotion_share as unpromoted_share,
            contexts.contexts,
            volumes.weighted_interactions,
            volumes.engaged_seconds,
            volumes.visits,
            volumes.orders,
            volumes.revenue
        from longevity
        inner join proactiveness on longevity.customer_id = proactiveness.customer_id
        inner join frequency on longevity.customer_id = frequency.customer_id
        inner join contexts on longevity.customer_id = contexts.customer_id
        inner join volumes on longevity.customer_id = volumes.customer_id
    ),

    banded as (
        select
            measured.*,
            bands.tenure_band,
            bands.band_name,
            bands.bands_version,
            {%- for dimension in dimensions %}
                case
                    chosen.{{ dimension }}_measure_name
                    {%- for measure in score_measures() %}
                        when '{{ measure }}' then cast(measured.{{ measure }} as double)
                    {%- endfor %}
                end as {{ dimension }}_measure,
                chosen.{{ dimension }}_said,
                chosen.{{ dimension }}_is_share,
                coalesce(chosen.{{ dimension }}_weight, 0) as {{ dimension }}_weight,
            {%- endfor %}
            chosen.weights_version
        from measured
        cross join chosen
        left join
            bands
            on measured.tenure_days >= bands.from_days
            and measured.tenure_days
            < coalesce(bands.until_days, measured.tenure_days + 1)
    ),

    band_sizes as (
        select
            tenure_band,
            count(*) as band_customers,
            coalesce(
                count(*) >= {{ threshold("score_band_customers") }}
                and tenure_band is not null,
                false
            ) as is_ranked_in_band
            {%- for dimension in dimensions %}
                , count({{ dimension }}_measure) as {{ dimension }}_customers
            {%- endfor %}
        from banded
        group by tenure_band
    ),

    all_sizes as (
        select
            cast(sum(band_customers) as bigint) as all_customers,
            count(case when not is_ranked_in_band then 1 end) as small_bands
            {%- for dimension in dimensions %}
                ,
                cast(
                    sum({{ dimension }}_customers) as bigint
                ) as {{ dimension }}_customers
            {%- endfor %}
        from band_sizes
    ),

    ranked_in_band as (
        select
            banded.*,
            coalesce(band_sizes.is_ranked_in_band, false) as is_ranked_in_band,
            band_sizes.band_customers,
            {%- for dimension in dimensions %}
                {{
                    mid_rank_percentile(
                        "banded." ~ dimension ~ "_measure",
                        "band_sizes." ~ dimension ~ "_customers",
                        "banded.tenure_band",
                    )
                }} as {{ dimension }}_percentile_in_band {{ "," if not loop.last }}
            {%- endfor %}
        from banded
        left join band_sizes on banded.tenure_band = band_sizes.tenure_band
    ),

    -- sorted only where a band is too small to be ranked by itself
    ranked_among_all as (
        select
            banded.customer_id,
            all_sizes.all_customers,
            {%- for dimension in dimensions %}
                {{
                    mid_rank_percentile(
                        "banded." ~ dimension ~ "_measure",
                        "all_sizes." ~ dimension ~ "_customers",
                    )
                }} as {{ dimension }}_percentile_of_all {{ "," if not loop.last }}
            {%- endfor %}
        from banded
        inner join all_sizes on all_sizes.small_bands > 0
    ),

    placed as (
        select
            ranked_in_band.*,
            case
                when ranked_in_band.is_ranked_in_band
                then ranked_in_band.band_customers
                else ranked_among_all.all_customers
            end as ranked_customers,
            {%- for dimension in dimensions %}
                case
                    when ranked_in_band.is_ranked_in_band
                    then ranked_in_band.{{ dimension }}_percentile_in_band
                    else ranked_among_all.{{ dimension }}_percentile_of_all
                end as {{ dimension }}_percentile,
            {%- endfor %}
            {% for dimension in dimensions -%}
                ranked_in_band.{{ dimension }}_weight {{ "+ " if not loop.last }}
            {%- endfor %} as all_weights,
            {% for dimension in dimensions -%}
                case
                    when ranked_in_band.{{ dimension }}_measure is not null
                    then ranked_in_band.{{ dimension }}_weight
                    else 0
                end {{ "+ " if not loop.last }}
            {%- endfor %} as known_weights
        from ranked_in_band
        left join
            ranked_among_all
            on ranked_in_band.customer_id = ranked_among_all.customer_id
            and not ranked_in_band.is_ranked_in_band
    ),

    contributed as (
        select
            *,
            known_weights / nullif(all_weights, 0) as weight_coverage,
            {%- for dimension in dimensions %}
                100
                * {{ dimension }}_weight
                * {{ dimension }}_percentile
                / nullif(known_weights, 0) as {{ dimension }}_contribution,
                {{
                    said_decimal(
                        "100 * " ~ dimension ~ "_weight / nullif(known_weights, 0)"
                    )
                }} as {{ dimension }}_most {{ "," if not loop.last }}
            {%- endfor %}
        from placed
    ),

    scored as (
        select
            *,
            case
                when known_weights > 0
                then
                    {% for dimension in dimensions -%}
                        coalesce({{ dimension }}_contribution, 0)
                        {{ "+ " if not loop.last }}
                    {%- endfor %}
            end as score
        from contributed
    ),

    final as (
        select
            scored.customer_id,
            scored.snapshot_date,
            scored.score,
            tiers.tier,
            {%- for dimension in dimensions %}
                scored.{{ dimension }}_measure,
                scored.{{ dimension }}_percentile,
                scored.{{ dimension }}_weight,
                scored.{{ dimension }}_contribution,
            {%- endfor %}
            scored.weight_coverage,
            scored.tenure_band,
            scored.is_ranked_in_band,
            scored.ranked_customers,
            tiers.tier_acts,
            tiers.tier_act_types,
            {%- for tier in tiers %} tiers.{{ tier }}_acts, {%- endfor %}
            scored.lifecycle_state,
            scored.recency_days,
            scored.is_lapsed,
            tiers.engagement_stage,
            {%- for stage in stages %} tiers.{{ stage }}_acts, {%- endfor %}
            journeys.journey_stage,
            cast(coalesce(lately.interactions_365, 0) as bigint) as interactions_365,
            {%- for value in kinds["four_i"] + kinds["jakobson_function"] %}
                cast(
                    coalesce(lately.{{ value }}_acts_365, 0) as bigint
                ) as {{ value }}_acts_365,
            {%- endfor %}
            {%- for value in kinds["jakobson_function"] %}
                lately.{{ value }}_acts_365 / cast(
                    nullif(lately.interactions_365, 0) as double
                ) as {{ value }}_share_365,
            {%- endfor %}
            cast(coalesce(felt.sentiments_365, 0) as bigint) as sentiments_365,
            cast(felt.sentiment_sum as double)
            / nullif(felt.sentiments_365, 0) as mean_sentiment_365,
            answers.latest_csat_share,
            answers.latest_ces_share,
            answers.latest_nps_score,
            answers.latest_nps_on,
            case
                when answers.latest_nps_score >= {{ threshold("nps_promoter_score") }}
                then 'advocate'
                when answers.latest_nps_score <= {{ threshold("nps_detractor_score") }}
                then 'detractor'
                when answers.latest_nps_score is not null
                then 'passive'
            end as nps_group,
            cast(coalesce(lately.orders_90, 0) as bigint) as orders_90,
            cast(coalesce(lately.orders_365, 0) as bigint) as orders_365,
            cast(
                coalesce(lately.revenue_90, 0)
                + coalesce(renewed.revenue_90, 0) as decimal(18, 4)
            ) as revenue_90,
            cast(
                coalesce(lately.revenue_365, 0)
                + coalesce(renewed.revenue_365, 0) as decimal(18, 4)
            ) as revenue_365,
            scored.prompt_known_interactions,
            scored.is_low_sample,
            scored.is_left_truncated,
            -- the row in a sentence: nothing in it that is not in the row
            'Score '
            || coalesce({{ said_decimal("scored.score") }}, 'not known')
            || ' of 100, ranked among '
            || cast(scored.ranked_customers as {{ dbt.type_string() }})
            || ' customers'
            || case
                when scored.is_ranked_in_band then ' with ' || scored.band_name else ''
            end
            {%- for dimension in dimensions %}
                || '{{ ": " if loop.first else "; " }}'
                || coalesce(
                    scored.{{ dimension }}_said
                    || ' '
                    || case
                        when scored.{{ dimension }}_is_share
                        then
                            {{ said_decimal("100 * scored." ~ dimension ~ "_measure") }}
                            || ' %'
                        else {{ said_number("scored." ~ dimension ~ "_measure") }}
                    end
                    || ' (percentile '
                    || {{ said_decimal("100 * scored." ~ dimension ~ "_percentile") }}
                    || ', '
                    || {{ said_decimal("scored." ~ dimension ~ "_contribution") }}
                    || ' of '
                    || scored.{{ dimension }}_most
                    || ' points)',
                    '{{ dimension }} not known'
                )
            {%- endfor %}
            || '. Tier '
            || tiers.tier
            || coalesce(
                ': '
                || tiers.tier_act_types
                || ' in '
                || cast(tiers.tier_window_days as {{ dbt.type_string() }})
                || ' days',
                ''
            )
            || '.'
            || case
                when scored.is_low_sample
                then
                    ' Few interactions whose prompt is known ('
                    || cast(scored.prompt_known_interactions as {{ dbt.type_string() }})
                    || '): proactiveness is uncertain.'
                else ''
            end
            || case
                when scored.is_left_truncated
                then ' Seen from the start of the records: the tenure is a lower bound.'
                else ''
            end as explanation,
            scored.weights_version,
            scored.bands_version,
            tiers.tiers_version,
            tiers.stages_version,
            journeys.journey_version,
            taxonomy.taxonomy_version
        from scored
        cross join taxonomy
        inner join tiers on scored.customer_id = tiers.customer_id
        inner join journeys on scored.customer_id = journeys.customer_id
        left join lately on scored.customer_id = lately.customer_id
        left join felt on scored.customer_id = felt.customer_id
        left join renewed on scored.customer_id = renewed.customer_id
        left join answers on scored.customer_id = answers.customer_id
    )

select *
from final
