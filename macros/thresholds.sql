{#- One number of seed `thresholds` as a scalar subquery: business numbers are data, never literals in a model. -#}
{% macro threshold(name) -%}
    (select value from {{ ref("thresholds") }} where threshold = '{{ name }}')
{%- endmacro %}
