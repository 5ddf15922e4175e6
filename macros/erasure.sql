{#- Erasure: rows of the raw zone that name a person who was erased are left out in staging, as if they had never come.
    The zone is not ours to write; what is kept of the person are tombstones, keyed hashes of the identifiers, by which
    such rows are known. Who is erased, and when, belongs in warehouse/erasures.py. Without a tombstone none of this
    leaves a trace in the SQL. -#}
{% macro has_tombstones() -%} {{ return(var("has_tombstones", false)) }} {%- endmacro %}

{#- The tombstones of erased identifiers, written by the orchestrator: one column, `tombstone`. -#}
{% macro tombstones() -%}
    {{
        return(
            api.Relation.create(
                database=target.database, schema="raw", identifier="tombstones"
            )
        )
    }}
{%- endmacro %}

{#- Tombstone of an identifier key. One round of sha-256 over the private key and the identifier: rows are many, and
    nobody who lacks the key can try identifiers out. -#}
{% macro tombstone(identifier_key) -%}
    {{
        return(
            adapter.dispatch("tombstone", "engagement_warehouse")(
                "(select private.hash_key from "
                ~ api.Relation.create(
                    database=target.database, schema="raw", identifier="hash_key"
                )
                ~ " as private)",
                identifier_key,
            )
        )
    }}
{%- endmacro %}

{% macro default__tombstone(hash_key, identifier_key) -%}
    sha2({{ hash_key }} || 'erased:' || {{ identifier_key }}, 256)
{%- endmacro %}

{% macro duckdb__tombstone(hash_key, identifier_key) -%}
    sha256({{ hash_key }} || 'erased:' || {{ identifier_key }})
{%- endmacro %}

{% macro is_tombstoned(identifier_key, relation=none) -%}
    {{ tombstone(identifier_key) }}
    in (select graves.tombstone from {{ relation or tombstones() }} as graves)
{%- endmacro %}

{#- Identifier columns of a raw table: pairs of the column's name and its key as SQL. -#}
{% macro identifiers_of_row(table) -%}
    {%- set found = [] -%}
    {%- for column in contract_table(table).columns.values() if column.meta.get("identifier") -%}
        {%- set type = column.meta.get("identifier_type", column.name) -%}
        {%- do found.append(
            (
                column.name,
                (
                    column.meta["typed_by"] ~ " || ':' || " ~ column.name
                    if column.meta.get("typed_by")
                    else identifier_key(type, column.name)
                ),
            )
        ) -%}
    {%- endfor -%}
    {{ return(found) }}
{%- endmacro %}

{#- Raw tables whose rows name a person only by a row of another table: that table, and the column with its key. -#}
{% macro parent_of(table) -%}
    {{
        return(
            {
                "order_returns": ("orders", "order_id"),
                "support_messages": ("support_tickets", "ticket_id"),
            }.get(table)
        )
    }}
{%- endmacro %}

{#- Keys, as SQL, of which any says whose a `typed` row is: its leading identifier, and those that it cannot be without.
    Other identifiers that it carries may be somebody else's. -#}
{% macro owner_keys_of_row(table) -%}
    {%- set columns = contract_table(table).columns -%}
    {%- set found = [] -%}
    {%- for name, key in identifiers_of_row(table) if columns[name].meta.get("required") -%}
        {%- do found.append(key) -%}
    {%- endfor -%}
    {%- set types = [] -%}
    {%- for type in identifier_types() if type in columns -%}
        {%- do types.append(type) -%}
    {%- endfor -%}
    {%- if types -%}
        {%- do found.append(leading_identifier_key(types)) -%}
    {%- endif -%}
    {{ return(found) }}
{%- endmacro %}

{#- Whether a `typed` row is of somebody who was erased, or belongs to a row that was. Empty for tables that name
    nobody. -#}
{% macro is_of_the_erased(table) -%}
    {%- set conditions = [] -%}
    {%- set parent = parent_of(table) -%}
    {%- if parent -%}
        {%- set erased = erased_keys_of(ref("stg_" ~ staged_tables()[parent[0]])) -%}
        {%- do conditions.append(is_tombstoned(identifier_key(parent[1]), erased)) -%}
    {%- endif -%}
    {%- for key in owner_keys_of_row(table) -%}
        {%- do conditions.append(is_tombstoned(key)) -%}
    {%- endfor -%}
    {{ conditions | join("\nor ") }}
{%- endmacro %}

{#- Whether a `typed` row carries any identifier of somebody who was erased. Empty for tables that name nobody. -#}
{% macro names_the_erased(table) -%}
    {%- set conditions = [] -%}
    {%- for _, key in identifiers_of_row(table) -%}
        {%- do conditions.append(is_tombstoned(key)) -%}
    {%- endfor -%}
    {%- if parent_of(table) -%}
        {%- do conditions.append(is_of_the_erased(table)) -%}
    {%- endif -%}
    {{ conditions | join("\nor ") }}
{%- endmacro %}

{#- A column of a `typed` row; null where it names somebody who was erased in a row of somebody else. -#}
{% macro unless_erased(table, column) -%}
    {%- set keys = dict(identifiers_of_row(table)) -%}
    {%- if column in keys -%}
        case
            when {{ is_tombstoned(keys[column]) }} then null else {{ column }}
        end as {{ column }}
    {%- else -%} {{ column }}
    {%- endif -%}
{%- endmacro %}

{#- Table beside a stg_ table that others belong to: tombstones of the keys of its erased rows, and in which night they
    were first seen. They stay, as those of persons do: what belongs to such a row may come later. -#}
{% macro erased_keys_of(relation) -%}
    {{ return(scratch_relation(relation, "erased")) }}
{%- endmacro %}

{#- After the build of a stg_ table that others belong to: the keys of the erased rows that were read. -#}
{% macro erased_keys_set_apart() -%}
    {%- if execute and has_tombstones() -%}
        {%- set table = raw_table_of(model.name) -%}
        {%- for child in staged_tables() if table and (parent_of(child) or [none])[0] == table -%}
            {%- set erased = erased_keys_of(this) -%}
            {%- set key = identifier_key(parent_of(child)[1]) -%}
            {%- set night = "cast(" ~ var("night_number", 1) ~ " as bigint)" -%}
            {%- set nothing -%}
                (select {{ tombstone("''") }} as tombstone, {{ night }} as changed_in limit 0) as nothing
            {%- endset -%}
            {%- set found -%}
                (
                    select distinct {{ tombstone(key) }} as tombstone, {{ night }} as changed_in
                    from {{ ref("base_" ~ staged_tables()[table]) }}
                    where quarantine_rule = 'erased' and not ({{ is_tombstoned(key, erased) }})
                ) as found
            {%- endset -%}
            create table if not exists {{ erased }} as select * from {{ nothing }};
            {{ rows_inserted(erased, "tombstone, changed_in", found) }}
        {%- endfor -%}
    {%- endif -%}
{%- endmacro %}

{#- Whether a raw table is read whole because rows that its own belong to have been erased since the last publication. -#}
{% macro has_lost_parents(table) -%}
    {%- if execute and has_tombstones() and parent_of(table) -%}
        {%- set erased = erased_keys_of(
            night_relation(stg_model(parent_of(table)[0]))
        ) -%}
        {{ return(rows_counted(erased ~ " where " ~ is_unseen()) > 0) }}
    {%- endif -%}
    {{ return(false) }}
{%- endmacro %}

{#- Whole select: the rows of the raw zone that name somebody, with file, key and content as delivered, and whether they
    are the person's own. What belongs to a row of the person's own is the person's, too.

    persons     a relation with `identifier_key`, on which nothing is kept -#}
{% macro raw_rows_that_name(persons) -%}
    {#- read by leading_identifier_key, which dbt cannot see before it knows the contract -#}
    {%- set _ = ref("blocked_identifiers") -%}
    {%- set tables = [] -%}
    {%- for table in staged_tables() if identifiers_of_row(table) or parent_of(table) -%}
        {%- do tables.append(table) -%}
    {%- endfor -%}
    {%- set persons = "(select identifier_key from " ~ persons ~ ")" %}
    with
        {%- for table in tables %}
            {%- set delivered = delivered_columns(table) %}
            {%- set parent = parent_of(table) %}
            typed_{{ table }} as (
                select {{ typed_columns(table, delivered) }}
                from ({{ raw_rows(table, delivered) }}) as raw_rows
            ),
            named_{{ table }} as (
                select
                    '{{ table }}' as source_table,
                    source_file,
                    {{ source_key(contract_key(table)) }} as source_key,
                    {{ raw_content("raw_row") }} as raw_content,
                    {% if parent %} true
                    {% else %}
                        coalesce(
                            {%- for key in owner_keys_of_row(table) %}
                                {{ "or " if not loop.first }}{{ key }} in {{ persons }}
                            {%- endfor %},
                            false
                        )
                    {% endif %} as is_own
                from typed_{{ table }}
                where
                    {%- if parent %}
                        {{ parent[1] }}
                        in (select source_key from named_{{ parent[0] }} where is_own)
                    {%- endif %}
                    {%- for _, key in identifiers_of_row(table) %}
                        {{ "or " if not loop.first }}{{ key }} in {{ persons }}
                    {%- endfor %}
            ),
        {%- endfor %}
        final as (
            {%- for table in tables %}
                {{ "union all" if not loop.first }} select * from named_{{ table }}
            {%- endfor %}
        )
    select *
    from final
{%- endmacro %}
