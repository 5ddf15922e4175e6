{#- The columns that name the grain of a model are unique together and never null: one scan, one query. -#}
{% test unique_grain(model, columns) %}
    select {{ columns | join(", ") }}, count(*) as row_count
    from {{ model }}
    group by {{ columns | join(", ") }}
    having
        count(*) > 1 {%- for column in columns %} or {{ column }} is null {%- endfor %}
{% endtest %}
