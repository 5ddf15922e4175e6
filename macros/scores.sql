{#- Scores: measures of customers, their ranks, and numbers said in words. Which measure counts for what stands in seed
    score_dimensions. -#}
{#- Measures of a customer among which the seed may choose; more of each is better. -#}
{% macro score_measures() -%}
    {{
        return(
            [
                "active_days",
                "active_weeks",
                "active_months",
                "active_week_ratio",
                "span_days",
                "tenure_days",
                "proactive_share",
                "proactive_share_lower",
                "strict_proactive_share",
                "unprompted",
                "active_days_7",
                "active_days_28",
                "active_days_90",
                "effective_types",
                "unpromoted_share",
                "contexts",
                "interactions",
                "weighted_interactions",
                "visits",
                "engaged_seconds",
                "orders",
                "revenue",
            ]
        )
    }}
{%- endmacro %}

{#- The five dimensions, in the order in which they are told. -#}
{% macro score_dimensions() -%}
    {{ return(["longevity", "proactiveness", "frequency", "context", "volume"]) }}
{%- endmacro %}

{#- Mid-rank percentile (mid-rank - 0.5) / n of a measure among the n rows of its group that have one; null where there
    is none. Whole numbers up to the one division, so that equal data give equal digits.

    measure     column of doubles
    customers   how many rows of the group have it
    group       expression that rows to be compared have in common; none: all rows -#}
{% macro mid_rank_percentile(measure, customers, group=none) -%}
    {#- those before a row, and those up to and with its peers, by one sorting: the whole of the peers is in the
        default frame -#}
    {%- set in_order = (
        ("partition by " ~ group ~ " " if group else "")
        ~ "order by "
        ~ measure
        ~ " nulls last"
    ) -%}
    case
        when {{ measure }} is not null
        then
            cast(
                rank() over ({{ in_order }})
                + count(*) over ({{ in_order }})
                - 1 as double
            )
            / (2 * {{ customers }})
    end
{%- endmacro %}

{#- A number as text: whole numbers as such, others with one decimal. -#}
{% macro said_number(number) -%}
    case
        when {{ number }} = floor({{ number }})
        then cast(cast({{ number }} as bigint) as {{ dbt.type_string() }})
        else cast(cast({{ number }} as decimal(18, 1)) as {{ dbt.type_string() }})
    end
{%- endmacro %}

{#- A number as text with one decimal. -#}
{% macro said_decimal(number) -%}
    cast(cast({{ number }} as decimal(18, 1)) as {{ dbt.type_string() }})
{%- endmacro %}
