{#- Rates: a part over a whole, both of which are columns of the same row. -#}
{#- Quotient (double) of two exact sums; null where there is nothing to divide by. -#}
{% macro rate(part, whole) -%}
    cast({{ part }} as double) / nullif(cast({{ whole }} as double), 0)
{%- endmacro %}
