{#- The three usual materializations in as few statements as DuckDB needs. A night builds more than a hundred models, and
    on few new rows most of its time is the statements around them: dbt's own renames what stood there, renames the
    new one, drops the old one, and reads the columns of a table four times. Statements of one transaction are whole
    or not at all in DuckDB, and nobody reads the build files meanwhile, so none of that is needed here.

    What does NOT belong here: what an incremental night writes (night.sql, versions.sql). Other engines have dbt's own. -#}
{% materialization view, adapter = "duckdb" %}
    {%- set target_relation = this.incorporate(type="view") -%}
    {{ run_hooks(pre_hooks, inside_transaction=False) }}
    {{ run_hooks(pre_hooks, inside_transaction=True) }}
    {% call statement("main") %}
        {{ other_kind_dropped("view") }}
        create or replace view {{ target_relation }} as ({{ compiled_code }})
    {% endcall %}
    {% do persist_docs(target_relation, model) %}
    {{ run_hooks(post_hooks, inside_transaction=True) }}
    {{ adapter.commit() }}
    {{ run_hooks(post_hooks, inside_transaction=False) }}
    {{ return({"relations": [target_relation]}) }}
{% endmaterialization %}

{% materialization table, adapter = "duckdb" %}
    {%- set target_relation = this.incorporate(type="table") -%}
    {{ run_hooks(pre_hooks, inside_transaction=False) }}
    {{ run_hooks(pre_hooks, inside_transaction=True) }}
    {% call statement("main") %} {{ table_built(target_relation) }} {% endcall %}
    {% do persist_docs(target_relation, model) %}
    {{ run_hooks(post_hooks, inside_transaction=True) }}
    {{ adapter.commit() }}
    {{ run_hooks(post_hooks, inside_transaction=False) }}
    {{ return({"relations": [target_relation]}) }}
{% endmaterialization %}

{% materialization incremental, adapter = "duckdb" %}
    {%- set target_relation = this.incorporate(type="table") -%}
    {%- set existing_relation = load_cached_relation(this) -%}
    {{ run_hooks(pre_hooks, inside_transaction=False) }}
    {{ run_hooks(pre_hooks, inside_transaction=True) }}
    {%- if existing_relation is none or existing_relation.is_view or should_full_refresh() -%}
        {% call statement("main") %} {{ table_built(target_relation) }} {% endcall %}
        {#- a night keeps the table, and with it what is said of its columns -#}
        {% do persist_docs(target_relation, model) %}
    {%- else -%}
        {%- set temp_relation = make_temp_relation(target_relation) -%}
        {% call statement("rows_of_tonight") %}
            {{ create_table_as(True, temp_relation, compiled_code) }}
        {% endcall %}
        {#- A model whose SQL or columns changed is restated, so the columns are those of the table. -#}
        {%- set strategy = adapter.get_incremental_strategy_macro(
            context, config.get("incremental_strategy")
        ) -%}
        {% call statement("main") %}
            {{
                strategy(
                    {
                        "target_relation": target_relation,
                        "temp_relation": temp_relation,
                        "dest_columns": adapter.get_columns_in_relation(
                            existing_relation
                        ),
                    }
                )
            }}
            ;
            drop table {{ temp_relation }}
        {% endcall %}
    {%- endif -%}
    {{ run_hooks(post_hooks, inside_transaction=True) }}
    {{ adapter.commit() }}
    {{ run_hooks(post_hooks, inside_transaction=False) }}
    {{ return({"relations": [target_relation]}) }}
{% endmaterialization %}

{#- Statements: the table anew from the model's SQL, in the place of what stood there. -#}
{% macro table_built(relation) -%}
    {{ other_kind_dropped("table") }}
    drop table if exists {{ relation }};
    {{ create_table_as(False, relation, compiled_code) }}
{%- endmacro %}

{#- Statement: what stands under the model's name as a view where a table is wanted, or the other way round, goes. -#}
{% macro other_kind_dropped(kind) -%}
    {%- set existing = load_cached_relation(this) -%}
    {%- if existing is not none and existing.type != kind -%}
        drop {{ existing.type }} {{ existing }}
        ;
    {%- endif -%}
{%- endmacro %}
