{{ config(materialized="view") }}
-- Answers to "how likely are you to recommend us" on the scale from 0 to 10, with who
-- answered. Grain: one response of an identified customer known at the snapshot date.
with

    responses as (
        select
            response_id,
            score,
            responded_at,
            {{ leading_identifier_key(["customer_ref", "email"]) }} as identity_key
        from {{ ref("stg_surveys__responses") }}
        where
            metric = 'nps'
            and coalesce(scale_min, 0) = 0
            and coalesce(scale_max, 10) = 10
            and score between 0 and 10
            and responded_at < {{ as_of_end() }}
    ),

    assignments as (
        select identifier_key, customer_id from {{ ref("int_identity__assignments") }}
    ),

    final as (
        select
            responses.response_id,
            assignments.customer_id,
            responses.responded_at,
            {{ business_day("responses.responded_at") }} as responded_on,
            cast(responses.score as double) as score
        from responses
        inner join assignments on responses.identity_key = assignments.identifier_key
    )

select *
from final
