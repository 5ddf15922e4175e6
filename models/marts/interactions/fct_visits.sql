{{
    config(
        materialized="incremental",
        incremental_strategy="restated",
        meta={
            "restated": {
                "customers": "int_night__restated_customers",
                "since": "started_at",
                "unit": "instant",
            },
            "slices": {"rows_of": "fct_interactions", "rows_each": 10000000},
        },
    )
}}
-- Visits: web and app events of one customer close together; any other interaction by
-- itself. Grain: one visit.
with

    restated_customers as (
        select distinct customer_id from {{ ref("int_night__restated_customers") }}
    ),

    tonight as (
        {{
            rows_of_tonight(
                ref("fct_interactions"),
                "restated_customers",
                "occurred_at",
                known_until(),
            )
        }}
    ),

    interactions as (
        select * from tonight where prompt_status <> 'system' and {{ is_in_slice() }}
    ),

    page_views as (
        select interaction_type
        from {{ ref("dim_interaction_types") }}
        where is_page_view
    ),

    tracked as (select channel from {{ ref("dim_channels") }} where is_visit_tracked),

    visits as (
        select
            interactions.visit_id,
            min(interactions.customer_id) as customer_id,
            min(
                case
                    when interactions.interaction_id = interactions.visit_id
                    then interactions.channel
                end
            ) as channel,
            min(interactions.occurred_at) as started_at,
            max(interactions.occurred_at) as ended_at,
            count(*) as interactions,
            count(page_views.interaction_type) as page_views,
            cast(
                coalesce(sum({{ exact("interactions.engaged_seconds") }}), 0) as double
            ) as engaged_seconds,
            bool_or(interactions.interaction_type = 'order') as has_order
        from interactions
        left join
            page_views on interactions.interaction_type = page_views.interaction_type
        group by interactions.visit_id
    ),

    final as (
        select
            visits.visit_id,
            visits.customer_id,
            visits.channel,
            visits.started_at,
            visits.ended_at,
            {{ business_day("visits.started_at") }} as started_on,
            visits.interactions,
            visits.page_views,
            visits.engaged_seconds,
            case
                when tracked.channel is not null
                then
                    visits.page_views = 1
                    and visits.engaged_seconds
                    < {{ threshold("bounce_engaged_seconds") }}
            end as is_bounce,
            visits.has_order
        from visits
        left join tracked on visits.channel = tracked.channel
    )

select *
from final
