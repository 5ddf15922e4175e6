{{
    config(
        materialized="incremental",
        incremental_strategy="rekeyed",
        meta={"rekeyed": ["interaction_id"], "cleared_by": "int_purchases__matched"},
    )
}}
-- Purchases seen more than once: what a source saw of a purchase that a better one
-- tells of. It counts in no measure and stays linked to the interaction that does.
-- Grain: one row of a source that gave way.
with

    matched as (select * from {{ ref("int_purchases__matched") }}),

    versions as (
        select max(sources_version) as sources_version
        from {{ ref("purchase_sources") }}
    ),

    final as (
        select
            matched.interaction_id,
            matched.source_table,
            matched.source_key,
            matched.order_id,
            matched.occurred_at,
            matched.occurred_on,
            matched.counted_interaction_id,
            matched.counted_source_table,
            matched.counted_source_key,
            matched.seconds_apart,
            matched.match_rule,
            matched.precedence,
            matched.campaign_id,
            matched.engaged_seconds,
            versions.sources_version,
            matched.loaded_at
        from matched
        cross join versions
        where not matched.is_gone
    )

select *
from final
