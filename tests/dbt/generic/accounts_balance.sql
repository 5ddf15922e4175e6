{#- A total equals the sum of its parts in every row, and no part is negative or missing.

    subject     column that says which account it is
    total       column
    parts       columns that add up to it, each called rows_<what became of them>

    Returns the rows that do not balance, each with a sentence for the person on call. -#}
{% test accounts_balance(model, subject, total, parts) %}
    {%- set words = [] -%}
    {%- for part in parts -%}
        {%- do words.append(
            ("coalesce(" ~ part ~ ", 0)", part.removeprefix("rows_"))
        ) -%}
    {%- endfor -%}
    select *, {{ balance_sentence(subject, total, words) }} as sentence
    from {{ model }}
    where
        {{ total }} is distinct from {{ parts | join(" + ") }}
        {%- for part in parts %} or {{ part }} < 0 {%- endfor %}
{% endtest %}
