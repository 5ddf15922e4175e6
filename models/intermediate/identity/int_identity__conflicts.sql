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
-- Evidence that was not followed: two identifiers seen together that belong to
-- different customers. Grain: one unordered pair of identifiers.
with

    edges as ({{ reclustered_tonight(ref("int_identity__edges"), "left_key") }}),

    assignments as (select * from {{ ref("int_identity__assignments") }}),

    final as (
        select
            edges.left_key,
            edges.right_key,
            lefts.customer_id as left_customer_id,
            rights.customer_id as right_customer_id,
            edges.first_seen_at,
            case
                when lefts.is_beyond_maximum or rights.is_beyond_maximum
                then 'too_many_values'
                else 'two_strong_ids'
            end as conflict_reason
        from edges
        inner join assignments as lefts on edges.left_key = lefts.identifier_key
        inner join assignments as rights on edges.right_key = rights.identifier_key
        where lefts.customer_id <> rights.customer_id
    )

select *
from final
