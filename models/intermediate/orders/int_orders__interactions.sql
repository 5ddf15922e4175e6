{{ config(materialized="view") }}
-- Orders and returns as interactions. A cancelled order stays an act of the customer,
-- without revenue; a return takes revenue back. Grain: one staged order or return; test
-- orders are excluded.
{%- set restated_identities = ref("int_night__restated_identities") %}
with

    orders as (select * from {{ ref("int_orders__valued") }}),

    returns as (select * from {{ ref("int_orders__returns_valued") }}),

    types as (select * from {{ ref("interaction_types") }}),

    ordered as (
        select
            'orders:' || orders.order_id as interaction_id,
            'orders' as source_table,
            orders.order_id as source_key,
            orders.identity_key,
            channels.channel,
            types.interaction_type,
            types.actor,
            orders.ordered_at as occurred_at,
            false as is_date_only,
            orders.campaign_id is not null as is_explicit_prompt,
            orders.campaign_id,
            orders.is_promotion_on_record,
            cast(null as double) as engaged_seconds,
            cast(null as double) as sentiment,
            case
                when orders.cancelled_at is null then orders.amount else 0
            end as revenue,
            orders.order_id,
            orders.loaded_at,
            case when orders.is_test then 'test_order' end as exclusion_reason
        from orders
        inner join
            {{ ref("channels") }} as channels
            on orders.sales_channel = channels.sales_channel
        inner join
            types
            on types.source_table = 'orders'
            and types.event_name
            = case when orders.is_auto_renewal then 'renewed' else 'ordered' end
    ),

    returned as (
        select
            'order_returns:' || returns.return_id as interaction_id,
            'order_returns' as source_table,
            returns.return_id as source_key,
            returns.identity_key,
            channels.channel,
            types.interaction_type,
            types.actor,
            returns.returned_at as occurred_at,
            false as is_date_only,
            false as is_explicit_prompt,
            cast(null as {{ dbt.type_string() }}) as campaign_id,
            false as is_promotion_on_record,
            cast(null as double) as engaged_seconds,
            cast(null as double) as sentiment,
            returns.revenue,
            returns.order_id,
            returns.loaded_at,
            case
                when returns.is_order_unknown
                then 'unknown_order'
                when returns.is_test
                then 'test_order'
                when returns.revenue is null
                then 'no_exchange_rate'
            end as exclusion_reason
        from returns
        left join
            {{ ref("channels") }} as channels
            on returns.sales_channel = channels.sales_channel
        inner join types on types.source_table = 'order_returns'
    ),

    unioned as (
        select *
        from ordered
        union all
        select *
        from returned
    ),

    -- what lies before the first unknown instant concerns restated customers only
    final as (
        select *
        from unioned
        {%- if builds_on_last_night() %}
            where
                occurred_at >= {{ known_until() }}
                or {{ key_hash("identity_key") }} in (
                    select restated.identity_hash
                    from {{ restated_identities }} as restated
                )
        {%- endif %}
    )

select *
from final
