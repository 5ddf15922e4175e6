{#- Row accounts: rows in = rows out and what was set aside with a reason. What the accounts hold stands in
    macros/staging.sql and models/audit/row_accounts.sql. -#}
{#- Number of rows in the files that this night reads of a raw table, as a scalar. -#}
{% macro rows_landed(table) -%}
    {{ return(adapter.dispatch("rows_landed", "engagement_warehouse")(table)) }}
{%- endmacro %}

{% macro default__rows_landed(table) -%}
    (select count(*) from {{ rows_read(table) }})
{%- endmacro %}

{#- The ledger has counted every file when it came: nothing is read again for it. -#}
{% macro duckdb__rows_landed(table) -%}
    (
        select coalesce(cast(sum(row_count) as bigint), 0)
        from {{ files_of_zone() }}
        where
            table_name = '{{ table }}'
            {%- if is_read_in_part(table) %}
                and {{ is_unseen("first_read_in") }}
            {%- endif %}
    )
{%- endmacro %}

{#- An account that does not balance, in words for the person on call; the night ends with them (a test that selects a
    column `sentence` is told by it).

    subject     SQL text: which account
    total       SQL number: rows in
    parts       pairs of SQL number and word: what became of them -#}
{% macro balance_sentence(subject, total, parts) -%}
    concat(
        {{ subject }},
        ': ',
        cast({{ total }} as {{ type_string() }}),
        ' rows in, but ',
        cast({{ parts | map("first") | join(" + ") }} as {{ type_string() }}),
        ' accounted for ('
        {%- for number, word in parts %}
            ,
            '{{ ", " if not loop.first }}',
            cast({{ number }} as {{ type_string() }}),
            ' {{ word }}'
        {%- endfor %},
        ')'
    )
{%- endmacro %}
