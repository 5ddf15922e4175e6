{{ config(materialized="view") }}
-- Responses with who gave them and on which scale: what a response does not say of its
-- scale, seed survey_scales says. A response that names nobody is its own respondent.
-- Grain: staged response known at the snapshot date.
with

    responses as (
        select
            *, {{ leading_identifier_key(["customer_ref", "email"]) }} as identity_key
        from {{ ref("stg_surveys__responses") }}
        where responded_at < {{ as_of_end() }}
    ),

    assignments as (
        select identifier_key, customer_id from {{ ref("int_identity__assignments") }}
    ),

    scales as (select * from {{ ref("survey_scales") }}),

    final as (
        select
            responses.response_id,
            assignments.customer_id,
            coalesce(
                'customer:' || assignments.customer_id,
                'response:' || responses.response_id
            ) as respondent_key,
            coalesce(responses.survey_id, 'none') as survey_id,
            responses.metric,
            responses.score,
            coalesce(responses.scale_min, scales.scale_min) as scale_min,
            coalesce(responses.scale_max, scales.scale_max) as scale_max,
            coalesce(
                responses.higher_is_better, scales.higher_is_better
            ) as higher_is_better,
            responses.invited_at,
            responses.responded_at,
            {{ business_day("responses.responded_at") }} as responded_on
        from responses
        left join assignments on responses.identity_key = assignments.identifier_key
        left join scales on responses.metric = scales.metric
    )

select *
from final
