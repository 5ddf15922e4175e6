{#- The usual materializations in as few statements as DuckDB needs. A night builds more than a hundred models, and
    on few new rows most of its time is the statements around them: dbt's own renames what stood there, renames the
    new one, drops the old one, and reads the columns of a table four times. Statements of one transaction are whole
    or not at all in DuckDB, and nobody reads the build files meanwhile, so none of that is needed here.

    What does NOT belong here: what an incremental night writes (night.sql, versions.sql). Other engines have dbt's own. -#}
{% materialization view, adapter = "duckdb" %}
    {{ return(built_whole(this.incorporate(type="view"))) }}
{% endmaterialization %}

{% materialization table, adapter = "duckdb" %}
    {{ return(built_whole(this.incorporate(type="table"))) }}
{% endmaterialization %}

{% materialization incremental, adapter = "duckdb" %}
    {%- set target_relation = this.incorporate(type="table") -%}
    {%- set existing_relation = load_cached_relation(this) -%}
    {%- if existing_relation is none or existing_relation.is_view or should_full_refresh() -%}
        {{ return(built_whole(target_relation)) }}
    {%- endif -%}
    {%- set temp_relation = make_temp_relation(target_relation) -%}
    {{ run_hooks(pre_hooks, inside_transaction=False) }}
    {{ run_hooks(pre_hooks, inside_transaction=True) }}
    {% call statement("rows_of_tonight") %}
        {{ create_table_as(True, temp_relation, compiled_code) }}
    {% endcall %}
    {#- A model whose SQL or columns changed is restated, so the columns are those of the table, and what is said of
        them stands there already. Asked of the adapter and not of its macro, which makes a context of all macros. -#}
    {%- set strategy = adapter.get_incremental_strategy_macro(
        context, config.get("incremental_strategy")
    ) -%}
    {% call statement("main") %}
        {{
            strategy(
                {
                    "target_relation": target_relation,
                    "temp_relation": temp_relation,
                    "dest_columns": adapter.get_column_schema_from_query(
                        "select * from " ~ target_relation
                    ),
                }
            )
        }}
        ;
        drop table {{ temp_relation }}
    {% endcall %}
    {{ run_hooks(post_hooks, inside_transaction=True) }}
    {{ adapter.commit() }}
    {{ run_hooks(post_hooks, inside_transaction=False) }}
    {{ return({"relations": [target_relation]}) }}
{% endmaterialization %}

{#- A view or table from the model's SQL, in the place of what stood under its name. -#}
{% macro built_whole(relation) -%}
    {%- set existing = load_cached_relation(this) -%}
    {%- set slices = 1 if relation.is_view else slices_of_build() -%}
    {{ run_hooks(pre_hooks, inside_transaction=False) }}
    {{ run_hooks(pre_hooks, inside_transaction=True) }}
    {% call statement("main") %}
        {% if existing is not none and existing.type != relation.type %} drop {{ existing.type }} {{ existing }}
            ;
        {% endif %}
        {% if relation.is_view %} create or replace view {{ relation }} as ({{ compiled_code }})
        {% else %}
            drop table if exists {{ relation }};
            {% if slices > 1 %} {{ slice_chosen(0, slices) }}
            {% endif %}
            {{ create_table_as(False, relation, compiled_code) }}
        {% endif %}
    {% endcall %}
    {%- for slice in range(1, slices) %}
        {% call statement("slice") %}
            {{ slice_chosen(slice, slices) }}
            insert into {{ relation }} by name {{ compiled_code }}
        {% endcall %}
    {%- endfor %}
    {%- if slices > 1 %}
        {% call statement("no_slice") %} {{ slice_chosen() }} {% endcall %}
    {%- endif %}
    {% do persist_docs(relation, model) %}
    {{ run_hooks(post_hooks, inside_transaction=True) }}
    {{ adapter.commit() }}
    {{ run_hooks(post_hooks, inside_transaction=False) }}
    {{ return({"relations": [relation]}) }}
{%- endmacro %}

{#- A seed is read once and stays until its file or what is said of its columns changes, told by a hash in the comment of
    its table: reading a table of twenty rows through dbt costs more than most of what a night does with it. -#}
{% materialization seed, adapter = "duckdb" %}
    {%- set target_relation = this.incorporate(type="table") -%}
    {%- set read_from = local_md5(
        tojson(
            [model.checksum.checksum, config.get("column_types")],
            sort_keys=true,
        )
    ) -%}
    {%- set known -%}
        select count(*) from duckdb_tables()
        where
            database_name = '{{ this.database }}' and schema_name = '{{ this.schema }}'
            and table_name = '{{ this.identifier }}' and comment = '{{ read_from }}'
    {%- endset -%}
    {%- set found = run_query(known) -%}
    {%- if found.columns[0].values()[0] > 0 -%}
        {#- both results are asked for afterwards -#}
        {%- do store_result("agate_table", response="OK", agate_table=found) -%}
        {% call noop_statement("main", "SAME") %} {{ known }} {% endcall %}
        {{ return({"relations": [target_relation]}) }}
    {%- endif -%}
    {%- do materialization_seed_default() -%}
    {% call statement("remembered") %}
        comment on table {{ target_relation }} is '{{ read_from }}'
    {% endcall %}
    {{ adapter.commit() }}
    {{ return({"relations": [target_relation]}) }}
{% endmaterialization %}
