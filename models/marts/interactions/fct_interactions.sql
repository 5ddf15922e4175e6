{{
    config(
        materialized="incremental",
        incremental_strategy="restated",
        meta={
            "restated": {
                "customers": "int_night__restated_customers",
                "since": "occurred_at",
                "unit": "instant",
            },
            "slices": {
                "rows_of": "int_interactions__identified",
                "rows_each": 3000000,
            },
        },
    )
}}
-- Every interaction of every customer, once. Grain: one interaction.
with

    interactions as (select * from {{ ref("int_contexts__staged") }}),

    final as (
        select
            interaction_id,
            customer_id,
            channel,
            interaction_type,
            occurred_at,
            occurred_on,
            is_date_only,
            visit_id,
            prompt_status,
            prompt_rule,
            prompt_touch_id,
            prompt_lag_seconds,
            campaign_id,
            context,
            in_promotion,
            is_offline,
            engagement_level,
            weight,
            engaged_seconds,
            sentiment,
            revenue,
            order_id,
            source_table,
            source_key,
            loaded_at
        from interactions
    )

select *
from final
