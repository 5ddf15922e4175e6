{{ config(materialized="view") }}
-- Survey responses as interactions; an invitation is an explicit prompt. Grain: one
-- staged response.
with

    responses as (
        {{ staged_rows_of_tonight(ref("stg_surveys__responses"), "responded_at") }}
    ),

    types as (
        select *
        from {{ ref("interaction_types") }}
        where source_table = 'survey_responses'
    ),

    final as (
        select
            'survey_responses:' || responses.response_id as interaction_id,
            'survey_responses' as source_table,
            responses.response_id as source_key,
            {{ leading_identifier_key(["customer_ref", "email"]) }} as identity_key,
            'surveys' as channel,
            types.interaction_type,
            types.actor,
            responses.responded_at as occurred_at,
            false as is_date_only,
            responses.invited_at is not null as is_explicit_prompt,
            cast(null as {{ dbt.type_string() }}) as campaign_id,
            false as is_promotion_on_record,
            cast(null as double) as engaged_seconds,
            responses.sentiment,
            cast(null as decimal(18, 4)) as revenue,
            cast(null as {{ dbt.type_string() }}) as order_id,
            responses.loaded_at,
            cast(null as {{ dbt.type_string() }}) as exclusion_reason
        from responses
        cross join types
    )

select *
from final
