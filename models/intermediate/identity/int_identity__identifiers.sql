{{
    config(
        materialized="incremental",
        incremental_strategy="rekeyed",
        meta={
            "rekeyed": ["identifier_key"],
            "cleared_by": "int_night__reclustered_identifiers",
        },
    )
}}
-- Every identifier that was seen, with its rank by kind. Grain: one identifier (kind
-- and value).
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

    rules as (select * from {{ ref("identifier_rules") }}),

    seen as (
        {% for type in identifier_types() -%}
            select
                {{ type }} as identifier_key,
                '{{ type }}' as identifier_type,
                first_seen_at
            from combinations
            where {{ type }} is not null
            union all
        {% endfor -%}
        select
            left_key as identifier_key,
            left_type as identifier_type,
            seen_at as first_seen_at
        from links
        union all
        select
            right_key as identifier_key,
            right_type as identifier_type,
            seen_at as first_seen_at
        from links
    ),

    first_seen as (
        select identifier_key, identifier_type, min(first_seen_at) as first_seen_at
        from seen
        group by identifier_key, identifier_type
    ),

    final as (
        select
            first_seen.identifier_key,
            first_seen.identifier_type,
            rules.priority,
            rules.is_strong,
            rules.max_per_customer,
            first_seen.first_seen_at
        from first_seen
        inner join rules on first_seen.identifier_type = rules.identifier_type
    )

select *
from final
