-- Answers to surveys, latest versions. Grain: response_id.
with

    latest as (
        {{ latest_versions(ref("base_surveys__responses"), "survey_responses") }}
    ),

    final as (
        select
            response_id,
            survey_id,
            metric,
            customer_ref,
            email,
            score,
            scale_min,
            scale_max,
            higher_is_better,
            invited_at,
            sentiment,
            responded_at,
            source_file,
            loaded_at,
            is_deleted,
            identity_hash,
            changed_in
        from latest
    )

select *
from final
