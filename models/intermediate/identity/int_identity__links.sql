{{
    config(
        materialized="incremental",
        incremental_strategy="logged",
        meta={
            "watched": [
                "left_key",
                "left_type",
                "right_key",
                "right_type",
                "seen_at",
            ],
        },
    )
}}
-- Links that another system resolved (a CRM merge, a login service): two identifiers of
-- one person. Grain: one row per identity_links row whose ends are both allowed.
{%- set blocked = blocked_identifiers() %}

with

    links as (select * from {{ ref("stg_identity__links") }}),

    keyed as (
        select
            link_id,
            case
                {%- for type in identifier_types() %}
                    when left_type = '{{ type }}'
                    then {{ allowed_identifier(type, blocked, "left_value") }}
                {%- endfor %}
            end as left_key,
            left_type,
            case
                {%- for type in identifier_types() %}
                    when right_type = '{{ type }}'
                    then {{ allowed_identifier(type, blocked, "right_value") }}
                {%- endfor %}
            end as right_key,
            right_type,
            coalesce(observed_at, loaded_at) as seen_at
        from links
    ),

    final as (
        select *
        from keyed
        where
            left_key is not null
            and right_key is not null
            and left_key <> right_key
            and seen_at < {{ as_of_end() }}
    )

select *
from final
