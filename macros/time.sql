{#- Time, as the house reads it: `*_at` columns are naive UTC timestamps, `*_on` columns are business days.
    Whatever needs a time zone or an interval literal goes through here, so that models stay portable. -#}
{#- The snapshot date T, as a date literal. Without the variable: yesterday in the business time zone. -#}
{% macro as_of() -%}
    {%- set given = var("as_of", "") | string -%}
    {%- if not given -%}
        {%- set zone = modules.pytz.timezone(var("business_time_zone", "UTC")) -%}
        {%- set now = run_started_at.astimezone(zone) -%}
        {%- set given = (
            now.date() - modules.datetime.timedelta(days=1)
        ).isoformat() -%}
    {%- endif -%}
    cast('{{ given }}' as date)
{%- endmacro %}

{#- First instant (UTC) after the snapshot date: what occurred at or after it is not known yet. -#}
{% macro as_of_end() -%}
    {{ business_day_start("(" ~ as_of() ~ " + 1)") }}
{%- endmacro %}

{#- Business day (date) on which a UTC timestamp falls. -#}
{% macro business_day(timestamp) -%}
    {{ return(adapter.dispatch("business_day", "engagement_warehouse")(timestamp)) }}
{%- endmacro %}

{% macro default__business_day(timestamp) -%}
    {%- if var("business_time_zone", "UTC") == "UTC" -%} cast({{ timestamp }} as date)
    {%- else -%}
        cast(
            from_utc_timestamp(
                {{ timestamp }}, '{{ var("business_time_zone") }}'
            ) as date
        )
    {%- endif -%}
{%- endmacro %}

{% macro duckdb__business_day(timestamp) -%}
    {%- if var("business_time_zone", "UTC") == "UTC" -%} cast({{ timestamp }} as date)
    {%- else -%}
        cast(
            timezone(
                '{{ var("business_time_zone") }}', timezone('UTC', {{ timestamp }})
            ) as date
        )
    {%- endif -%}
{%- endmacro %}

{#- UTC timestamp at which a business day (date) starts. -#}
{% macro business_day_start(day) -%}
    {{ return(adapter.dispatch("business_day_start", "engagement_warehouse")(day)) }}
{%- endmacro %}

{% macro default__business_day_start(day) -%}
    {%- if var("business_time_zone", "UTC") == "UTC" -%} cast({{ day }} as timestamp)
    {%- else -%}
        to_utc_timestamp(
            cast({{ day }} as timestamp), '{{ var("business_time_zone") }}'
        )
    {%- endif -%}
{%- endmacro %}

{% macro duckdb__business_day_start(day) -%}
    {%- if var("business_time_zone", "UTC") == "UTC" -%} cast({{ day }} as timestamp)
    {%- else -%}
        timezone(
            'UTC',
            timezone('{{ var("business_time_zone") }}', cast({{ day }} as timestamp))
        )
    {%- endif -%}
{%- endmacro %}

{#- Whole days from one date to another (negative when the second is earlier). -#}
{% macro days_between(earlier, later) -%}
    {{ dbt.datediff(earlier, later, "day") }}
{%- endmacro %}

{#- Elapsed whole microseconds (bigint) between two timestamps: what can be added up exactly. -#}
{% macro microseconds_between(earlier, later) -%}
    {{
        return(
            adapter.dispatch("microseconds_between", "engagement_warehouse")(
                earlier, later
            )
        )
    }}
{%- endmacro %}

{% macro default__microseconds_between(earlier, later) -%}
    (unix_micros({{ later }}) - unix_micros({{ earlier }}))
{%- endmacro %}

{% macro duckdb__microseconds_between(earlier, later) -%}
    date_diff('microsecond', {{ earlier }}, {{ later }})
{%- endmacro %}

{#- Elapsed seconds (double) between two timestamps. -#}
{% macro seconds_between(earlier, later) -%}
    (cast({{ microseconds_between(earlier, later) }} as double) / 1000000.0)
{%- endmacro %}

{#- A timestamp moved by a (computed, possibly fractional) number of seconds. -#}
{% macro add_seconds(timestamp, seconds) -%}
    {{
        return(
            adapter.dispatch("add_seconds", "engagement_warehouse")(
                timestamp, seconds
            )
        )
    }}
{%- endmacro %}

{% macro default__add_seconds(timestamp, seconds) -%}
    timestamp_micros(
        unix_micros({{ timestamp }})
        + cast(cast({{ seconds }} as double) * 1000000 as bigint)
    )
{%- endmacro %}

{% macro duckdb__add_seconds(timestamp, seconds) -%}
    (
        {{ timestamp }}
        + to_microseconds(cast(cast({{ seconds }} as double) * 1000000 as bigint))
    )
{%- endmacro %}

{#- A date moved by a (computed) number of months; the day is clipped to the month's last. -#}
{% macro add_months(day, months) -%}
    {{ return(adapter.dispatch("add_months", "engagement_warehouse")(day, months)) }}
{%- endmacro %}

{% macro default__add_months(day, months) -%}
    add_months({{ day }}, cast({{ months }} as int))
{%- endmacro %}

{% macro duckdb__add_months(day, months) -%}
    cast({{ day }} + to_months(cast({{ months }} as integer)) as date)
{%- endmacro %}

{#- Monday of the ISO week, first day of the month, as dates. -#}
{% macro week_start(day) -%} cast(date_trunc('week', {{ day }}) as date) {%- endmacro %}

{% macro month_start(day) -%}
    cast(date_trunc('month', {{ day }}) as date)
{%- endmacro %}
