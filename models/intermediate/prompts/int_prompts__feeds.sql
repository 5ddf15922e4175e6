{{ config(materialized="incremental", incremental_strategy="logged") }}
-- Since when each feed of touches is known: before that, nothing can be said about
-- prompts. Grain: touch channel.
with

    touches as (select * from {{ ref("int_touches__identified") }}),

    final as (
        select channel, min(touched_at) as covered_from from touches group by channel
    )

select *
from final
