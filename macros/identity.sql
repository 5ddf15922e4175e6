{#- Identity: how a row names a person. A key is `<type>:<value>`; types contain no colon, so keys cannot collide. -#}
{#- The identifier columns of the raw contract, in the order of seed identifier_rules (strongest first). -#}
{% macro identifier_types() -%}
    {{
        return(
            [
                "customer_ref",
                "user_id",
                "loyalty_id",
                "email",
                "phone",
                "handle",
                "anonymous_id",
            ]
        )
    }}
{%- endmacro %}

{#- Key of one identifier column; null where the column is null. -#}
{% macro identifier_key(type, column=none) -%}
    '{{ type }}:' || {{ column or type }}
{%- endmacro %}

{#- Key of the strongest identifier that a row carries. `columns` are those of the identifier columns that its
    table has. Blocked values (role mailboxes, placeholders: seed blocked_identifiers) name nobody. -#}
{% macro leading_identifier_key(columns) -%}
    {%- set blocked = blocked_identifiers() -%}
    coalesce(
        {%- for type in identifier_types() if type in columns %}
            {{ allowed_identifier(type, blocked) }}{{ "," if not loop.last }}
        {%- endfor %}
    )
{%- endmacro %}

{#- The blocked values of every type, read when the model is compiled: a handful of rows, and a literal list costs
    nothing per row. -#}
{% macro blocked_identifiers() -%}
    {%- set blocked = {} -%}
    {%- set seed = ref("blocked_identifiers") -%}
    {%- if execute and seed.schema and load_relation(seed) is not none -%}
        {%- set query -%}
            select identifier_type, identifier_value from {{ seed }} order by 1, 2
        {%- endset -%}
        {%- for row in run_query(query).rows -%}
            {%- do blocked.setdefault(row[0], []).append(row[1] | string) -%}
        {%- endfor -%}
    {%- endif -%}
    {{ return(blocked) }}
{%- endmacro %}

{#- Key of an identifier column unless its value is among those of its type that are `blocked`. -#}
{% macro allowed_identifier(type, blocked, column=none) -%}
    {%- set column = column or type -%}
    {%- if type in blocked -%}
        case
            when
                {{ column }} not in (
                    {%- for value in blocked[type] %}
                        '{{ escape_single_quotes(value) }}'{{ ", " if not loop.last }}
                    {% endfor -%}
                )
            then {{ identifier_key(type, column) }}
        end
    {%- else -%} {{ identifier_key(type, column) }}
    {%- endif -%}
{%- endmacro %}

{#- The rows of a stored table of identities that tonight's are made from; in a full build, all of them. Whole select.

    relation    ref
    key         an identifier of a row, as SQL; a row's other identifiers hang together with it -#}
{% macro reclustered_tonight(relation, key) -%}
    {#- named in every branch: dbt reads the order of models from a full build -#}
    {%- set reclustered = ref("int_night__reclustered_identifiers") -%}
    select *
    from {{ relation }}
    {%- if builds_on_last_night() %}
        where
            {{ key }}
            in (select reclustered.identifier_key from {{ reclustered }} as reclustered)
    {%- endif %}
{%- endmacro %}

{#- Identifiers that can be reached from some by links, followed by the rules or not; more than these do no harm. Whole
    select.

    start           CTE with identifier_key
    edges           relation of the links
    assignments     relation of who is who: all of a customer are taken along, so that a long chain is few steps -#}
{% macro hanging_together(start, edges, assignments) -%}
    {{
        return(
            adapter.dispatch("hanging_together", "engagement_warehouse")(
                start, edges, assignments
            )
        )
    }}
{%- endmacro %}

{#- Everybody: not every engine can search. -#}
{% macro default__hanging_together(start, edges, assignments) -%}
    select identifier_key
    from {{ start }}
    union
    select identifier_key
    from {{ assignments }}
{%- endmacro %}

{% macro duckdb__hanging_together(start, edges, assignments) -%}
    with recursive

        steps as materialized(
            select left_key as from_key, right_key as to_key, false as is_customer
            from {{ edges }}
            union all
            select right_key as from_key, left_key as to_key, false as is_customer
            from {{ edges }}
            union all
            select
                identifier_key as from_key, customer_id as to_key, true as is_customer
            from {{ assignments }}
            union all
            select
                customer_id as from_key, identifier_key as to_key, false as is_customer
            from {{ assignments }}
        ),

        reached as (
            select identifier_key as node_key, false as is_customer
            from {{ start }}
            union
            select steps.to_key as node_key, steps.is_customer
            from reached
            inner join steps on reached.node_key = steps.from_key
        )

    select node_key as identifier_key
    from reached
    where not is_customer
{%- endmacro %}

{#- Keyed hash of an identifier key: what the marts show instead of the identifier. `hash_key` is a column that
    holds the warehouse's private key. 128 bits of HMAC-like sha-256, as 32 hex digits. -#}
{% macro identifier_hash(identifier_key, hash_key="hash_key") -%}
    {{
        return(
            adapter.dispatch("identifier_hash", "engagement_warehouse")(
                identifier_key, hash_key
            )
        )
    }}
{%- endmacro %}

{% macro default__identifier_hash(identifier_key, hash_key) -%}
    substr(
        sha2({{ hash_key }} || sha2({{ hash_key }} || {{ identifier_key }}, 256), 256),
        1,
        32
    )
{%- endmacro %}

{% macro duckdb__identifier_hash(identifier_key, hash_key) -%}
    substr(
        sha256({{ hash_key }} || sha256({{ hash_key }} || {{ identifier_key }})), 1, 32
    )
{%- endmacro %}
