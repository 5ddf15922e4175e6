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
-- after it. Association, not cause. Grain: snapshot date, feature, outcome,
-- segmentation and segment. Ranks are counted from how many customers share a value,
-- so that ties share a rank and a quintile, and no customer has to be sorted. Numbers
-- of customers are added up as doubles, which hold whole numbers exactly and cost half
-- as much in a window. What comes or does not has two ranks, which follow from how
-- many it came to. A night counts again only the snapshots whose customers have
-- changed.
{%- set customer_outcomes = ref("fct_customer_outcomes") %}
{%- set series = [] %}
{%- set outcomes = outcome_values() | list %}
{%- set conditions = outcome_conditions() %}
{%- set ranked_outcomes = outcomes | reject("in", conditions) | list %}
{#- what is known of few customers is counted among these few -#}
{%- set rare = rare_outcomes() %}
{%- set common = outcomes | reject("in", rare) | list %}
{%- set counted = {"everybody": common, "few": rare} %}
{%- for feature in outcome_features() %}
    {%- for outcome in outcomes %}
        {%- do series.append((feature, outcome)) %}
    {%- endfor %}
{%- endfor %}
{%- set populations = ["everybody"] + features_that_may_be_missing() %}
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
        select
            counted.snapshot_date
            {%- for feature in outcome_features() %}
                , cast(counted.{{ feature }} as double) as {{ feature }}
            {%- endfor %}
            {%- for outcome, value in outcome_values().items() %}
                ,
                cast(
                    {{ value }}
                    as {{ "bigint" if outcome in conditions else "decimal(18, 4)" }}
                ) as {{ outcome }}_value
            {%- endfor %}
        from {{ customer_outcomes }} as counted
        semi join changed on counted.snapshot_date = changed.snapshot_date
    ),

    -- what rests on purchases would foretell revenue by itself
    features as (select * from {{ ref("outcome_features") }}),

    tiers as (select * from {{ ref("engagement_tiers") }}),

    -- every feature with every outcome, by a number: what is counted by the million has
    -- no names in it
    numbered as (
        {% for feature, outcome in series -%}
            select
                {{ loop.index }} as series_number,
                '{{ feature }}' as feature,
                '{{ outcome }}' as outcome,
                '{{ feature if feature in populations else "everybody" }}'
                as population,
                {{ "true" if outcome in conditions else "false" }} as is_condition
                {{ "union all" if not loop.last }}
        {% endfor -%}
    ),

    series as (
        select
            numbered.series_number,
            numbered.feature,
            numbered.outcome,
            numbered.population,
            numbered.is_condition,
            features.dimension,
            features.features_version
        from numbered
        inner join features on numbered.feature = features.feature
        where not (features.is_purchase_based and numbered.outcome = 'revenue')
    ),

    tier_series as (select series_number from series where feature = 'tier_number'),

    {%- for outcome in ranked_outcomes %}

        -- how many share a value of the outcome, among everybody and among those who
        -- have the features that may be missing
        {{ outcome }}_values as (
            select
                snapshot_date,
                {{ outcome }}_value
                {%- for population in populations %}
                    ,
                    count(
                        {{ population if population != "everybody" else "*" }}
                    ) as {{ population }}_customers
                {%- endfor %}
            from customers
            where {{ outcome }}_value is not null
            group by snapshot_date, {{ outcome }}_value
        ),

        -- twice the distance of the mid-rank from the middle is a whole number
        {{ outcome }}_ranks as (
            select
                snapshot_date,
                {{ outcome }}_value
                {%- for population in populations %}
                    ,
                    {{ population }}_customers,
                    cast(
                        2 * sum(cast({{ population }}_customers as double)) over up_to
                        - {{ population }}_customers
                        - sum(cast({{ population }}_customers as double)) over whole
                        as bigint
                    ) as {{ outcome }}_rank_of_{{ population }}
                {%- endfor %}
            from {{ outcome }}_values
            window
                whole as (partition by snapshot_date),
                up_to as (
                    partition by snapshot_date
                    order by {{ outcome }}_value
                    rows between unbounded preceding and current row
                )
        ),
    {%- endfor %}

    outcome_variations as (
        {%- for outcome in ranked_outcomes %}
            {%- set outcome_loop = loop %}
            {%- for population in populations %}
                select
                    snapshot_date,
                    '{{ outcome }}' as outcome,
                    '{{ population }}' as population,
                    sum(
                        {{
                            rank_product(
                                population ~ "_customers",
                                outcome
                                ~ "_rank_of_"
                                ~ population
                                ~ " * "
                                ~ outcome
                                ~ "_rank_of_"
                                ~ population,
                            )
                        }}
                    ) as outcome_squares
                from {{ outcome }}_ranks
                group by
                    snapshot_date
                    {{ "union all" if not (loop.last and outcome_loop.last) }}
            {%- endfor %}
        {%- endfor %}
    ),

    ranked as (
        select
            customers.*
            {%- for outcome in ranked_outcomes %}
                {%- for population in populations %}
                    , {{ outcome }}_ranks.{{ outcome }}_rank_of_{{ population }}
                {%- endfor %}
            {%- endfor %}
        from customers
        {%- for outcome in ranked_outcomes %}
            left join
                {{ outcome }}_ranks
                on customers.snapshot_date = {{ outcome }}_ranks.snapshot_date
                and customers.{{ outcome }}_value
                = {{ outcome }}_ranks.{{ outcome }}_value
        {%- endfor %}
    ),
    {%- for customers, counted_outcomes in counted.items() %}

        -- customers who share the value of a feature, and what came of them
        shared_by_{{ customers }} as (
            {% for feature in outcome_features() -%}
                {%- set population = (
                    feature if feature in populations else "everybody"
                ) -%}
                select
                    snapshot_date,
                    {{ loop.index }} as feature_number,
                    {{ feature }} as feature_value
                    {%- for outcome in counted_outcomes %}
                        ,
                        count({{ outcome }}_value) as {{ outcome }}_customers,
                        {%- if outcome in conditions %}
                            count(
                                case when {{ outcome }}_value = 1 then 1 end
                            ) as {{ outcome }}_total
                        {%- else %}
                            sum({{ outcome }}_value) as {{ outcome }}_total,
                            cast(
                                sum({{ outcome }}_rank_of_{{ population }}) as bigint
                            ) as {{ outcome }}_ranks
                        {%- endif %}
                    {%- endfor %}
                from ranked
                where
                    {{ feature }} is not null
                    {%- for outcome in counted_outcomes if customers == "few" %}
                        {{ "and (" if loop.first else "or" }}
                        {{ outcome }}_value is not null {{ ")" if loop.last }}
                    {%- endfor %}
                group by snapshot_date, {{ feature }} {{ "union all" if not loop.last }}
            {% endfor -%}
        ),

        placed_among_{{ customers }} as (
            select
                *
                {%- for outcome in counted_outcomes %}
                    ,
                    cast(
                        2 * sum(cast({{ outcome }}_customers as double)) over up_to
                        - {{ outcome }}_customers as bigint
                    ) as {{ outcome }}_twice_rank_less_one,
                    cast(
                        sum(cast({{ outcome }}_customers as double)) over whole
                        as bigint
                    ) as all_{{ outcome }}_customers
                {%- endfor %}
            from shared_by_{{ customers }}
            window
                whole as (partition by snapshot_date, feature_number),
                up_to as (
                    partition by snapshot_date, feature_number
                    order by feature_value
                    rows between unbounded preceding and current row
                )
        ),

    {%- endfor %}

    held_against as (
        {% for outcome in outcomes -%}
            select
                snapshot_date,
                {{ outcomes | length }} * (feature_number - 1)
                + {{ loop.index }} as series_number,
                feature_value,
                {{ outcome }}_customers as customers,
                cast({{ outcome }}_total as decimal(28, 4)) as outcome_total,
                {{ outcome }}_{{ "total" if outcome in conditions else "ranks" }}
                as outcome_ranks,
                {{ outcome }}_twice_rank_less_one
                - all_{{ outcome }}_customers as feature_rank,
                cast(
                    floor(
                        cast(5 * {{ outcome }}_twice_rank_less_one as double)
                        / (2 * all_{{ outcome }}_customers)
                    ) as bigint
                )
                + 1 as quintile
            from placed_among_{{ "few" if outcome in rare else "everybody" }}
            where {{ outcome }}_customers > 0 {{ "union all" if not loop.last }}
        {% endfor -%}
    ),

    -- a tier is a segment of its own
    segmented as (
        select
            held_against.*,
            tier_series.series_number is not null as is_of_tiers,
            case
                when tier_series.series_number is null
                then held_against.quintile
                else cast(held_against.feature_value as bigint)
            end as segment_number
        from held_against
        semi join series on held_against.series_number = series.series_number
        left join tier_series on held_against.series_number = tier_series.series_number
    ),

    parts as (
        select
            snapshot_date,
            series_number,
            is_of_tiers,
            segment_number,
            sum(customers) as customers,
            min(feature_value) as feature_lowest,
            max(feature_value) as feature_highest,
            sum(outcome_total) as outcome_total,
            sum(
                {{ rank_product("customers", "feature_rank * feature_rank") }}
            ) as feature_squares,
            sum({{ rank_product("outcome_ranks", "feature_rank") }}) as cross_products
        from segmented
        group by snapshot_date, series_number, is_of_tiers, segment_number
    ),

    everybody as (
        select
            snapshot_date,
            series_number,
            'all' as segmentation,
            'all' as segment,
            sum(customers) as customers,
            min(feature_lowest) as feature_lowest,
            max(feature_highest) as feature_highest,
            sum(outcome_total) as outcome_total,
            cast(sum(outcome_total) as bigint) as customers_it_came_to,
            sum(feature_squares) as feature_squares,
            sum(cross_products) as cross_products
        from parts
        group by snapshot_date, series_number
    ),

    -- of n customers and k to whom it came, a condition's ranks are n - k and -k: their
    -- products with ranks that add up to zero are n times the sum over the k, and their
    -- squares add up to n * k * (n - k)
    varied as (
        select
            everybody.snapshot_date,
            everybody.series_number,
            cast(everybody.feature_squares as double) as feature_squares,
            case
                when series.is_condition
                then
                    cast(everybody.customers as double)
                    * cast(everybody.cross_products as double)
                else cast(everybody.cross_products as double)
            end as cross_products,
            case
                when series.is_condition
                then
                    cast(
                        {{
                            rank_product(
                                "everybody.customers",
                                "everybody.customers_it_came_to * (everybody.customers - everybody.customers_it_came_to)",
                            )
                        }}
                        as double
                    )
                else cast(outcome_variations.outcome_squares as double)
            end as outcome_squares
        from everybody
        inner join series on everybody.series_number = series.series_number
        left join
            outcome_variations
            on everybody.snapshot_date = outcome_variations.snapshot_date
            and series.outcome = outcome_variations.outcome
            and series.population = outcome_variations.population
    ),

    -- null where everybody shares one value
    correlated as (
        select
            snapshot_date,
            series_number,
            cross_products
            / nullif(sqrt(feature_squares * outcome_squares), 0) as spearman
        from varied
    ),

    segments as (
        select
            snapshot_date,
            series_number,
            segmentation,
            segment,
            customers,
            feature_lowest,
            feature_highest,
            outcome_total
        from everybody
        union all
        select
            parts.snapshot_date,
            parts.series_number,
            case when parts.is_of_tiers then 'tier' else 'quintile' end as segmentation,
            case
                when parts.is_of_tiers
                then coalesce(tiers.tier, 'none')
                else cast(parts.segment_number as {{ dbt.type_string() }})
            end as segment,
            parts.customers,
            parts.feature_lowest,
            parts.feature_highest,
            parts.outcome_total
        from parts
        left join tiers on parts.segment_number = tiers.tier_number
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
