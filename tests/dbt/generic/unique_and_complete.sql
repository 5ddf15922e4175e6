{#- Every key once, and every required column filled: one pass instead of a test per column.

    key         columns that together identify a row; none of them may be null
    required    further columns that may not be null

    Returns the keys that occur several times and the rows with a gap, each with the reason. -#}
{% test unique_and_complete(model, key, required=[]) %}
    select {{ key | join(", ") }}, 'repeated key' as reason, count(*) as row_count
    from {{ model }}
    group by {{ key | join(", ") }}
    having count(*) > 1
    union all
    select {{ key | join(", ") }}, 'missing value' as reason, 1 as row_count
    from {{ model }}
    where
        {% for column in key + required %}
            {{ "or " if not loop.first }}{{ column }} is null
        {% endfor %}
{% endtest %}
