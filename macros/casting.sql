{#- Casting: from the types in which loaders deliver to the types of the contract, row by row and without an error.
    What cannot be read becomes null; whether that is a broken rule is decided in macros/staging.sql. -#}
{#- The kind of a physical type: text, integer, decimal, double, boolean, date, local (a time without a zone),
    instant (a time that is a point in time), other. -#}
{% macro type_family(physical_type) -%}
    {{
        return(
            adapter.dispatch("type_family", "engagement_warehouse")(
                physical_type | lower
            )
        )
    }}
{%- endmacro %}

{% macro default__type_family(physical_type) -%}
    {%- set name = physical_type.split("(")[0] | trim -%}
    {%- set families = {
        "string": "text",
        "varchar": "text",
        "char": "text",
        "tinyint": "integer",
        "smallint": "integer",
        "int": "integer",
        "bigint": "integer",
        "decimal": "decimal",
        "float": "double",
        "double": "double",
        "boolean": "boolean",
        "date": "date",
        "timestamp": "instant",
        "timestamp_ntz": "local",
    } -%}
    {{ return(families.get(name, "other")) }}
{%- endmacro %}

{% macro duckdb__type_family(physical_type) -%}
    {%- set name = physical_type.split("(")[0] | trim -%}
    {%- set families = {
        "varchar": "text",
        "tinyint": "integer",
        "smallint": "integer",
        "integer": "integer",
        "bigint": "integer",
        "utinyint": "integer",
        "usmallint": "integer",
        "uinteger": "integer",
        "ubigint": "decimal",
        "hugeint": "decimal",
        "decimal": "decimal",
        "float": "double",
        "double": "double",
        "boolean": "boolean",
        "date": "date",
        "timestamp": "local",
        "timestamp with time zone": "instant",
    } -%}
    {{ return(families.get(name, "other")) }}
{%- endmacro %}

{#- The SQL type of a contract data type. -#}
{% macro contract_type(data_type) -%}
    {%- if data_type == "varchar" -%} {{ type_string() }}
    {%- elif data_type == "integer" -%} bigint
    {%- elif data_type == "decimal" -%} decimal(18, 4)
    {%- else -%} {{ data_type }}
    {%- endif -%}
{%- endmacro %}

{#- The value if one is given: blank text and the number that is none (how data frames write a gap) are null. -#}
{% macro given(column, family) -%}
    {%- if family == "text" -%} {{ unpadded(column) }}
    {%- elif family == "double" -%}
        {#- Not nullif(): Parquet's statistics leave NaN out, and a comparison with it is optimised away. -#}
        case when not isnan({{ column }}) then {{ column }} end
    {%- elif family == "other" -%}
        {{ unpadded("cast(" ~ column ~ " as " ~ type_string() ~ ")") }}
    {%- else -%} {{ column }}
    {%- endif -%}
{%- endmacro %}

{#- Text without blanks around it, null if nothing is left. Looking at both ends is several times cheaper than trim(),
    which would copy every text to find that few need it. -#}
{% macro unpadded(value) -%}
    case
        when {{ value }} like ' %' or {{ value }} like '% '
        then nullif(trim({{ value }}), '')
        when {{ value }} <> ''
        then {{ value }}
    end
{%- endmacro %}

{#- True where a value of the family may be unreadable as the contract's data type. -#}
{% macro may_be_unreadable(data_type, family) -%}
    {%- set always_readable = {
        "varchar": [
            "text",
            "integer",
            "decimal",
            "double",
            "boolean",
            "date",
            "local",
            "instant",
            "other",
        ],
        "timestamp": ["date", "local", "instant"],
        "date": ["date", "local", "instant"],
        "double": ["integer", "decimal"],
        "integer": ["integer"],
        "boolean": ["boolean"],
        "decimal": [],
    } -%}
    {{ return(family not in always_readable[data_type]) }}
{%- endmacro %}

{#- A given value (see above) as the contract's data type; null where it cannot be read. -#}
{% macro readable(value, data_type, family, time_zone) -%}
    {%- if data_type == "varchar" -%} {{ as_text(value, family) }}
    {%- elif data_type == "timestamp" -%} {{ as_timestamp(value, family, time_zone) }}
    {%- elif data_type == "date" -%} {{ as_date(value, family, time_zone) }}
    {%- elif data_type == "double" -%} {{ as_double(value, family) }}
    {%- elif data_type == "integer" -%} {{ as_integer(value, family) }}
    {%- elif data_type == "boolean" -%} {{ as_boolean(value, family) }}
    {%- else -%} try_cast({{ value }} as {{ contract_type(data_type) }})
    {%- endif -%}
{%- endmacro %}

{#- Ids that a data frame turned into floating point (a column with gaps) become whole numbers again: 12, not 12.0. -#}
{% macro as_text(value, family) -%}
    {%- if family in ["text", "other"] -%} {{ value }}
    {%- elif family == "double" -%}
        case
            when
                {{ value }} = floor({{ value }}) and abs({{ value }}) < 9007199254740992
            then cast(cast({{ value }} as bigint) as {{ type_string() }})
            else cast({{ value }} as {{ type_string() }})
        end
    {%- else -%} cast({{ value }} as {{ type_string() }})
    {%- endif -%}
{%- endmacro %}

{#- Finite numbers only: one infinite score would make every mean infinite. -#}
{% macro as_double(value, family) -%}
    {%- if family in ["integer", "decimal"] -%} cast({{ value }} as double)
    {%- else -%}
        case
            when abs(try_cast({{ value }} as double)) <= 1.7976931348623157e308
            then try_cast({{ value }} as double)
        end
    {%- endif -%}
{%- endmacro %}

{#- Whole numbers only: 3.0 is one, 3.5 is unreadable rather than rounded. -#}
{% macro as_integer(value, family) -%}
    {%- if family == "integer" -%} cast({{ value }} as bigint)
    {%- else -%}
        case
            when
                try_cast({{ value }} as double) = floor(try_cast({{ value }} as double))
            then try_cast(try_cast({{ value }} as double) as bigint)
        end
    {%- endif -%}
{%- endmacro %}

{% macro as_boolean(value, family) -%}
    {%- if family == "boolean" -%} {{ value }}
    {%- elif family in ["integer", "decimal", "double"] -%}
        case when {{ value }} = 1 then true when {{ value }} = 0 then false end
    {%- else -%}
        case
            when
                lower(cast({{ value }} as {{ type_string() }}))
                in ('true', 't', 'yes', 'y', '1', '1.0')
            then true
            when
                lower(cast({{ value }} as {{ type_string() }}))
                in ('false', 'f', 'no', 'n', '0', '0.0')
            then false
        end
    {%- endif -%}
{%- endmacro %}

{#- A naive UTC timestamp. Times without an offset are read in `time_zone`; a local time that a clock change skips
    or repeats is read with the offset of standard time. -#}
{% macro as_timestamp(value, family, time_zone) -%}
    {%- if family == "instant" -%} {{ instant_to_utc(value) }}
    {%- elif family == "local" -%} {{ local_to_utc(value, time_zone) }}
    {%- elif family == "date" -%}
        {{ local_to_utc("cast(" ~ value ~ " as timestamp)", time_zone) }}
    {%- else -%}
        {{
            text_to_utc(
                (
                    "cast(" ~ value ~ " as " ~ type_string() ~ ")"
                    if family != "text"
                    else value
                ),
                time_zone,
            )
        }}
    {%- endif -%}
{%- endmacro %}

{#- A calendar date, as it is written; an instant has the date of the clock in `time_zone`. -#}
{% macro as_date(value, family, time_zone) -%}
    {%- if family in ["date", "local"] -%} cast({{ value }} as date)
    {%- elif family == "instant" -%}
        cast({{ utc_to_local(instant_to_utc(value), time_zone) }} as date)
    {%- else -%}
        try_cast(substr(cast({{ value }} as {{ type_string() }}), 1, 10) as date)
    {%- endif -%}
{%- endmacro %}

{#- An instant as a naive UTC timestamp. -#}
{% macro instant_to_utc(value) -%}
    {{ return(adapter.dispatch("instant_to_utc", "engagement_warehouse")(value)) }}
{%- endmacro %}

{% macro default__instant_to_utc(value) -%} {{ value }} {%- endmacro %}

{#- DuckDB keeps an instant as microseconds of UTC; its function timezone() would ask a calendar for every row. -#}
{% macro duckdb__instant_to_utc(value) -%}
    make_timestamp(epoch_us({{ value }}))
{%- endmacro %}

{#- A naive local timestamp as a naive UTC timestamp. -#}
{% macro local_to_utc(value, time_zone) -%}
    {{
        return(
            adapter.dispatch("local_to_utc", "engagement_warehouse")(value, time_zone)
        )
    }}
{%- endmacro %}

{% macro default__local_to_utc(value, time_zone) -%}
    {%- if time_zone == "UTC" -%} cast({{ value }} as timestamp)
    {%- else -%} to_utc_timestamp(cast({{ value }} as timestamp), '{{ time_zone }}')
    {%- endif -%}
{%- endmacro %}

{% macro duckdb__local_to_utc(value, time_zone) -%}
    {%- if time_zone == "UTC" -%} {{ value }}
    {%- else -%} timezone('UTC', timezone('{{ time_zone }}', {{ value }}))
    {%- endif -%}
{%- endmacro %}

{#- A naive UTC timestamp as a naive local timestamp. -#}
{% macro utc_to_local(value, time_zone) -%}
    {{
        return(
            adapter.dispatch("utc_to_local", "engagement_warehouse")(value, time_zone)
        )
    }}
{%- endmacro %}

{% macro default__utc_to_local(value, time_zone) -%}
    {%- if time_zone == "UTC" -%} {{ value }}
    {%- else -%} from_utc_timestamp({{ value }}, '{{ time_zone }}')
    {%- endif -%}
{%- endmacro %}

{% macro duckdb__utc_to_local(value, time_zone) -%}
    {%- if time_zone == "UTC" -%} {{ value }}
    {%- else -%} timezone('{{ time_zone }}', timezone('UTC', {{ value }}))
    {%- endif -%}
{%- endmacro %}

{#- Text as a naive UTC timestamp; null where it is no time. Both engines read text without an offset in the
    session's zone, which is UTC. A blank before the offset, as some warehouses export it, is closed up. -#}
{% macro text_to_utc(value, time_zone) -%}
    {%- set closed_up = "replace(replace(" ~ value ~ ", ' +', '+'), ' -', '-')" -%}
    {%- if time_zone == "UTC" -%} {{ text_to_instant(closed_up) }}
    {%- else -%}
        case
            when {{ has_offset(value) }}
            then {{ text_to_instant(closed_up) }}
            else {{ local_to_utc("try_cast(" ~ value ~ " as timestamp)", time_zone) }}
        end
    {%- endif -%}
{%- endmacro %}

{#- Text with or without an offset as a naive UTC timestamp. -#}
{% macro text_to_instant(value) -%}
    {{ return(adapter.dispatch("text_to_instant", "engagement_warehouse")(value)) }}
{%- endmacro %}

{% macro default__text_to_instant(value) -%}
    try_cast({{ value }} as timestamp)
{%- endmacro %}

{% macro duckdb__text_to_instant(value) -%}
    {{ duckdb__instant_to_utc("try_cast(" ~ value ~ " as timestamptz)") }}
{%- endmacro %}

{#- True where the text of a time ends with an offset, a Z or the name of a zone: after the last colon and its
    digits comes a sign or a letter. A date alone has no colon. -#}
{% macro has_offset(value) -%}
    {{ return(adapter.dispatch("has_offset", "engagement_warehouse")(value)) }}
{%- endmacro %}

{% macro default__has_offset(value) -%}
    {{ value }} rlike ':[0-9.]+ *[-+A-Za-z]'
{%- endmacro %}

{% macro duckdb__has_offset(value) -%}
    regexp_matches({{ value }}, ':[0-9.]+ *[-+A-Za-z]')
{%- endmacro %}
