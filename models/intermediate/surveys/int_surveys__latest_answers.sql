-- What a customer answered last, by metric: the NPS as given, on its scale of 0 to 10;
-- satisfaction and effort as a share of their scale, 1 being best. An answer on a scale
-- that is not known, or an NPS on another scale than its own, says nothing here. Grain:
-- customer with any answer. As long as the answers are few beside the interactions,
-- reading them all costs less than keeping them.
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

    placed as (
        select
            assignments.customer_id,
            responses.response_id,
            responses.metric,
            responses.responded_at,
            responses.score,
            case
                when
                    responses.metric = 'nps'
                    and coalesce(responses.scale_min, 0) = 0
                    and coalesce(responses.scale_max, 10) = 10
                    and responses.score >= 0
                    and responses.score <= 10
                then responses.score
                when
                    responses.metric in ('csat', 'ces')
                    and responses.score >= responses.scale_min
                    and responses.score <= responses.scale_max
                    and responses.scale_max > responses.scale_min
                then
                    case
                        when coalesce(responses.higher_is_better, true)
                        then responses.score - responses.scale_min
                        else responses.scale_max - responses.score
                    end
                    / (responses.scale_max - responses.scale_min)
            end as answer
        from responses
        inner join assignments on responses.identity_key = assignments.identifier_key
    ),

    ranked as (
        select
            *,
            row_number() over (
                partition by customer_id, metric
                order by responded_at desc, response_id desc
            ) as rank_from_last
        from placed
        where answer is not null
    ),

    final as (
        select
            customer_id,
            max(case when metric = 'nps' then answer end) as latest_nps_score,
            max(
                case when metric = 'nps' then {{ business_day("responded_at") }} end
            ) as latest_nps_on,
            max(case when metric = 'csat' then answer end) as latest_csat_share,
            max(case when metric = 'ces' then answer end) as latest_ces_share
        from ranked
        where rank_from_last = 1
        group by customer_id
    )

select *
from final
