{{
    config(
        materialized="incremental",
        incremental_strategy="rekeyed",
        meta={
            "rekeyed": ["left_key"],
            "cleared_by": "int_night__reclustered_identifiers",
            "cleared_as": ["identifier_key"],
        },
    )
}}
-- Two identifiers that were seen together (in a row or in a link), and when first.
-- Grain: one unordered pair, left_key < right_key.
{%- set types = identifier_types() %}
with

    combinations as (
        {{
            reclustered_tonight(
                ref("int_identity__combinations"),
                "coalesce(" ~ identifier_types() | join(", ") ~ ")",
            )
        }}
    ),

    links as ({{ reclustered_tonight(ref("int_identity__links"), "left_key") }}),

    identifiers as (select * from {{ ref("int_identity__identifiers") }}),

    pairs as (
        {% for left in types -%}
            {%- for right in types[loop.index :] -%}
                select {{ left }} as one_key, {{ right }} as other_key, first_seen_at
                from combinations
                where {{ left }} is not null and {{ right }} is not null
                union all
            {% endfor -%}
        {%- endfor -%}
        select left_key as one_key, right_key as other_key, seen_at as first_seen_at
        from links
    ),

    edges as (
        select
            least(one_key, other_key) as left_key,
            greatest(one_key, other_key) as right_key,
            min(first_seen_at) as first_seen_at
        from pairs
        group by least(one_key, other_key), greatest(one_key, other_key)
    ),

    final as (
        select
            edges.left_key,
            edges.right_key,
            lefts.is_strong as left_is_strong,
            rights.is_strong as right_is_strong,
            edges.first_seen_at
        from edges
        inner join identifiers as lefts on edges.left_key = lefts.identifier_key
        inner join identifiers as rights on edges.right_key = rights.identifier_key
    )

select *
from final
