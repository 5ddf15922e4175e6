{{ config(materialized="view") }}
-- Reviews as interactions; the rating alone or with a text. Grain: one staged review.
with

    reviews as (
        {{ staged_rows_of_tonight(ref("stg_reviews__reviews"), "created_at") }}
    ),

    types as (
        select * from {{ ref("interaction_types") }} where source_table = 'reviews'
    ),

    final as (
        select
            'reviews:' || reviews.review_id as interaction_id,
            'reviews' as source_table,
            reviews.review_id as source_key,
            {{ leading_identifier_key(["customer_ref", "user_id", "email", "handle"]) }}
            as identity_key,
            'reviews' as channel,
            types.interaction_type,
            types.actor,
            reviews.created_at as occurred_at,
            false as is_date_only,
            coalesce(reviews.is_invited, false) as is_explicit_prompt,
            cast(null as {{ dbt.type_string() }}) as campaign_id,
            false as is_promotion_on_record,
            cast(null as double) as engaged_seconds,
            reviews.sentiment,
            cast(null as decimal(18, 4)) as revenue,
            cast(null as {{ dbt.type_string() }}) as order_id,
            reviews.loaded_at,
            cast(null as {{ dbt.type_string() }}) as exclusion_reason
        from reviews
        inner join
            types
            on types.event_name = case
                when coalesce(reviews.has_text, false) then 'reviewed' else 'rated'
            end
    )

select *
from final
