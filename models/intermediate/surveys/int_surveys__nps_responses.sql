{{ config(materialized="view") }}
-- Answers to "how likely are you to recommend us" on the scale on which the NPS is
-- defined, with who answered. Grain: one response of an identified customer known at
-- the snapshot date.
with

    responses as (select * from {{ ref("int_surveys__responses") }}),

    final as (
        select response_id, customer_id, responded_at, responded_on, nps_score as score
        from responses
        where customer_id is not null and nps_score is not null
    )

select *
from final
