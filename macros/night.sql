{#- The night: what a model may build on. On a first night, or when a model is restated (it, a seed or a model above
    it has changed), tables are built anew from all rows. On any other night they keep what the last published
    night left and replace only what this one changes. Python says which it is, in dbt's variables:

    night_number        this night, counted up whenever one begins
    last_night_number   the last night that was published; what carries a greater number has not been published yet
    last_as_of          snapshot date of that night; empty when there is none to build on
    known_until         the same as an instant (UTC): tables hold nothing that occurred at or after it
    restated_models     models that are built anew tonight, with everything below them
    reread_tables       raw tables that are read whole tonight, because a file of theirs changed or went away -#}
{#- True where a model keeps the rows of the last night. `name`: of another model; a view asks for the table that
    reads it. -#}
{% macro builds_on_last_night(name=none) -%}
    {{
        return(
            var("last_as_of", "") != ""
            and (name or model.name) not in var("restated_models", [])
        )
    }}
{%- endmacro %}

{#- dbt asks this of every incremental model. One with `full_refresh: false` keeps its rows whatever a night builds on. -#}
{% macro should_full_refresh() -%}
    {{
        return(
            config.get("full_refresh") is not sameas false
            and not builds_on_last_night()
        )
    }}
{%- endmacro %}

{#- First instant (UTC timestamp) that the tables do not know yet. -#}
{% macro known_until() -%}
    cast('{{ var("known_until", "") }}' as timestamp)
{%- endmacro %}

{#- First business day (date) that the tables do not know yet. -#}
{% macro first_unknown_day() -%}
    (cast('{{ var("last_as_of", "") }}' as date) + 1)
{%- endmacro %}

{#- First day of the month that was not closed when the last night ended: snapshots from it on are built again for
    everybody, earlier ones only for restated customers. -#}
{% macro open_month() -%}
    {%- set last = modules.datetime.date.fromisoformat(
        var("last_as_of", "") or "1970-01-01"
    ) -%}
    cast('{{ last.replace(day=1).isoformat() }}' as date)
{%- endmacro %}

{#- The month before: its totals are what the open months build on. -#}
{% macro last_closed_month() -%}
    {%- set last = modules.datetime.date.fromisoformat(
        var("last_as_of", "") or "1970-01-01"
    ) -%}
    {%- set before = last.replace(day=1) - modules.datetime.timedelta(days=1) -%}
    cast('{{ before.replace(day=1).isoformat() }}' as date)
{%- endmacro %}

{#- True for rows that no published night has seen: `changed_in` is the number of the night that wrote them. A killed
    night's rows stay unseen until a later one is published. -#}
{% macro is_unseen(column="changed_in") -%}
    {{ column }} > {{ var("last_night_number", 0) }}
{%- endmacro %}

{#- 64-bit hash of a text: finds the rows of a few keys in a long table by a narrow column. It may collide, so it
    chooses candidates and never decides. Null where there is no text: engines would hash that, too. -#}
{% macro key_hash(expression) -%}
    case
        when {{ expression }} is not null
        then {{ adapter.dispatch("key_hash", "engagement_warehouse")(expression) }}
    end
{%- endmacro %}

{% macro default__key_hash(expression) -%} xxhash64({{ expression }}) {%- endmacro %}

{% macro duckdb__key_hash(expression) -%} hash({{ expression }}) {%- endmacro %}

{#- The rows of a stored table that tonight's rows are made from: all rows of the customers in `customers` (a CTE with
    customer_id), and of everybody else those from `since` on. Whole select; in a full build, everything.

    relation    a ref, or the name of a CTE
    time        its column that is compared with `since`
    since       SQL expression
    name        the model that they are handed to; by default the one that asks -#}
{% macro rows_of_tonight(relation, customers, time, since, name=none) -%}
    {%- if builds_on_last_night(name) -%}
        select rows_tonight.*
        from {{ relation }} as rows_tonight
        semi join
            {{ customers }} as restated
            on rows_tonight.customer_id = restated.customer_id
        union all
        select rows_tonight.*
        from {{ relation }} as rows_tonight
        anti join
            {{ customers }} as restated
            on rows_tonight.customer_id = restated.customer_id
        where rows_tonight.{{ time }} >= {{ since }}
    {%- else -%} select * from {{ relation }}
    {%- endif -%}
{%- endmacro %}

{#- Incremental strategy `restated`: in one transaction the rows of restated customers and the rows from the first
    unknown moment on give way to what the model's SQL returns. Running it again changes nothing. What was written
    also stands in schema `tonight`, for the checks; what is written by the month is found by its date, and of a mart
    its closed months stand there.

    In the model's config: meta.restated = {customers, since, unit}:
    customers   the model that lists restated customers by customer_id (with a ref of its own in the SQL)
    since       column of the time
    unit        instant (known_until), day (first_unknown_day) or month (open_month)
    key         optional: a column whose values among tonight's rows give way, too -#}
{% macro get_incremental_restated_sql(arg_dict) -%}
    {%- set target = arg_dict["target_relation"] -%}
    {%- set temporary = arg_dict["temp_relation"] -%}
    {%- set scope = config.get("meta")["restated"] -%}
    {%- set columns = (
        arg_dict["dest_columns"] | map(attribute="quoted") | join(", ")
    ) -%}
    {{
        rows_deleted(
            target,
            "customer_id in (select customer_id from "
            ~ night_relation(scope["customers"])
            ~ ")",
        )
    }}
    {{ rows_deleted(target, scope["since"] ~ " >= " ~ first_unknown(scope["unit"])) }}
    {%- if scope["key"] -%}
        {{
            rows_deleted(
                target,
                scope["key"]
                ~ " in (select "
                ~ scope["key"]
                ~ " from "
                ~ temporary
                ~ ")",
            )
        }}
    {%- endif -%}
    {%- if scope["unit"] != "month" -%}
        {{ table_replaced(written_tonight(target), columns, temporary) }}
    {%- elif model.fqn[1] == "marts" -%}
        {#- closed snapshots that are written again are held against what readers have -#}
        {{
            table_replaced(
                written_tonight(target),
                columns,
                temporary ~ " where " ~ scope["since"] ~ " < " ~ open_month(),
            )
        }}
    {%- endif -%}
    {{ rows_inserted(target, columns, temporary) }}
{%- endmacro %}

{#- First moment that is built again for everybody: see `restated`. -#}
{% macro first_unknown(unit) -%}
    {{
        return(
            {"instant": known_until, "day": first_unknown_day, "month": open_month}[
                unit
            ]()
        )
    }}
{%- endmacro %}

{#- The table with the rows that this night has written into another. -#}
{% macro written_tonight(relation) -%}
    {{
        return(
            api.Relation.create(
                database=relation.database,
                schema="tonight",
                identifier=relation.identifier,
            )
        )
    }}
{%- endmacro %}

{#- What a test reads of a model, dbt's own hook for the config `where`: in a night what the night has written, in a
    full build everything. Rows of earlier nights have passed their tests. -#}
{% macro default__get_where_subquery(relation) -%}
    {%- set tested = namespace(rows=relation, where=config.get("where")) -%}
    {%- if execute -%}
        {%- for node in graph.nodes.values() if node.resource_type == "model" and node.alias == relation.identifier and node.schema == relation.schema and builds_on_last_night(node.name) -%}
            {%- set scope = (node.config.get("meta") or {}).get("restated") -%}
            {%- if scope and scope["unit"] == "month" -%}
                {%- set tested.where = (
                    (tested.where ~ " and " if tested.where else "")
                    ~ scope["since"]
                    ~ " >= "
                    ~ open_month()
                ) -%}
            {%- elif scope -%} {%- set tested.rows = written_tonight(relation) -%}
            {%- elif node.config.get(
                "materialized"
            ) == "incremental" and node.config.get(
                "incremental_strategy"
            ) == "versions" -%}
                {%- set tested.where = (
                    tested.where ~ " and " if tested.where else ""
                ) ~ is_unseen() -%}
            {%- endif -%}
        {%- endfor -%}
    {%- endif -%}
    {%- if tested.where -%}
        (select * from {{ tested.rows }} where {{ tested.where }}) dbt_subquery
    {%- else -%} {{ tested.rows }}
    {%- endif -%}
{%- endmacro %}

{#- A model's relation by its name, where a ref cannot stand. -#}
{% macro night_relation(name) -%}
    {%- for node in graph.nodes.values() if node.resource_type == "model" and node.name == name -%}
        {{
            return(
                api.Relation.create(
                    database=node.database, schema=node.schema, identifier=node.alias
                )
            )
        }}
    {%- endfor -%}
    {{ exceptions.raise_compiler_error("There is no model " ~ name) }}
{%- endmacro %}

{#- The rows of a staged table that tonight's interactions and touches are made from: in a night all rows of restated
    customers (found by the narrow hash of their leading identifier), and of everybody else what is unknown.
    Whole select, with `is_restated`.

    relation    ref of the stg_ model
    time        its column of the event's time
    margin      seconds before the first unknown instant that are needed as context, too
    name        the model that they are handed to; by default the one that asks -#}
{% macro staged_rows_of_tonight(relation, time, margin=none, name=none) -%}
    {#- named in every branch: dbt reads the order of models from a full build -#}
    {%- set restated_identities = ref("int_night__restated_identities") -%}
    {%- if builds_on_last_night(name) -%}
        select rows_tonight.*, true as is_restated
        from {{ relation }} as rows_tonight
        semi join
            {{ restated_identities }} as restated
            on rows_tonight.identity_hash = restated.identity_hash
        union all
        select rows_tonight.*, false as is_restated
        from {{ relation }} as rows_tonight
        anti join
            {{ restated_identities }} as restated
            on rows_tonight.identity_hash = restated.identity_hash
        where
            rows_tonight.{{ time }}
            >= {{
                (
                    add_seconds(known_until(), "-" ~ margin)
                    if margin
                    else known_until()
                )
            }}
    {%- else -%} select *, true as is_restated from {{ relation }}
    {%- endif -%}
{%- endmacro %}

{#- The rows of a staged table from which a night may see something else than the last one did: those that are new or have
    changed, those that lie after what was known, and all rows of a leading identifier of which one was changed or
    deleted. Whole select; a row may be in it more than once. Three selects, because each of them finds its rows without
    a look at all others, which a condition with `or` does not.

    relation    ref of the stg_ model
    time        its column of the event's time -#}
{% macro rows_seen_otherwise(relation, time) -%}
    select *
    from {{ relation }}
    where {{ is_unseen() }}
    union all
    select *
    from {{ relation }}
    where {{ time }} >= {{ known_until() }}
    union all
    select *
    from {{ relation }}
    where
        identity_hash in (
            select changes.identity_hash
            from {{ changes_of(relation) }} as changes
            where {{ is_unseen("changes.changed_in") }}
        )
{%- endmacro %}

{#- Table beside a stored one that holds what nights changed in it: see `logged`, and the materialization of stg_
    models. -#}
{% macro changes_of(relation) -%}
    {{ return(scratch_relation(relation, "changes")) }}
{%- endmacro %}

{#- Incremental strategy `logged`, for small tables that many rows depend on: the whole table is replaced, and what
    differs is remembered in <model>__changes until a night is published. `was_stored` tells the former rows from the new.

    In the model's config: meta.watched, the columns whose change matters (default: all). -#}
{% macro get_incremental_logged_sql(arg_dict) -%}
    {%- set target = arg_dict["target_relation"] -%}
    {%- set temporary = arg_dict["temp_relation"] -%}
    {%- set columns = (
        arg_dict["dest_columns"] | map(attribute="quoted") | join(", ")
    ) -%}
    {{ changes_logged(target, columns, target, temporary) }}
    {{ rows_deleted(target, "true") }}
    {{ rows_inserted(target, columns, temporary) }}
{%- endmacro %}

{#- Columns of a model whose change is remembered (meta.watched); empty where it watches none. -#}
{% macro watched_columns() -%}
    {{ return((config.get("meta") or {}).get("watched", []) | join(", ")) }}
{%- endmacro %}

{#- Statements that remember in <model>__changes what is about to differ, and forget what was published.

    target      the stored table
    columns     those that are watched unless the model names its own
    former      the rows that give way: `target`, with a condition
    coming      the rows that take their place: a relation, with a condition -#}
{% macro changes_logged(target, columns, former, coming) -%}
    {%- set changes = changes_of(target) -%}
    {%- set watched = watched_columns() or columns -%}
    {%- set was = "select " ~ watched ~ " from " ~ former -%}
    {%- set is = "select " ~ watched ~ " from " ~ coming -%}
    {%- set night = "cast(" ~ var("night_number", 1) ~ " as bigint)" -%}
    {#- a log with other columns is that of an older version: the model was built anew since, with all below it -#}
    {%- set log = load_relation(changes) -%}
    {%- set logged = (watched ~ ", was_stored, changed_in").replace('"', "") -%}
    {%- if log and adapter.get_columns_in_relation(log) | map(
        attribute="name"
    ) | join(", ") != logged %}
        drop table {{ changes }};
    {%- endif %}
    create table if not exists {{ changes }} as
    select *, true as was_stored, {{ night }} as changed_in
    from ({{ was }}) as stored
    limit 0
    ;
    {{ rows_deleted(changes, "not " ~ is_unseen()) }}
    {{
        rows_inserted(
            changes,
            watched ~ ", was_stored, changed_in",
            "(select *, true as was_stored, "
            ~ night
            ~ " as changed_in from ("
            ~ was
            ~ " except "
            ~ is
            ~ ") as gone union all select *, false as was_stored, "
            ~ night
            ~ " as changed_in from ("
            ~ is
            ~ " except "
            ~ was
            ~ ") as come) as differences",
        )
    }}
{%- endmacro %}

{#- After a full build of a model that remembers what it changes: an empty log, so that a night that builds on other
    models can read it. -#}
{% macro log_emptied() -%}
    {%- if execute and (
        watched_columns() or config.get("incremental_strategy") == "logged"
    ) and not builds_on_last_night() -%}
        {{
            table_replaced(
                changes_of(this),
                "*",
                "(select "
                ~ (watched_columns() or "*")
                ~ ", true as was_stored, cast("
                ~ var("night_number", 1)
                ~ " as bigint) as changed_in from "
                ~ this
                ~ " limit 0) as nothing",
            )
        }}
    {%- endif -%}
{%- endmacro %}

{#- Incremental strategy `rekeyed`: every key (meta.rekeyed, a list of columns) that the model's SQL returns gives way to
    the rows returned for it; rows with `is_gone` only clear their key. A model whose readers shall not see such rows
    names in meta.cleared_by the one that holds the keys that give way (with a ref of its own in the SQL), and in
    meta.cleared_as its columns, where they have other names. What differs afterwards in the columns of meta.watched, if
    it names any, is remembered as in `logged`. -#}
{% macro get_incremental_rekeyed_sql(arg_dict) -%}
    {%- set target = arg_dict["target_relation"] -%}
    {%- set temporary = arg_dict["temp_relation"] -%}
    {%- set columns = (
        arg_dict["dest_columns"] | map(attribute="quoted") | join(", ")
    ) -%}
    {%- set scope = config.get("meta") -%}
    {%- set cleared = keys_cleared(scope["rekeyed"], scope, temporary) -%}
    {%- set coming = (
        temporary
        if scope["cleared_by"]
        else temporary ~ " where not is_gone"
    ) -%}
    {%- if watched_columns() -%}
        {{ changes_logged(target, columns, target ~ " where " ~ cleared, coming) }}
    {%- endif -%}
    {{ rows_deleted(target, cleared) }}
    {{ rows_inserted(target, columns, coming) }}
{%- endmacro %}

{#- Condition on rows whose keys give way, see `rekeyed`.

    keys        columns
    scope       meta of the model's config: cleared_by, cleared_as
    otherwise   what holds the keys where scope names no model -#}
{% macro keys_cleared(keys, scope, otherwise=none) -%}
    {%- set relation = (
        night_relation(scope["cleared_by"])
        if scope["cleared_by"]
        else otherwise
    ) -%}
    {{
        return(
            "(" ~ keys
            | join(", ") ~ ") in (select distinct " ~ (scope["cleared_as"] or keys)
            | join(", ") ~ " from " ~ relation ~ ")"
        )
    }}
{%- endmacro %}

{#- Incremental strategy `recorded`, for what an audit table tells of every run: what the run wrote before gives way,
    rows of earlier runs stay, and are null in columns that are new. Goes with `full_refresh: false`: what happened is
    not built anew. -#}
{% macro get_incremental_recorded_sql(arg_dict) -%}
    {%- set target = arg_dict["target_relation"] -%}
    {%- set temporary = arg_dict["temp_relation"] -%}
    {%- set known = arg_dict["dest_columns"] | map(attribute="name") | list -%}
    {%- set columns = adapter.get_columns_in_relation(temporary) -%}
    {%- for column in columns if column.name not in known %}
        alter table {{ target }} add column {{ column.quoted }} {{ column.data_type }};
    {%- endfor %}
    {{ rows_deleted(target, "run_id = '" ~ var("run_id") ~ "'") }}
    {{
        rows_inserted(
            target, columns | map(attribute="quoted") | join(", "), temporary
        )
    }}
{%- endmacro %}

{#- Incremental strategy `summed`, for sums over a stored table that are too dear to be made every night: the groups that
    the model's SQL returns give way to the rows returned for them, and those of which the table holds nothing any more
    go. The SQL returns the groups whose rows have changed, told by a checksum.

    In the model's config: meta.summed = {rows, by}:
    rows    the model that is summed (with a ref of its own in the SQL)
    by      column of both that names the group -#}
{% macro get_incremental_summed_sql(arg_dict) -%}
    {%- set target = arg_dict["target_relation"] -%}
    {%- set temporary = arg_dict["temp_relation"] -%}
    {%- set scope = config.get("meta")["summed"] -%}
    {%- set columns = (
        arg_dict["dest_columns"] | map(attribute="quoted") | join(", ")
    ) -%}
    {%- set groups = "(select " ~ scope["by"] ~ " from " -%}
    {{
        rows_deleted(
            target,
            scope["by"]
            ~ " in "
            ~ groups
            ~ temporary
            ~ ") or "
            ~ scope["by"]
            ~ " not in "
            ~ groups
            ~ night_relation(scope["rows"])
            ~ ")",
        )
    }}
    {{ rows_inserted(target, columns, temporary) }}
{%- endmacro %}

{#- Whether a row of a stg_ table is of a restated customer. -#}
{% macro is_restated_identity() -%}
    {%- set restated_identities = ref("int_night__restated_identities") -%}
    {%- if builds_on_last_night() -%}
        coalesce(
            identity_hash in (select identity_hash from {{ restated_identities }}),
            false
        )
    {%- else -%} true
    {%- endif -%}
{%- endmacro %}

{#- Messages of support that tonight's rows are made from: a message is judged by the others of its ticket, so all
    messages of the tickets of restated customers, and of those with a new message.

    relation    ref of stg_support__messages
    tickets     name of a CTE with ticket_id and is_restated -#}
{% macro messages_of_tonight(relation, tickets) -%}
    select staged.*
    from {{ relation }} as staged
    {%- if builds_on_last_night() %}
        semi join
            (
                select ticket_id
                from {{ relation }}
                where sent_at >= {{ known_until() }}
                union
                select ticket_id
                from {{ tickets }}
                where is_restated
            ) as tonight
            on staged.ticket_id = tonight.ticket_id
    {%- endif %}
{%- endmacro %}

{#- The rows of a stored table that this night has written; in a full build, all of them. -#}
{% macro rows_written(relation) -%}
    {%- if builds_on_last_night(relation.identifier) -%} {{ written_tonight(relation) }}
    {%- else -%} {{ relation }}
    {%- endif -%}
{%- endmacro %}

{#- Statements of the strategies above, each ended by a semicolon. -#}
{% macro rows_deleted(target, condition) -%}
    {{ return("delete from " ~ target ~ " where " ~ condition ~ ";\n") }}
{%- endmacro %}

{% macro rows_inserted(target, columns, rows) -%}
    {{
        return(
            "insert into "
            ~ target
            ~ " ("
            ~ columns
            ~ ") select "
            ~ columns
            ~ " from "
            ~ rows
            ~ ";\n"
        )
    }}
{%- endmacro %}

{% macro table_replaced(target, columns, rows) -%}
    {{
        return(
            "create or replace table "
            ~ target
            ~ " as select "
            ~ columns
            ~ " from "
            ~ rows
            ~ ";\n"
        )
    }}
{%- endmacro %}

{#- The last stored row of each of some customers before the first unknown instant, restated ones left out. Whole select
    of `columns`. (max_by would pass over a last value that is null.)

    relation    stored table with customer_id, one row per customer and `time`
    customers   name of a CTE: whose rows are wanted
    restated    name of a CTE: whose rows are not -#}
{% macro last_stored(relation, customers, restated, time, columns) -%}
    select {{ columns | join(", ") }}
    from
        (
            select
                stored.*,
                row_number() over (
                    partition by stored.customer_id order by stored.{{ time }} desc
                ) as rank_from_last
            from {{ relation }} as stored
            semi join
                {{ customers }} as wanted on stored.customer_id = wanted.customer_id
            anti join
                {{ restated }} as restated on stored.customer_id = restated.customer_id
            where stored.{{ time }} < {{ known_until() }}
        ) as ranked
    where rank_from_last = 1
{%- endmacro %}
