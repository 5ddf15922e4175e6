{{ config(materialized="incremental", incremental_strategy="logged") }}
-- The first business day that is known of each source: tenure that begins close to it
-- is a lower bound. Grain: raw table.
with

    interactions as (
        select source_table, occurred_on from {{ ref("int_interactions__identified") }}
    ),

    final as (
        select source_table, min(occurred_on) as history_starts_on
        from interactions
        group by source_table
    )

select *
from final
