{#- Slices: a table whose rows are made customer by customer is built whole in several statements, so that what has to be
    sorted and joined on the way stays in memory however long the history is. A model asks for it in its config:

    meta.slices = {rows_of, rows_each}
    rows_of     the model that its rows are made from (with a ref of its own in the SQL)
    rows_each   how many of these rows a slice shall have

    What it reads, views included, restricts itself to the customers of the slice with `is_in_slice`. Nights that build
    on the last one do not slice: their rows are few. -#}
{#- Condition on a customer_id; true where nothing is sliced. -#}
{% macro is_in_slice(customer_id="customer_id") -%}
    {{ return(adapter.dispatch("is_in_slice", "engagement_warehouse")(customer_id)) }}
{%- endmacro %}

{% macro default__is_in_slice(customer_id) -%} 1 = 1 {%- endmacro %}

{% macro duckdb__is_in_slice(customer_id) -%}
    coalesce(
        hash({{ customer_id }}) % cast(getvariable('slices') as ubigint)
        = cast(getvariable('slice') as ubigint),
        true
    )
{%- endmacro %}

{#- Number of slices that a model is built in. -#}
{% macro slices_of_build() -%}
    {%- set slices = (config.get("meta") or {}).get("slices") -%}
    {%- if not slices -%} {{ return(1) }} {%- endif -%}
    {%- set rows = rows_counted(night_relation(slices["rows_of"])) -%}
    {{ return(1 + rows // slices["rows_each"]) }}
{%- endmacro %}

{#- Statement: the customers that the next statements of this connection are restricted to; none, if it is not given. -#}
{% macro slice_chosen(number=none, slices=none) -%}
    {%- if number is none -%}
        reset variable slice
        ;
        reset variable slices
        ;
    {%- else -%}
        set variable slice = {{ number }}
        ;
        set variable slices = {{ slices }}
        ;
    {%- endif -%}
{%- endmacro %}
