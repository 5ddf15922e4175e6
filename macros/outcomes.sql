{#- The link of engagement with what comes after it. -#}
{#- What is known of a customer at T: columns of fct_customer_outcomes. Which of them are looked at, and which rest on
    purchases, says seed outcome_features. -#}
{% macro outcome_features() -%}
    {{
        return(
            [
                "active_months",
                "recency_days",
                "proactive_share_lower",
                "active_days_90",
                "effective_types",
                "promotion_share",
                "visits_to_date",
                "weighted_interactions_to_date",
                "orders_to_date",
                "revenue_to_date",
                "tier_number",
            ]
        )
    }}
{%- endmacro %}

{#- Those of them that a customer may not have: outcomes are ranked among those who do. The others are not null by the
    contract of fct_customer_outcomes. -#}
{% macro features_that_may_be_missing() -%}
    {{ return(["proactive_share_lower"]) }}
{%- endmacro %}

{#- What comes after T, by name, as an SQL expression over fct_customer_outcomes; null for who has no part in it. -#}
{% macro outcome_values() -%}
    {{
        return(
            {
                "revenue": "revenue",
                "repurchase": truth_value("has_repurchased"),
                "lapse": truth_value("has_lapsed"),
                "nps": nps_points("nps_score"),
            }
        )
    }}
{%- endmacro %}

{#- Those of them that come or do not, told by 1 and 0. -#}
{% macro outcome_conditions() -%} {{ return(["repurchase", "lapse"]) }} {%- endmacro %}

{#- Those of them that are known of few customers. -#}
{% macro rare_outcomes() -%} {{ return(["nps"]) }} {%- endmacro %}

{% macro truth_value(condition) -%}
    case when {{ condition }} then 1 when not {{ condition }} then 0 end
{%- endmacro %}

{#- What an answer on the scale from 0 to 10 adds to a Net Promoter Score: their mean is the score. -#}
{% macro nps_points(score) -%}
    case
        when {{ score }} >= {{ threshold("nps_promoter_score") }}
        then 100
        when {{ score }} <= {{ threshold("nps_detractor_score") }}
        then -100
        when {{ score }} is not null
        then 0
    end
{%- endmacro %}

{#- A product of ranks (twice their distance from the middle) and numbers of customers as a decimal: whole numbers, so
    that their sum is the same in any order. -#}
{% macro rank_product(left, right) -%}
    cast({{ left }} as decimal(19, 0)) * cast({{ right }} as decimal(19, 0))
{%- endmacro %}
