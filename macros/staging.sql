{#- Staging: what every raw table goes through, driven by the contract in models/staging/<channel>/_sources.yml.
    raw_rows -> typed_columns -> quarantine_rule (together a base_ model) -> latest_versions (a stg_ model). What a night
    does with the latest versions stands in macros/versions.sql. -#}
{#- Raw table -> the second half of its model names, base_<...> and stg_<...>. The order is that of the contract. -#}
{% macro staged_tables() -%}
    {{
        return(
            {
                "customers": "customers__customers",
                "identity_links": "identity__links",
                "web_events": "web__events",
                "message_events": "messages__events",
                "coupon_redemptions": "coupons__redemptions",
                "orders": "orders__orders",
                "order_returns": "orders__returns",
                "support_tickets": "support__tickets",
                "support_messages": "support__messages",
                "social_events": "social__events",
                "social_account_days": "social__account_days",
                "reviews": "reviews__reviews",
                "loyalty_events": "loyalty__events",
                "survey_responses": "surveys__responses",
                "community_events": "community__events",
                "store_visits": "stores__visits",
                "referrals": "referrals__referrals",
                "campaigns": "campaigns__campaigns",
                "promotions": "promotions__promotions",
                "exchange_rates": "finance__exchange_rates",
                "erasure_requests": "privacy__erasure_requests",
            }
        )
    }}
{%- endmacro %}

{#- The contract's entry of a raw table. dbt knows all sources only when it executes; before, the answer is empty. -#}
{% macro contract_table(table) -%}
    {%- if execute -%}
        {%- for node in graph.sources.values() if node.source_name == "raw" and node.name == table -%}
            {{ return(node) }}
        {%- endfor -%}
        {{ exceptions.raise_compiler_error("The raw contract has no table " ~ table) }}
    {%- endif -%}
    {{ return({"name": table, "columns": {}}) }}
{%- endmacro %}

{#- Names of the key columns of a raw table. -#}
{% macro contract_key(table) -%}
    {%- set key = [] -%}
    {%- for column in contract_table(table).columns.values() if column.meta.get("key") -%}
        {%- do key.append(column.name) -%}
    {%- endfor -%}
    {{ return(key) }}
{%- endmacro %}

{#- Column in lower case -> kind of its type (macro type_family) as it lies in schema raw; empty where the engine has
    no such table, which is how a channel that a company does not have looks outside DuckDB. -#}
{% macro delivered_columns(table) -%}
    {%- set families = {} -%}
    {%- if execute -%}
        {#- asked of the database and not of dbt's cache: while one thread fills that with a schema, another finds only
            a part of it, and a table that is there would be taken for one that is not -#}
        {%- for column in adapter.get_columns_in_relation(rows_read(table)) -%}
            {%- do families.update({column.name | lower: type_family(column.dtype)}) -%}
        {%- endfor -%}
    {%- endif -%}
    {{ return(families) }}
{%- endmacro %}

{#- All rows of a raw table with every contract column: columns that the loader does not deliver are null, and a
    table that is not there is empty. A missing required column stops the run. -#}
{% macro raw_rows(table, delivered) -%}
    {#- named also in a night, so that the order of models and the lineage are the same -#}
    {%- set _ = source("raw", table) -%}
    {%- set relation = rows_read(table) -%}
    select
        {%- for column in contract_table(table).columns.values() %}
            {% if column.name in delivered -%} {{ column.name }},
            {%- elif delivered and column.meta.get("required") -%}
                {{
                    exceptions.raise_compiler_error(
                        "Required column "
                        ~ column.name
                        ~ " of raw table "
                        ~ table
                        ~ " is missing"
                    )
                }}
            {%- else -%}
                cast(
                    null as {{ contract_type(column.data_type) }}
                ) as {{ column.name }},
            {%- endif -%}
        {%- endfor %}
        {% if "source_file" in delivered -%} source_file
        {%- else -%} cast(null as {{ type_string() }}) as source_file
        {%- endif %}
    {% if delivered or not execute -%} from {{ relation }}
    {%- else -%} where 1 = 0
    {%- endif %}
{%- endmacro %}

{#- Every contract column of `raw_rows`, cast and normalised under its own name; for columns that may be unreadable
    also `<column>_is_given`, so that the rules can tell what was empty from what was no number, time or flag. And
    `raw_row`, the row as it came, for the quarantine. -#}
{% macro typed_columns(table, delivered) -%}
    {%- set declared = contract_table(table) -%}
    {%- set time_zone = var("source_time_zones", {}).get(table, "UTC") -%}
    {%- set as_given = {} -%}
    {%- for column in declared.columns.values() -%}
        {%- do as_given.update(
            {
                column.name: given(
                    column.name, staging_family(column, delivered)
                )
            }
        ) -%}
    {%- endfor -%}
    {%- for column in declared.columns.values() %}
        {%- set meta = column.meta -%}
        {%- set family = staging_family(column, delivered) -%}
        {%- set value = readable(
            as_given[column.name], column.data_type, family, time_zone
        ) -%}
        {%- if meta.get("event_time") and "is_date_only" in declared.columns -%}
            {%- set is_date_only = readable(
                as_given["is_date_only"],
                "boolean",
                staging_family(declared.columns["is_date_only"], delivered),
                time_zone,
            ) -%}
            {%- set day = as_date(as_given[column.name], family, time_zone) -%}
            {%- set value -%}
                case when {{ is_date_only }} then {{ business_day_start(day) }} else {{ value }} end
            {%- endset -%}
        {%- elif meta.get("typed_by") -%}
            {%- set value = normalised_by_type(as_given[meta["typed_by"]], value) -%}
        {%- elif meta.get("scoped_by") -%}
            {%- set value = normalised_identifier(
                "handle",
                value,
                "coalesce("
                ~ as_given[meta["scoped_by"]]
                ~ ", '"
                ~ table
                ~ "')",
            ) -%}
        {%- elif meta.get("scope") -%}
            {%- set value = normalised_identifier(
                "handle", value, "'" ~ meta["scope"] ~ "'"
            ) -%}
        {%- elif meta.get("identifier") -%}
            {%- set value = normalised_identifier(
                meta.get("identifier_type", column.name), value
            ) -%}
        {%- elif column.name == "is_deleted" -%}
            {%- set value = "coalesce(" ~ value ~ ", false)" -%}
        {%- endif %}
        {{ value }} as {{ column.name }},
        {%- if may_be_unreadable(column.data_type, family) %}
            {{ as_given[column.name] }} is not null as {{ column.name }}_is_given,
        {%- endif %}
    {%- endfor %}
    {{ raw_row(table) }} as raw_row,
    source_file
{%- endmacro %}

{#- The kind of a column as `raw_rows` gives it: as delivered, or of the contract's type where it is filled with null. -#}
{% macro staging_family(column, delivered) -%}
    {%- set of_contract = {"varchar": "text", "timestamp": "local"} -%}
    {{
        return(
            delivered.get(
                column.name, of_contract.get(column.data_type, column.data_type)
            )
        )
    }}
{%- endmacro %}

{#- The contract columns, source_file and raw_content, for the select that adds quarantine_rule. Nothing of it names
    anybody who was erased (macros/erasure.sql). -#}
{% macro staged_columns(table) -%}
    {%- set erased = names_the_erased(table) if has_tombstones() -%}
    {%- for column in contract_table(table).columns %}
        {{ unless_erased(table, column) if erased else column }},
    {%- endfor %}
    source_file,
    {% if erased -%}
        case
            when {{ erased }} then null else {{ raw_content("raw_row") }}
        end as raw_content
    {%- else -%} {{ raw_content("raw_row") }} as raw_content
    {%- endif -%}
{%- endmacro %}

{#- What a time must lie between: one row with `earliest_at` (timestamp) and `future_tolerance_seconds`. -#}
{% macro time_bounds() -%}
    select
        cast(
            concat(
                cast(
                    cast(
                        {{ threshold("earliest_year") }} as integer
                    ) as {{ type_string() }}
                ),
                '-01-01'
            ) as timestamp
        ) as earliest_at,
        3600 * {{ threshold("future_tolerance_hours") }} as future_tolerance_seconds
{%- endmacro %}

{#- The first rule that a row of `typed_columns` breaks, or null. In this order: erased (nothing is kept of such a row,
    not in quarantine either), missing_<key>, unreadable_<column>, missing_<required column>, unknown_<column> (closed
    lists), then `further` rules of the table as pairs of name and condition, negative_<column> or
    out_of_range_<column>, impossible_time: before anything was recorded, before there was such a source (mark `earliest`)
    or in the future. The last needs the CTE `time_bounds`. -#}
{% macro quarantine_rule(table, delivered, further=[]) -%}
    {%- set columns = contract_table(table).columns.values() -%}
    {#- read by leading_identifier_key; the order of models is the same with and without tombstones -#}
    {%- set _ = ref("blocked_identifiers") -%}
    {%- if parent_of(table) -%}
        {%- set _ = ref("stg_" ~ staged_tables()[parent_of(table)[0]]) -%}
    {%- endif -%}
    {%- set erased = is_of_the_erased(table) if has_tombstones() -%}
    case
        {%- if erased %} when {{ erased }} then 'erased' {%- endif %}
        {%- for column in columns if column.meta.get("key") %}
            when
                {{ column.name }} is null
                {%- if may_be_unreadable(
                    column.data_type, staging_family(column, delivered)
                ) %} and not {{ column.name }}_is_given {%- endif %}
            then 'missing_{{ column.name }}'
        {%- endfor %}
        {%- for column in columns if may_be_unreadable(column.data_type, staging_family(column, delivered)) %}
            when {{ column.name }} is null and {{ column.name }}_is_given
            then 'unreadable_{{ column.name }}'
        {%- endfor %}
        {%- for column in columns if column.meta.get("required") and not column.meta.get("key") %}
            when {{ column.name }} is null then 'missing_{{ column.name }}'
        {%- endfor %}
        {%- for column in columns if column.meta.get("accepted_values") %}
            when
                {{ column.name }} not in (
                    {%- for value in column.meta["accepted_values"] %}
                        '{{ value }}'{{ ", " if not loop.last }}
                    {% endfor -%}
                )
            then 'unknown_{{ column.name }}'
        {%- endfor %}
        {%- for rule, condition in further %}
            when {{ condition }} then '{{ rule }}'
        {%- endfor %}
        {%- for column in columns if column.meta.get("minimum") is not none or column.meta.get("maximum") is not none %}
                {%- set least = column.meta.get("minimum") %}
                {%- set greatest = column.meta.get("maximum") %}
            {%- if least == 0 %}
                when {{ column.name }} < 0 then 'negative_{{ column.name }}'
            {%- elif least is not none %}
                when {{ column.name }} < {{ least }}
                then 'out_of_range_{{ column.name }}'
            {%- endif %}
            {%- if greatest is not none %}
                when {{ column.name }} > {{ greatest }}
                then 'out_of_range_{{ column.name }}'
            {%- endif %}
        {%- endfor %}
        {%- for column in columns if column.meta.get("event_time") %}
            when
                {{ column.name }}
                < {% if column.meta.get("earliest") -%}
                    greatest(
                        earliest_at, cast('{{ column.meta["earliest"] }}' as timestamp)
                    )
                {%- else -%} earliest_at
                {%- endif %}
                or cast({{ column.name }} as timestamp)
                > {{ add_seconds("loaded_at", "future_tolerance_seconds") }}
            then 'impossible_time'
        {%- endfor %}
    end
{%- endmacro %}

{#- The latest valid version of every key among the rows read, deletions included.

    base    relation of its base_ model
    table   raw table

    Returns a whole select of the contract columns, source_file, identity_hash (narrow hash of the leading identifier)
    and changed_in (the night).

    Versions that were loaded at the same instant: a deletion wins, then the content decides by its hash, so that the
    choice does not depend on the order of files. Most keys have one version and need no window: only rows of keys
    that repeat are ranked. These are told by a narrow hash; two keys of one hash are ranked, too, each by itself. -#}
{% macro latest_versions(base, table) -%}
    {#- read by leading_identifier_key, which dbt cannot see before it knows the contract -#}
    {%- set _ = ref("blocked_identifiers") -%}
    {%- set columns = contract_table(table).columns | list + ["source_file"] -%}
    {%- set key = contract_key(table) -%}
    {%- set narrow_key = key_hash(key[0] if key | length == 1 else source_key(key)) -%}
    with
        repeated_keys as (
            select {{ narrow_key }} as repeated_hash
            from {{ base }}
            group by {{ narrow_key }}
            having count(*) > 1
        ),
        single_versions as (
            select versions.*
            from {{ base }} as versions
            left join repeated_keys on {{ narrow_key }} = repeated_keys.repeated_hash
            where
                versions.quarantine_rule is null and repeated_keys.repeated_hash is null
        ),
        ranked_versions as (
            select
                versions.*,
                row_number() over (
                    partition by
                        {% for column in key %}
                            versions.{{ column }}{{ ", " if not loop.last }}
                        {% endfor %}
                    order by
                        versions.loaded_at desc,
                        versions.is_deleted desc,
                        {{ row_hash("versions", columns) }},
                        versions.source_file
                ) as version_rank
            from {{ base }} as versions
            inner join repeated_keys on {{ narrow_key }} = repeated_keys.repeated_hash
            where versions.quarantine_rule is null
        ),
        winners as (
            select {{ columns | join(", ") }}
            from single_versions
            union all
            select {{ columns | join(", ") }}
            from ranked_versions
            where version_rank = 1
        )
    select
        *,
        {{ identity_hash(table) }} as identity_hash,
        cast({{ var("night_number", 1) }} as bigint) as changed_in
    from winners
{%- endmacro %}

{#- Hash of what a version says, wherever it was found. -#}
{% macro row_hash(relation, columns) -%}
    md5(
        concat(
            {%- for column in columns if column != "source_file" %}
                coalesce(cast({{ relation }}.{{ column }} as {{ type_string() }}), '~'),
                '|'{{ "," if not loop.last }}
            {%- endfor %}
        )
    )
{%- endmacro %}

{#- The key of a row as one text, parts joined with |. -#}
{% macro source_key(key) -%}
    {%- for column in key -%}
        {{ "|| '|' || " if not loop.first }}coalesce(
            cast({{ column }} as {{ type_string() }}), ''
        )
    {% endfor -%}
{%- endmacro %}

{#- Whole select: what became of the rows that were read of every raw table. Rows in are counted in the files, not in
    the base model, which could lose some; versions and keys in the base model; rows out and deleted where they were
    stored; keys that were older than what is stored, or stood in another file as well, are superseded. So the sum
    proves base model and deduplication. -#}
{% macro row_accounts() -%}
    {%- for table, model in staged_tables().items() %}
        {%- set key = contract_key(table) or ["null"] %}
        {%- set base = ref("base_" ~ model) %}
        {%- set stored = ref("stg_" ~ model) %}
        {%- set is_of_files_read = (
            (
                "source_file in (select path from "
                ~ files_of_zone()
                ~ " where table_name = '"
                ~ table
                ~ "' and "
                ~ is_unseen("first_read_in")
                ~ ")"
            )
            if is_read_in_part(table)
            else "true"
        ) %}
        select
            '{{ table }}' as source_table,
            {{ rows_landed(table) }} as rows_in,
            (
                select count(*)
                from {{ stored }}
                where
                    {{ is_of_files_read }}
                    {#- what is older need not be read for it -#}
                    {%- if is_read_in_part(table) %} and {{ is_unseen() }} {%- endif %}
            ) as rows_out,
            versions.rows_quarantined,
            versions.rows_sound
            - versions.key_count
            + older.key_count as rows_superseded,
            (
                select count(*)
                from {{ deletions_of(stored) }}
                where {{ is_of_files_read }}
            ) as rows_deleted,
            versions.rows_erased
        from
            (
                select
                    count(*) - count(quarantine_rule) as rows_sound,
                    count(
                        case when quarantine_rule <> 'erased' then 1 end
                    ) as rows_quarantined,
                    count(
                        case when quarantine_rule = 'erased' then 1 end
                    ) as rows_erased,
                    count(
                        distinct case
                            when quarantine_rule is null
                            then {{ key[0] if key | length == 1 else source_key(key) }}
                        end
                    ) as key_count
                from {{ base }}
            ) as versions
        cross join
            (
                {% if is_read_in_part(table) -%}
                    select count(*) as key_count
                    from
                        (
                            select distinct {{ key | join(", ") }}
                            from {{ base }}
                            where quarantine_rule is null
                        ) as keys_read
                    inner join
                        (
                            select {{ key | join(", ") }}, source_file
                            from {{ stored }}
                            union all
                            select {{ key | join(", ") }}, source_file
                            from {{ deletions_of(stored) }}
                        ) as winners
                        on {{ same_key(key, "winners", "keys_read") }}
                    where not {{ is_of_files_read }}
                {%- else -%}select 0 as key_count
                {%- endif %}
            ) as older
            {{ "union all" if not loop.last }}
    {%- endfor %}
{%- endmacro %}

{#- Join condition: two relations hold the same key. -#}
{% macro same_key(key, left, right) -%}
    {%- for column in key -%}
        {{ "and " if not loop.first }}{{ left }}.{{ column }}
        = {{ right }}.{{ column }}{{ " " if not loop.last }}
    {%- endfor -%}
{%- endmacro %}

{#- True where an amount of a `typed` row cannot be converted on the business day of `event_time`. Needs the columns
    of a left join with the first rate of every currency. -#}
{% macro no_exchange_rate(event_time) -%}
    typed.currency <> '{{ var("reporting_currency") }}'
    and (first_rate_on is null or first_rate_on > {{ business_day(event_time) }})
{%- endmacro %}
