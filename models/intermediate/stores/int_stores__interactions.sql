{{ config(materialized="view") }}
-- Visits to stores as interactions; the time spent there counts as engaged. Grain: one
-- staged visit.
with

    visits as ({{ staged_rows_of_tonight(ref("stg_stores__visits"), "entered_at") }}),

    types as (
        select * from {{ ref("interaction_types") }} where source_table = 'store_visits'
    ),

    final as (
        select
            'store_visits:' || visits.visit_id as interaction_id,
            'store_visits' as source_table,
            visits.visit_id as source_key,
            {{ leading_identifier_key(["customer_ref", "loyalty_id"]) }}
            as identity_key,
            'store' as channel,
            types.interaction_type,
            types.actor,
            visits.entered_at as occurred_at,
            false as is_date_only,
            false as is_explicit_prompt,
            cast(null as {{ dbt.type_string() }}) as campaign_id,
            false as is_promotion_on_record,
            case
                when visits.left_at < {{ as_of_end() }}
                then {{ seconds_between("visits.entered_at", "visits.left_at") }}
            end as engaged_seconds,
            cast(null as double) as sentiment,
            cast(null as decimal(18, 4)) as revenue,
            cast(null as {{ dbt.type_string() }}) as order_id,
            visits.loaded_at,
            cast(null as {{ dbt.type_string() }}) as exclusion_reason
        from visits
        cross join types
    )

select *
from final
