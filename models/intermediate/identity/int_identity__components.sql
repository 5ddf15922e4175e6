{{
    config(
        materialized="connected_components",
        meta={
            "cleared_by": "int_night__reclustered_identifiers",
            "cleared_as": ["identifier_key"],
        },
    )
}}
-- Identifiers that hang together, whatever the rules make of it: what happens in one
-- component does not change who is who in another, so a night finds by it what it has
-- to cluster again. Returns edges; the materialization turns them into (node_key,
-- component_key).
with

    edges as ({{ reclustered_tonight(ref("int_identity__edges"), "left_key") }}),

    final as (select left_key, right_key from edges)

select left_key, right_key
from final
