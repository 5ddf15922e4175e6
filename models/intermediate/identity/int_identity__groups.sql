{{
    config(
        materialized="connected_components",
        meta={
            "cleared_by": "int_night__reclustered_identifiers",
            "cleared_as": ["identifier_key"],
        },
    )
}}
-- Groups that need no arbitration: strong identifiers seen together, and weak ones,
-- never seen beside a strong one, seen together. Returns edges; the materialization
-- turns them into (node_key, component_key).
with

    edges as ({{ reclustered_tonight(ref("int_identity__edges"), "left_key") }}),

    owned as (select * from {{ ref("int_identity__first_strong") }}),

    final as (
        select edges.left_key, edges.right_key
        from edges
        left join owned as owned_lefts on edges.left_key = owned_lefts.identifier_key
        left join owned as owned_rights on edges.right_key = owned_rights.identifier_key
        where
            (edges.left_is_strong and edges.right_is_strong)
            or (
                not edges.left_is_strong
                and not edges.right_is_strong
                and owned_lefts.identifier_key is null
                and owned_rights.identifier_key is null
            )
    )

select left_key, right_key
from final
