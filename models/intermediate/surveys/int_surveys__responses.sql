{{ config(materialized="view") }}
-- Responses with who gave them and on which scale: what a response does not say of its
-- scale, seed survey_scales says. A response that names nobody is its own respondent.
-- The one place that says what an answer is: latest answers and NPS are read from here.
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
            responses.scale_min is not null
            and responses.scale_max is not null as is_scale_stated,
            -- the NPS is defined on one scale only
            case
                when
                    responses.metric = 'nps'
                    and coalesce(responses.scale_min, scales.scale_min)
                    = scales.scale_min
                    and coalesce(responses.scale_max, scales.scale_max)
                    = scales.scale_max
                    and responses.score between scales.scale_min and scales.scale_max
                then cast(responses.score as double)
            end as nps_score,
            responses.invited_at,
            responses.responded_at,
            {{ business_day("responses.responded_at") }} as responded_on
        from responses
        left join assignments on responses.identity_key = assignments.identifier_key
        left join scales on responses.metric = scales.metric
    )

select *
from final
