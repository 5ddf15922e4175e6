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

{#- Whether all rows of a raw table are read and held against what is stored: a file of it changed or went away, the
    quarantine is built anew from all of them, or what decides about the soundness of its rows has changed. -#}
{% macro is_reread(table) -%}
    {%- if table in var("reread_tables", []) or "base_" ~ staged_tables()[
        table
    ] in var("restated_models", []) -%}
        {{ return(true) }}
    {%- endif -%}
    {%- if has_lost_parents(table) -%} {{ return(true) }} {%- endif -%}
    {%- if table in [
        "orders",
        "order_returns",
    ] and execute and builds_on_last_night("stg_finance__first_rates") -%}
        {%- set changes = changes_of(night_relation("stg_finance__first_rates")) -%}
        {{ return(rows_counted(changes ~ " where " ~ is_unseen()) > 0) }}
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
    {%- if execute -%}
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
    {%- else -%} {{ return(source("raw", table)) }}
    {%- endif -%}
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
        {{
            key_hash(
                allowed_identifier(
                    "customer_ref", blocked_identifiers(), "referrer_ref"
                )
            )
        }}
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

{#- After a full build: deletions in a table of their own, and an empty log of changes. -#}
{% macro deletions_set_apart() -%}
    {%- set table = raw_table_of(model.name) -%}
    {%- if table and execute and not builds_on_last_night() -%}
        {%- set deleted -%}
            (
                select {{ contract_key(table) | join(", ") }}, loaded_at, source_file, changed_in,
                    {{ row_hash("stored", contract_table(table).columns) }} as row_hash
                from {{ this }} as stored
                where is_deleted
            ) as deleted
        {%- endset -%}
        {{ table_replaced(deletions_of(this), "*", deleted) }}
        {{ table_replaced(changes_of(this), "*", this ~ " limit 0") }}
    {%- endif -%}
{%- endmacro %}

{#- After that, in a transaction of its own: deletions out of the table. DuckDB would write a table anew of which rows go in
    the transaction that makes it. A night that is killed in between leaves them to the next one, see `versions`. -#}
{% macro deletions_taken_out() -%}
    {%- if raw_table_of(model.name) and execute and not builds_on_last_night() -%}
        {{ rows_deleted(this, "is_deleted") }}
    {%- endif -%}
{%- endmacro %}

{#- Incremental strategy `versions`: the winners among the rows read are held against what is stored, and take its
    place where they are later, or, when everything is read, where they differ. All in one transaction; running it
    again changes nothing. A night that brings new keys only scans the keys of the table and nothing else of it. -#}
{% macro get_incremental_versions_sql(arg_dict) -%}
    {%- set target = arg_dict["target_relation"] -%}
    {%- set temporary = arg_dict["temp_relation"] -%}
    {%- set table = raw_table_of(model.name) -%}
    {%- set key = contract_key(table) -%}
    {%- set keys = key | join(", ") -%}
    {%- set said = contract_table(table).columns -%}
    {%- set columns = (
        arg_dict["dest_columns"] | map(attribute="quoted") | join(", ")
    ) -%}
    {%- set changes = changes_of(target) -%}
    {%- set deletions = deletions_of(target) -%}
    {%- set whole = is_reread(table) -%}
    {%- set matches = target if whole else scratch_relation(target, "matches") -%}
    {%- set winners = scratch_relation(target, "winners") -%}
    {%- set found -%}
        (
            select versions.*
            from {{ temporary }} as versions
            left join {{ matches }} as stored on {{ same_key(key, "stored", "versions") }}
            left join {{ deletions }} as deleted on {{ same_key(key, "deleted", "versions") }}
            where
            {% if whole -%}
                not versions.is_deleted
                and (
                    stored.{{ key[0] }} is null
                    {%- for column in said | list + ["source_file", "identity_hash"] %}
                        or stored.{{ column }} is distinct from versions.{{ column }}
                    {%- endfor %}
                )
            {%- else -%}
                (
                    stored.{{ key[0] }} is null
                    or versions.loaded_at > stored.loaded_at
                    or (
                        versions.loaded_at = stored.loaded_at
                        and (
                            versions.is_deleted
                            or {{ is_before("versions", row_hash("versions", said), "stored", row_hash("stored", said)) }}
                        )
                    )
                )
                and (
                    deleted.{{ key[0] }} is null
                    or versions.loaded_at > deleted.loaded_at
                    or (
                        versions.loaded_at = deleted.loaded_at
                        and versions.is_deleted
                        and {{ is_before("versions", row_hash("versions", said), "deleted", "deleted.row_hash") }}
                    )
                )
            {%- endif %}
        ) as found
    {%- endset -%}
    {#- stored rows that give way: to a winner, or because nothing that is read says that they live -#}
    {%- set replaced -%}
        {%- if whole -%}
            ({{ keys }}) in (select {{ keys }} from {{ winners }})
            or ({{ keys }}) not in (select {{ keys }} from {{ temporary }} where not is_deleted)
        {%- else -%} ({{ keys }}) in (select {{ keys }} from {{ winners }})
        {%- endif -%}
    {%- endset -%}
    {%- set former -%}
        (select * replace ({{ var("night_number", 1) }} as changed_in) from {{ matches }} where {{ replaced }}) as former
    {%- endset -%}
    {%- set deleted -%}
        (
            select *, {{ row_hash("versions", said) }} as row_hash
            from {{ temporary if whole else winners }} as versions
            where is_deleted
        ) as deleted
    {%- endset -%}
    {{ rows_deleted(changes, "not " ~ is_unseen()) }}
    {#- of a full build that was killed before its last statement -#}
    {{ rows_deleted(target, "is_deleted") }}
    {%- if not whole %}
        {{ stored_matches(matches, target, temporary, key) }}
    {%- endif %}
    {{ table_replaced(winners, "*", found) }}
    {{ rows_inserted(changes, columns, former) }}
    {{
        rows_deleted(
            target,
            "("
            ~ keys
            ~ ") in (select "
            ~ keys
            ~ " from "
            ~ matches
            ~ " where "
            ~ replaced
            ~ ")",
        )
    }}
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
    {{
        rows_inserted(
            deletions,
            keys ~ ", loaded_at, source_file, changed_in, row_hash",
            deleted,
        )
    }}
    {%- if not whole %} drop table {{ matches }}
        ;
    {% endif %}
    drop table {{ winners }}
{%- endmacro %}

{#- Whether one of two versions that were loaded at the same instant comes first: see latest_versions. -#}
{% macro is_before(left, left_hash, right, right_hash) -%}
    (
    {{ left_hash }} < {{ right_hash }}
        or ({{ left_hash }} = {{ right_hash }} and {{ left }}.source_file < {{ right }}.source_file)
    )
{%- endmacro %}

{#- Statements: the stored rows of the keys that were read, as a table of their own. -#}
{% macro stored_matches(matches, target, rows_read, key) -%}
    {{
        return(
            adapter.dispatch("stored_matches", "engagement_warehouse")(
                matches, target, rows_read, key
            )
        )
    }}
{%- endmacro %}

{% macro default__stored_matches(matches, target, rows_read, key) -%}
    {{
        return(
            table_replaced(matches, "stored.*", rows_of_keys(target, rows_read, key))
        )
    }}
{%- endmacro %}

{#- DuckDB's join would read all columns of all rows to keep a few; first the keys alone, then the rows by number. -#}
{% macro duckdb__stored_matches(matches, target, rows_read, key) -%}
    {%- set numbers = scratch_relation(target, "numbers") -%}
    {{
        return(
            table_replaced(
                numbers,
                "stored.rowid as row_number",
                rows_of_keys(target, rows_read, key),
            )
            ~ table_replaced(
                matches,
                "*",
                target ~ " where rowid in (select row_number from " ~ numbers ~ ")",
            )
            ~ "drop table "
            ~ numbers
            ~ ";\n"
        )
    }}
{%- endmacro %}

{% macro rows_of_keys(target, rows_read, key) -%}
    {{ target }} as stored semi join {{ rows_read }} as versions on
    {{
        same_key(
            key,
            "versions",
            "stored",
        )
    }}
{%- endmacro %}

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
