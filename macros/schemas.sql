{#- The folder names the schema: raw, seeds, staging, intermediate, marts, audit; no target prefix, so that
    the words in the tree, in the database and in the docs are the same. -#}
{% macro generate_schema_name(custom_schema_name, node) -%}
    {{ custom_schema_name or target.schema }}
{%- endmacro %}
