{{
    config(
        materialized="incremental",
        incremental_strategy="summed",
        meta={
            "summed": {
                "rows": "fct_customer_outcomes",
                "by": "snapshot_date",
            },
        },
    )
}}
-- Which kinds of engagement go with which outcomes: the customers of a closed snapshot
-- by quintile of a feature at T, and by tier, against what they did in the window
-- after it.
-- Association, not cause. Grain: snapshot date, feature, outcome, segmentation and
-- segment. Everything is counted from a table of how many customers share a pair of
-- values, so that ties share a rank and a quintile and nothing has to be sorted. A
-- night counts again only the snapshots whose customers have changed.
{%- set customer_outcomes = ref("fct_customer_outcomes") %}
{%- set series = [] %}
{%- for feature in outcome_features() %}
    {%- for outcome in outcome_values() %}
        {%- do series.append((feature, outcome)) %}
    {%- endfor %}
{%- endfor %}
with

    checksums as (
        select
            snapshot_date,
            min(window_ends_on) as window_ends_on,
            sum(row_checksum) as inputs_checksum
        from {{ customer_outcomes }}
        group by snapshot_date
    ),

    changed as (
        select checksums.*
        from checksums
        {%- if builds_on_last_night() %}
            anti join
                {{ this }} as former
                on checksums.snapshot_date = former.snapshot_date
                and checksums.inputs_checksum = former.inputs_checksum
        {%- endif %}
    ),

    customers as (
        select counted.*
        from {{ customer_outcomes }} as counted
        semi join changed on counted.snapshot_date = changed.snapshot_date
    ),

    -- what rests on purchases would foretell revenue by itself
    features as (select * from {{ ref("outcome_features") }}),

    tiers as (select * from {{ ref("engagement_tiers") }}),

    -- every feature with every outcome, by a number: what is counted and sorted by the
    -- million has no names in it
    numbered as (
        {% for feature, outcome in series -%}
            select
                {{ loop.index }} as series_number,
                '{{ feature }}' as feature,
                '{{ outcome }}' as outcome {{ "union all" if not loop.last }}
        {% endfor -%}
    ),

    series as (
        select
            numbered.series_number,
            numbered.feature,
            numbered.outcome,
            features.dimension,
            features.features_version
        from numbered
        inner join features on numbered.feature = features.feature
        where not (features.is_purchase_based and numbered.outcome = 'revenue')
    ),

    -- customers who share the value of a feature and that of an outcome
    shared as (
        {% for feature, outcome in series -%}
            {%- set value = outcome_values()[outcome] -%}
            select
                snapshot_date,
                {{ loop.index }} as series_number,
                cast({{ feature }} as double) as feature_value,
                cast({{ value }} as decimal(18, 4)) as outcome_value,
                count(*) as customers
            from customers
            where {{ feature }} is not null and {{ value }} is not null
            group by
                snapshot_date,
                feature_value,
                outcome_value {{ "union all" if not loop.last }}
        {% endfor -%}
    ),

    tier_series as (select series_number from series where feature = 'tier_number'),

    pairs as (
        select shared.*
        from shared
        semi join series on shared.series_number = series.series_number
    ),

    by_feature as (
        select
            snapshot_date,
            series_number,
            feature_value,
            cast(sum(customers) as bigint) as customers,
            sum(customers * outcome_value) as outcome_total
        from pairs
        group by snapshot_date, series_number, feature_value
    ),

    placed_features as (
        select
            *,
            cast(
                2 * sum(customers) over up_to - customers as bigint
            ) as twice_rank_less_one,
            cast(sum(customers) over everybody as bigint) as all_customers
        from by_feature
        window
            everybody as (partition by snapshot_date, series_number),
            up_to as (
                partition by snapshot_date, series_number
                order by feature_value
                rows between unbounded preceding and current row
            )
    ),

    -- twice the distance of the mid-rank from the middle is a whole number
    ranked_features as (
        select
            *,
            twice_rank_less_one - all_customers as feature_rank,
            cast(
                floor(
                    cast(5 * twice_rank_less_one as double) / (2 * all_customers)
                ) as bigint
            )
            + 1 as quintile
        from placed_features
    ),

    by_outcome as (
        select
            snapshot_date,
            series_number,
            outcome_value,
            cast(sum(customers) as bigint) as customers
        from pairs
        group by snapshot_date, series_number, outcome_value
    ),

    ranked_outcomes as (
        select
            snapshot_date,
            series_number,
            outcome_value,
            cast(
                2 * sum(customers) over up_to
                - customers
                - sum(customers) over everybody as bigint
            ) as outcome_rank
        from by_outcome
        window
            everybody as (partition by snapshot_date, series_number),
            up_to as (
                partition by snapshot_date, series_number
                order by outcome_value
                rows between unbounded preceding and current row
            )
    ),

    products as (
        select
            pairs.snapshot_date,
            pairs.series_number,
            sum({{ rank_product("feature_rank", "feature_rank") }}) as feature_squares,
            sum({{ rank_product("outcome_rank", "outcome_rank") }}) as outcome_squares,
            sum({{ rank_product("feature_rank", "outcome_rank") }}) as cross_products
        from pairs
        inner join
            ranked_features
            on pairs.snapshot_date = ranked_features.snapshot_date
            and pairs.series_number = ranked_features.series_number
            and pairs.feature_value = ranked_features.feature_value
        inner join
            ranked_outcomes
            on pairs.snapshot_date = ranked_outcomes.snapshot_date
            and pairs.series_number = ranked_outcomes.series_number
            and pairs.outcome_value = ranked_outcomes.outcome_value
        group by pairs.snapshot_date, pairs.series_number
    ),

    -- null where everybody shares one value
    correlated as (
        select
            snapshot_date,
            series_number,
            cast(cross_products as double) / nullif(
                sqrt(cast(feature_squares as double) * cast(outcome_squares as double)),
                0
            ) as spearman
        from products
    ),

    everybody as (
        select
            snapshot_date,
            series_number,
            'all' as segmentation,
            'all' as segment,
            sum(customers) as customers,
            min(feature_value) as feature_lowest,
            max(feature_value) as feature_highest,
            sum(outcome_total) as outcome_total
        from by_feature
        group by snapshot_date, series_number
    ),

    segments as (
        select *
        from everybody
        union all
        select
            ranked_features.snapshot_date,
            ranked_features.series_number,
            'quintile' as segmentation,
            cast(ranked_features.quintile as {{ dbt.type_string() }}) as segment,
            sum(ranked_features.customers) as customers,
            min(ranked_features.feature_value) as feature_lowest,
            max(ranked_features.feature_value) as feature_highest,
            sum(ranked_features.outcome_total) as outcome_total
        from ranked_features
        anti join
            tier_series on ranked_features.series_number = tier_series.series_number
        group by
            ranked_features.snapshot_date,
            ranked_features.series_number,
            ranked_features.quintile
        union all
        select
            by_feature.snapshot_date,
            by_feature.series_number,
            'tier' as segmentation,
            coalesce(tiers.tier, 'none') as segment,
            by_feature.customers,
            by_feature.feature_value as feature_lowest,
            by_feature.feature_value as feature_highest,
            by_feature.outcome_total
        from by_feature
        semi join tier_series on by_feature.series_number = tier_series.series_number
        left join tiers on by_feature.feature_value = tiers.tier_number
    ),

    compared as (
        select
            segments.*,
            cast(segments.outcome_total as double) / segments.customers as outcome_mean,
            cast(everybody.outcome_total as double)
            / everybody.customers as overall_mean,
            case
                when segments.segmentation = 'all' then correlated.spearman
            end as spearman
        from segments
        inner join
            everybody
            on segments.snapshot_date = everybody.snapshot_date
            and segments.series_number = everybody.series_number
        inner join
            correlated
            on segments.snapshot_date = correlated.snapshot_date
            and segments.series_number = correlated.series_number
    ),

    final as (
        select
            compared.snapshot_date,
            series.feature,
            series.outcome,
            compared.segmentation,
            compared.segment,
            changed.window_ends_on,
            series.dimension,
            cast(compared.customers as bigint) as customers,
            compared.feature_lowest,
            compared.feature_highest,
            cast(compared.outcome_total as decimal(28, 4)) as outcome_total,
            compared.outcome_mean,
            compared.overall_mean,
            compared.outcome_mean - compared.overall_mean as difference,
            -- a share of a score that may be negative says nothing
            case
                when series.outcome <> 'nps' and compared.overall_mean > 0
                then compared.outcome_mean / compared.overall_mean - 1
            end as lift,
            compared.spearman,
            {{
                spearman_bound(
                    "compared.spearman",
                    "compared.customers",
                    threshold("wilson_z"),
                    upper=false,
                )
            }} as spearman_lower,
            {{
                spearman_bound(
                    "compared.spearman",
                    "compared.customers",
                    threshold("wilson_z"),
                    upper=true,
                )
            }} as spearman_upper,
            series.features_version,
            changed.inputs_checksum
        from compared
        inner join changed on compared.snapshot_date = changed.snapshot_date
        inner join series on compared.series_number = series.series_number
    )

select *
from final
