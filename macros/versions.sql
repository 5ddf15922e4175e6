{#- What a night does with the rows of the raw zone: it reads what has arrived, and keeps the latest sound version of
    every key. Beside every stg_ table stand two small ones: <stg>__deletions, the keys whose latest version is a
    deletion, so that an older one that comes late does not bring them back; and <stg>__changes, what a key said before
    a night changed or deleted it, kept until the night is published. -#}
{#- Name of a raw table's stg_ model. -#}
{% macro stg_model(table) -%}
    {{ return("stg_" ~ staged_tables()[table]) }}
{%- endmacro %}

{#- The raw table of a stg_ model; none for models that stage no table. -#}
{% macro raw_table_of(name) -%}
    {%- for table, model in staged_tables().items() if "stg_" ~ model == name -%}
        {{ return(table) }}
    {%- endfor -%}
    {{ return(none) }}
{%- endmacro %}

{#- Whether all rows of a raw table are read and held against what is stored: a file of it changed or went away, or
    what decides about the soundness of its rows did. -#}
{% macro is_reread(table) -%}
    {%- if table in var("reread_tables", []) -%} {{ return(true) }} {%- endif -%}
    {%- if table in ["orders", "order_returns"] and execute -%}
        {%- set changes = changes_of(night_relation("stg_finance__first_rates")) -%}
        {%- set query = "select count(*) from " ~ changes ~ " where " ~ is_unseen() -%}
        {{
            return(
                load_relation(changes) is not none
                and run_query(query).columns[0].values()[0] > 0
            )
        }}
    {%- endif -%}
    {{ return(false) }}
{%- endmacro %}

{#- Whether only files that have arrived are read of a raw table. -#}
{% macro is_read_in_part(table) -%}
    {{ return(builds_on_last_night(stg_model(table)) and not is_reread(table)) }}
{%- endmacro %}

{#- The relation of a raw table with the rows that this night reads: schema `arrived` holds the files that no
    published night has read, schema `raw` all. -#}
{% macro rows_read(table) -%}
    {%- if not execute -%} {{ return(source("raw", table)) }} {%- endif -%}
    {%- set declared = contract_table(table) -%}
    {{
        return(
            api.Relation.create(
                database=declared.database,
                schema="arrived" if is_read_in_part(table) else declared.schema,
                identifier=declared.identifier or table,
            )
        )
    }}
{%- endmacro %}

{#- The ledger of files, written by the orchestrator: table_name, path, first_read_in. -#}
{% macro files_of_zone() -%}
    {{
        return(
            api.Relation.create(
                database=target.database, schema="raw", identifier="files"
            )
        )
    }}
{%- endmacro %}

{% macro deletions_of(relation) -%}
    {{ return(scratch_relation(relation, "deletions")) }}
{%- endmacro %}

{#- Narrow hash of the leading identifier of a staged row; null where the table names nobody. -#}
{% macro identity_hash(table) -%}
    {%- set columns = contract_table(table).columns -%}
    {%- if table == "referrals" -%}
        {{ key_hash(allowed_identifier("customer_ref", "referrer_ref")) }}
    {%- else -%}
        {%- set found = [] -%}
        {%- for type in identifier_types() if type in columns -%}
            {%- do found.append(type) -%}
        {%- endfor -%}
        {%- if found and table != "identity_links" -%}
            {{ key_hash(leading_identifier_key(found)) }}
        {%- else -%} {{ key_hash("cast(null as " ~ type_string() ~ ")") }}
        {%- endif -%}
    {%- endif -%}
{%- endmacro %}

{#- After a full build: deletions out of the table, into their own. -#}
{% macro deletions_set_apart() -%}
    {%- set table = raw_table_of(model.name) -%}
    {%- if table and execute and not builds_on_last_night() -%}
        {%- set deleted -%}
            (
                select {{ contract_key(table) | join(", ") }}, loaded_at, source_file,
                    {{ row_hash("stored", contract_table(table).columns) }} as row_hash
                from {{ this }} as stored
                where is_deleted
            ) as deleted
        {%- endset -%}
        {{ table_replaced(deletions_of(this), "*", deleted) }}
        {{ rows_deleted(this, "is_deleted") }}
    {%- endif -%}
{%- endmacro %}

{#- Incremental strategy `versions`: the winners among the rows read, held against what is stored. -#}
{% macro get_incremental_versions_sql(arg_dict) -%}
    {%- set target = arg_dict["target_relation"] -%}
    {%- set temporary = arg_dict["temp_relation"] -%}
    {%- set table = raw_table_of(model.name) -%}
    {%- set key = contract_key(table) -%}
    {%- set keys = key | join(", ") -%}
    {%- set hashed = contract_table(table).columns -%}
    {%- set columns = (
        arg_dict["dest_columns"] | map(attribute="quoted") | join(", ")
    ) -%}
    {%- set changes = changes_of(target) -%}
    {%- set deletions = deletions_of(target) -%}
    {%- set winners = scratch_relation(target, "winners") -%}
    {%- set whole = is_reread(table) -%}
    {%- set found -%}
        (
            select read.*
            from (select *, {{ row_hash("rows_read", hashed) }} as row_hash from {{ temporary }} as rows_read) as read
            left join
                (
                    select {{ keys }}, loaded_at, source_file, {{ row_hash("stored", hashed) }} as row_hash
                    from (
                        select candidates.* from {{ target }} as candidates
                        semi join {{ temporary }} as rows_read on {{ same_key(key, "rows_read", "candidates") }}
                    ) as stored
                ) as stored
                on {{ same_key(key, "stored", "read") }}
            left join {{ deletions }} as deleted on {{ same_key(key, "deleted", "read") }}
            where
            {% if whole -%}
                {# what is read is all there is: whatever differs from it gives way -#}
                (stored.row_hash is not null or not read.is_deleted)
                and (
                    read.is_deleted
                    or stored.row_hash is distinct from read.row_hash
                    or stored.source_file is distinct from read.source_file
                )
            {%- else -%}
                (
                    stored.row_hash is null
                    or read.loaded_at > stored.loaded_at
                    or (
                        read.loaded_at = stored.loaded_at
                        and (
                            read.is_deleted
                            or read.row_hash < stored.row_hash
                            or (read.row_hash = stored.row_hash and read.source_file < stored.source_file)
                        )
                    )
                )
                and (
                    deleted.row_hash is null
                    or read.loaded_at > deleted.loaded_at
                    or (
                        read.loaded_at = deleted.loaded_at
                        and read.is_deleted
                        and (
                            read.row_hash < deleted.row_hash
                            or (read.row_hash = deleted.row_hash and read.source_file < deleted.source_file)
                        )
                    )
                )
            {%- endif %}
        ) as found
    {%- endset -%}
    {%- set replaced -%}
        ({{ keys }}) in (select {{ key_tuple(key) }} from {{ winners }})
        {%- if whole %} or ({{ keys }}) not in (select {{ key_tuple(key) }} from {{ temporary }}) {%- endif %}
    {%- endset -%}
    {%- set former -%}
        (select * replace ({{ var("night_number", 1) }} as changed_in) from {{ target }} where {{ replaced }}) as former
    {%- endset -%}
    create table if not exists {{ changes }} as
    select *
    from {{ target }}
    limit 0
    ;
    {{ rows_deleted(changes, "not " ~ is_unseen()) }}
    {{ table_replaced(winners, "*", found) }}
    {{ rows_inserted(changes, columns, former) }}
    {{ rows_deleted(target, replaced) }}
    {{
        rows_deleted(
            deletions,
            (
                "true"
                if whole
                else "(" ~ keys ~ ") in (select " ~ keys ~ " from " ~ winners ~ ")"
            ),
        )
    }}
    {{ rows_inserted(target, columns, winners ~ " where not is_deleted") }}
    {%- if whole -%}
        {{
            rows_inserted(
                deletions,
                keys ~ ", loaded_at, source_file, row_hash",
                "(select *, "
                ~ row_hash("rows_read", hashed)
                ~ " as row_hash from "
                ~ temporary
                ~ " as rows_read where is_deleted) as deleted",
            )
        }}
    {%- else -%}
        {{
            rows_inserted(
                deletions,
                keys ~ ", loaded_at, source_file, row_hash",
                winners ~ " where is_deleted",
            )
        }}
    {%- endif -%}
    drop table {{ winners }}
{%- endmacro %}

{% macro key_tuple(key) -%} {{ return(key | join(", ")) }} {%- endmacro %}

{#- Incremental strategy `held_back`, for the quarantine: rows of the files that are read tonight give way, those of
    other files stay. -#}
{% macro get_incremental_held_back_sql(arg_dict) -%}
    {%- set target = arg_dict["target_relation"] -%}
    {%- set columns = (
        arg_dict["dest_columns"] | map(attribute="quoted") | join(", ")
    ) -%}
    {%- for table in staged_tables() -%}
        {%- if not is_read_in_part(table) -%}
            {{ rows_deleted(target, "source_table = '" ~ table ~ "'") }}
        {%- endif -%}
    {%- endfor -%}
    {{
        rows_deleted(
            target,
            "(source_table, source_file) in (select table_name, path from "
            ~ files_of_zone()
            ~ " where "
            ~ is_unseen("first_read_in")
            ~ ")",
        )
    }}
    {{ rows_inserted(target, columns, arg_dict["temp_relation"]) }}
{%- endmacro %}
