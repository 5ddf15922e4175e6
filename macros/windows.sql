{#- Window functions whose spelling differs between engines. -#}
{#- The last value that is not null, up to and including the current row. `window` is the content of over (...). -#}
{% macro last_known(expression, window) -%}
    {{
        return(
            adapter.dispatch("last_known", "engagement_warehouse")(expression, window)
        )
    }}
{%- endmacro %}

{% macro default__last_known(expression, window) -%}
    last_value({{ expression }}, true) over (
        {{ window }} rows between unbounded preceding and current row
    )
{%- endmacro %}

{% macro duckdb__last_known(expression, window) -%}
    last_value({{ expression }} ignore nulls) over (
        {{ window }} rows between unbounded preceding and current row
    )
{%- endmacro %}
