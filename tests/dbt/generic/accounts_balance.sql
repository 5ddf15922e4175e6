{#- A total equals the sum of its parts in every row, and no part is negative or missing.

    total       column
    parts       columns that add up to it

    Returns the rows that do not balance. -#}
{% test accounts_balance(model, total, parts) %}
    select *
    from {{ model }}
    where
        {{ total }} is distinct from {{ parts | join(" + ") }}
        {%- for part in parts %} or {{ part }} < 0 {%- endfor %}
{% endtest %}
