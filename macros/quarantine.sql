{#- The quarantine: rows that broke a rule (macros/staging.sql, quarantine_rule), with what stood in them. How a night
    keeps them stands in macros/versions.sql, strategy `held_back`. -#}
{#- Whole select: the rows of all raw tables that broke a rule, with key, rule and raw content. -#}
{% macro quarantined_rows() -%}
    {%- for table, model in staged_tables().items() %}
        select
            '{{ table }}' as source_table,
            {{ source_key(contract_key(table)) or "''" }} as source_key,
            quarantine_rule,
            raw_content,
            source_file,
            loaded_at,
            '{{ var("run_id") }}' as run_id,
            cast({{ var("night_number", 1) }} as bigint) as changed_in
        from {{ ref("base_" ~ model) }}
        where quarantine_rule <> 'erased' {{ "union all" if not loop.last }}
    {%- endfor %}
{%- endmacro %}

{#- Whole select: the sound rows that stand, or stood until they were deleted, under the keys of quarantined ones:
    source_table, source_key, loaded_at. Where nothing is in quarantine nothing is read.

    quarantined     name of a CTE with source_table and source_key -#}
{% macro sound_rows_of_quarantined_keys(quarantined) -%}
    {%- for table, model in staged_tables().items() %}
        {%- set key = source_key(contract_key(table)) or "''" -%}
        {%- set stored = ref("stg_" ~ model) -%}
        {%- for relation in [stored, deletions_of(stored)] %}
            select
                '{{ table }}' as source_table, {{ key }} as source_key, sound.loaded_at
            from {{ relation }} as sound
            where
                {{ key }} in (
                    select held.source_key
                    from {{ quarantined }} as held
                    where held.source_table = '{{ table }}'
                ) {{ "union all" if not loop.last }}
            {%- endfor %} {{ "union all" if not loop.last }}
    {%- endfor %}
{%- endmacro %}

{#- A row as it was delivered: a struct of the contract columns of `raw_rows`. It costs nothing until it is read. -#}
{% macro raw_row(table) -%}
    {{ return(adapter.dispatch("raw_row", "engagement_warehouse")(table)) }}
{%- endmacro %}

{% macro default__raw_row(table) -%}
    struct({{ contract_table(table).columns | join(", ") }})
{%- endmacro %}

{% macro duckdb__raw_row(table) -%}
    struct_pack(
        {%- for column in contract_table(table).columns %}
            {{ column }} := {{ column }}{{ "," if not loop.last }}
        {%- endfor %}
    )
{%- endmacro %}

{#- A raw row as one JSON text. -#}
{% macro raw_content(raw_row) -%}
    cast(to_json({{ raw_row }}) as {{ type_string() }})
{%- endmacro %}
