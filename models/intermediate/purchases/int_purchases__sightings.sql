{{
    config(
        materialized="incremental",
        incremental_strategy="rekeyed",
        meta={"rekeyed": ["source_table", "source_key"]},
    )
}}
-- What orders, tracker and messaging tool saw of purchases, narrow and in one place, so
-- that a night need not look for a purchase's other sightings in all events. Grain: one
-- staged row that tells of a purchase, also one that is not known at the snapshot date.
with

    sources as (select source_table, precedence from {{ ref("purchase_sources") }}),

    seen as ({{ purchase_sightings() }}),

    final as (
        select
            seen.source_table,
            seen.source_key,
            seen.order_id,
            seen.identity_key,
            seen.identity_hash,
            seen.occurred_at,
            seen.is_matched_by_time,
            seen.campaign_id,
            seen.engaged_seconds,
            sources.precedence,
            seen.loaded_at,
            seen.changed_in,
            false as is_gone
        from seen
        inner join sources on seen.source_table = sources.source_table
        {%- if builds_on_last_night() %}
            union all
            -- rows that were changed or deleted; what is left of them stands above
            select
                former.source_table,
                former.source_key,
                former.order_id,
                former.identity_key,
                former.identity_hash,
                former.occurred_at,
                former.is_matched_by_time,
                former.campaign_id,
                former.engaged_seconds,
                cast(null as bigint) as precedence,
                former.loaded_at,
                former.changed_in,
                true as is_gone
            from ({{ purchase_sightings(is_former=true) }}) as former
        {%- endif %}
    )

select *
from final
