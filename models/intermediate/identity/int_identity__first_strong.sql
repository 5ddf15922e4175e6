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
-- The strong identifier beside which a weak one was first seen: it stays with that one,
-- whatever comes later. Grain: one weak identifier that was ever seen beside a strong
-- one.
with

    edges as ({{ reclustered_tonight(ref("int_identity__edges"), "left_key") }}),

    beside_strong as (
        select right_key as identifier_key, left_key as strong_key, first_seen_at
        from edges
        where left_is_strong and not right_is_strong
        union all
        select left_key as identifier_key, right_key as strong_key, first_seen_at
        from edges
        where right_is_strong and not left_is_strong
    ),

    ranked as (
        select
            *,
            row_number() over (
                partition by identifier_key order by first_seen_at, strong_key
            ) as seen_rank
        from beside_strong
    ),

    final as (
        select identifier_key, strong_key, first_seen_at from ranked where seen_rank = 1
    )

select *
from final
