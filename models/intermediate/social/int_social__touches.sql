{{ config(materialized="view") }}
-- The brand's replies to a customer on social networks. On a row that the brand
-- authored the identifiers name the customer addressed; what the brand says to nobody
-- in particular is no touch. Grain: one staged event of the brand.
with

    tonight as ({{ staged_rows_of_tonight(ref("stg_social__events"), "occurred_at") }}),

    events as (select * from tonight where coalesce(is_brand_author, false)),

    final as (
        select
            'social_events:' || event_id as touch_id,
            'social_events' as source_table,
            event_id as source_key,
            {{ leading_identifier_key(["customer_ref", "handle"]) }} as identity_key,
            'social_reply' as channel,
            cast(null as {{ dbt.type_string() }}) as campaign_id,
            occurred_at as touched_at,
            false as is_date_only,
            loaded_at,
            case
                when
                    coalesce(in_reply_to, 'none') <> 'customer'
                    and event_name <> 'message'
                then 'brand_broadcast'
            end as exclusion_reason
        from events
    )

select *
from final
