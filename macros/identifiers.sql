{#- Normalising identifiers, so that two spellings of one identifier are equal. What an identifier key is, and which
    identifiers count, belongs in macros/identity.sql. -#}
{#- An identifier column of known type. `scope` is an SQL expression of the network or site on which a handle is
    unique; without one the handle is written network/handle already. -#}
{% macro normalised_identifier(type, value, scope=none) -%}
    {%- if type == "email" -%} {{ normalised_email(value) }}
    {%- elif type == "phone" -%} {{ normalised_phone(value) }}
    {%- elif type == "handle" -%} {{ normalised_handle(value, scope) }}
    {%- else -%} {{ value }}
    {%- endif -%}
{%- endmacro %}

{#- An identifier whose type stands in another column. -#}
{% macro normalised_by_type(type_column, value) -%}
    case
        when {{ type_column }} = 'email'
        then {{ normalised_email(value) }}
        when {{ type_column }} = 'phone'
        then {{ normalised_phone(value) }}
        when {{ type_column }} = 'handle'
        then {{ normalised_handle(value) }}
        else {{ value }}
    end
{%- endmacro %}

{% macro normalised_email(value) -%} lower({{ value }}) {%- endmacro %}

{#- Digits only: neither blanks and brackets nor the international prefix (+ or 00) tell numbers apart. -#}
{% macro normalised_phone(value) -%}
    {{ return(adapter.dispatch("normalised_phone", "engagement_warehouse")(value)) }}
{%- endmacro %}

{% macro default__normalised_phone(value) -%}
    nullif(regexp_replace({{ value }}, '^00|[^0-9]', ''), '')
{%- endmacro %}

{% macro duckdb__normalised_phone(value) -%}
    nullif(regexp_replace({{ value }}, '^00|[^0-9]', '', 'g'), '')
{%- endmacro %}

{#- network/handle in lower case, the handle without its leading @. -#}
{% macro normalised_handle(value, scope=none) -%}
    {%- if scope is none -%} replace(lower({{ value }}), '/@', '/')
    {%- else -%}
        lower({{ scope }})
        || '/'
        || nullif(trim(leading '@' from lower({{ value }})), '')
    {%- endif -%}
{%- endmacro %}
