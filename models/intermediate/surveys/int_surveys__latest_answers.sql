-- What a customer answered last, by metric: the NPS as given, on its scale of 0 to 10;
-- satisfaction and effort as a share of their scale, 1 being best. An answer whose
-- scale the source does not tell, or an NPS on another scale than its own, says nothing
-- here. Grain: customer with any answer. As long as the answers are few beside the
-- interactions, reading them all costs less than keeping them.
with

    responses as (
        select * from {{ ref("int_surveys__responses") }} where customer_id is not null
    ),

    placed as (
        select
            customer_id,
            response_id,
            metric,
            responded_at,
            responded_on,
            case
                when metric = 'nps'
                then nps_score
                when
                    metric in ('csat', 'ces')
                    and is_scale_stated
                    and score between scale_min and scale_max
                    and scale_max > scale_min
                then
                    case
                        when higher_is_better
                        then score - scale_min
                        else scale_max - score
                    end
                    / (scale_max - scale_min)
            end as answer
        from responses
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
            max(case when metric = 'nps' then responded_on end) as latest_nps_on,
            max(case when metric = 'csat' then answer end) as latest_csat_share,
            max(case when metric = 'ces' then answer end) as latest_ces_share
        from ranked
        where rank_from_last = 1
        group by customer_id
    )

select *
from final
