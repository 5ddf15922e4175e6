{#- One number of seed `thresholds` as a scalar subquery: business numbers are data, never literals in a model. -#}
{% macro threshold(name) -%}
    (select value from {{ ref("thresholds") }} where threshold = '{{ name }}')
{%- endmacro %}

{#- Version of the seed, as a scalar subquery, for rows that carry it: apart from its numbers, so that a changed number
    restates who reads it and not who only says which version it was. -#}
{% macro thresholds_version() -%}
    (select max(thresholds_version) from {{ ref("thresholds") }})
{%- endmacro %}

{#- The same number as a literal, read when the model is compiled: a bound that a scan can skip blocks by. -#}
{% macro threshold_literal(name) -%}
    {%- set seed = ref("thresholds") -%}
    {%- if execute and seed.schema and load_relation(seed) is not none -%}
        {{
            return(
                run_query(
                    "select value from " ~ seed ~ " where threshold = '" ~ name ~ "'"
                )
                .columns[0]
                .values()[0]
                | string
            )
        }}
    {%- endif -%}
    {{ return(threshold(name)) }}
{%- endmacro %}

{#- The longest window of a seed with a column window_days, as a literal where the seed can be read. -#}
{% macro longest_window_days(seed_name) -%}
    {%- set seed = ref(seed_name) -%}
    {%- set query = "select max(window_days) from " ~ seed -%}
    {%- if execute and seed.schema and load_relation(seed) is not none -%}
        {{ return(run_query(query).columns[0].values()[0] | string) }}
    {%- endif -%}
    {{ return("(" ~ query ~ ")") }}
{%- endmacro %}
