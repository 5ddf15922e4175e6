{{
    config(
        materialized="incremental",
        incremental_strategy="restated",
        meta={
            "restated": {
                "customers": "int_night__changed_customers",
                "since": "touched_at",
                "unit": "instant",
            }
        },
    )
}}
-- Touches with their customer and the window in which they prompt. Grain: one touch
-- known at the snapshot date.
with

    touches as (
        select * from {{ ref("int_touches__unioned") }} where exclusion_reason is null
    ),

    assignments as (
        select identifier_key, customer_id from {{ ref("int_identity__assignments") }}
    ),

    windows as (select * from {{ ref("prompt_windows") }}),

    final as (
        select
            touches.touch_id,
            touches.source_table,
            touches.source_key,
            assignments.customer_id,
            touches.channel,
            touches.campaign_id,
            touches.touched_at,
            {{ business_day("touches.touched_at") }} as touched_on,
            touches.is_date_only,
            {{
                add_seconds(
                    "touches.touched_at", "86400 * coalesce(windows.window_days, 0)"
                )
            }} as window_ends_at,
            touches.loaded_at
        from touches
        inner join assignments on touches.identity_key = assignments.identifier_key
        left join windows on touches.channel = windows.touch_channel
    )

select *
from final
