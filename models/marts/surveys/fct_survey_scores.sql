-- What surveys say, in calendar windows: NPS, CSAT, CES, and how many answered. Of
-- every
-- respondent the latest response to a survey counts within a window; a quarter is
-- therefore not the sum of its months, while channels do add up. A response belongs to
-- the channel of the invitation that it answers, and to the tier that its customer has
-- now. Grain: survey, metric, scale, window, channel and tier.
{%- set window_months = {"month": 1, "quarter": 3, "year": 12} %}
{%- set survey = [
    "survey_id",
    "metric",
    "scale_min",
    "scale_max",
    "higher_is_better",
] %}
{%- set cell = survey + ["window_unit", "window_start_on", "channel", "tier"] %}
with

    responses as (
        select *, coalesce(least(invited_at, responded_at), responded_at) as asked_at
        from {{ ref("int_surveys__responses") }}
    ),

    survey_touches as (
        select
            touch_id,
            customer_id,
            channel,
            campaign_id,
            touched_at,
            touched_on,
            row_number() over (
                partition by customer_id, touched_at order by touch_id
            ) as number_at_instant
        from {{ ref("fct_touches") }}
        where purpose = 'survey'
    ),

    invitations as (
        select
            customer_id,
            touched_at as invited_by_touch_at,
            touch_id as invitation_id,
            channel as invitation_channel,
            campaign_id as invitation_campaign_id
        from survey_touches
        where number_at_instant = 1
    ),

    tiers as (select customer_id, tier from {{ ref("int_tiers__customers") }}),

    -- the scale on which the NPS is defined
    nps_scales as (
        select metric, scale_min, scale_max
        from {{ ref("survey_scales") }}
        where metric = 'nps'
    ),

    -- the last invitation before the customer was asked
    invited as (
        {{
            carried(
                "responses",
                "invitations",
                ["customer_id"],
                "asked_at",
                "invited_by_touch_at",
                [
                    "invited_by_touch_at",
                    "invitation_id",
                    "invitation_channel",
                    "invitation_campaign_id",
                ],
                inclusive=true,
            )
        }}
    ),

    judged as (
        select
            invited.*,
            coalesce(tiers.tier, 'unknown') as tier,
            nps_scales.metric is not null as has_nps,
            coalesce(
                {{ seconds_between("invited_by_touch_at", "responded_at") }}
                <= 86400 * {{ threshold("survey_response_days") }},
                false
            ) as is_answer,
            coalesce(
                invited.score between invited.scale_min and invited.scale_max
                and try_cast(invited.score as decimal(38, 12)) is not null,
                false
            ) as is_on_scale
        from invited
        left join tiers on invited.customer_id = tiers.customer_id
        left join
            nps_scales
            on invited.metric = nps_scales.metric
            and invited.scale_min = nps_scales.scale_min
            and invited.scale_max = nps_scales.scale_max
    ),

    -- an invitation names its campaign and no survey: it is the survey to which all
    -- answers to the campaign belong
    answered_surveys as (
        select distinct invitation_campaign_id, {{ survey | join(", ") }}
        from judged
        where is_answer
    ),

    campaign_surveys as (
        select
            invitation_campaign_id,
            {%- for column in survey %}
                max({{ column }}) as {{ column }}{{ "," if not loop.last }}
            {%- endfor %}
        from answered_surveys
        group by invitation_campaign_id
        having count(*) = 1
    ),

    windowed as (
        {%- for unit in window_months %}
            select
                *,
                '{{ unit }}' as window_unit,
                cast(date_trunc('{{ unit }}', responded_on) as date) as window_start_on,
                case
                    when is_answer then invitation_channel else 'surveys'
                end as channel
            from judged {{ "union all" if not loop.last }}
        {%- endfor %}
    ),

    ranked as (
        select
            *,
            is_on_scale
            and row_number() over (
                partition by
                    survey_id,
                    metric,
                    window_unit,
                    window_start_on,
                    respondent_key,
                    is_on_scale
                order by responded_at desc, response_id desc
            )
            = 1 as is_latest
        from windowed
    ),

    -- a score by the rules of its metric; null where the metric has none
    scored as (
        select
            *,
            score >= {{ threshold("nps_promoter_score") }} as is_promoter,
            score <= {{ threshold("nps_detractor_score") }} as is_detractor,
            metric = 'csat' as has_csat,
            case
                when higher_is_better
                then score >= scale_max - 1
                else score <= scale_min + 1
            end as is_satisfied
        from ranked
    ),

    response_cells as (
        select
            {{ cell | join(", ") }},
            count(*) as responses,
            sum(case when is_on_scale then 0 else 1 end) as off_scale_responses,
            sum(case when is_latest then 1 else 0 end) as respondents,
            sum(
                case when has_nps and is_latest and is_promoter then 1 else 0 end
            ) as promoters,
            sum(
                case when has_nps and is_latest and is_detractor then 1 else 0 end
            ) as detractors,
            sum(
                case
                    when has_nps and is_latest and not is_promoter and not is_detractor
                    then 1
                    else 0
                end
            ) as passives,
            sum(
                case when has_csat and is_latest and is_satisfied then 1 else 0 end
            ) as satisfied,
            sum(
                case when is_latest then try_cast(score as decimal(38, 12)) else 0 end
            ) as score_sum,
            0 as invitations,
            0 as answered_invitations
        from scored
        group by {{ cell | join(", ") }}
    ),

    answered as (select distinct invitation_id from judged where is_answer),

    attributed as (
        select
            survey_touches.channel,
            coalesce(tiers.tier, 'unknown') as tier,
            survey_touches.touched_on,
            answered.invitation_id is not null as is_answered,
            coalesce(campaign_surveys.survey_id, 'any') as survey_id,
            coalesce(campaign_surveys.metric, 'any') as metric,
            campaign_surveys.scale_min,
            campaign_surveys.scale_max,
            campaign_surveys.higher_is_better
        from survey_touches
        left join
            campaign_surveys
            on survey_touches.campaign_id = campaign_surveys.invitation_campaign_id
        left join answered on survey_touches.touch_id = answered.invitation_id
        left join tiers on survey_touches.customer_id = tiers.customer_id
    ),

    windowed_invitations as (
        {%- for unit in window_months %}
            select
                *,
                '{{ unit }}' as window_unit,
                cast(date_trunc('{{ unit }}', touched_on) as date) as window_start_on
            from attributed {{ "union all" if not loop.last }}
        {%- endfor %}
    ),

    invitation_cells as (
        select
            {{ cell | join(", ") }},
            0 as responses,
            0 as off_scale_responses,
            0 as respondents,
            0 as promoters,
            0 as detractors,
            0 as passives,
            0 as satisfied,
            0 as score_sum,
            count(*) as invitations,
            sum(case when is_answered then 1 else 0 end) as answered_invitations
        from windowed_invitations
        group by {{ cell | join(", ") }}
    ),

    unioned as (
        select *
        from response_cells
        union all
        select *
        from invitation_cells
    ),

    added as (
        select
            {{ cell | join(", ") }},
            {%- for measure in [
                "responses",
                "off_scale_responses",
                "respondents",
                "promoters",
                "detractors",
                "passives",
                "satisfied",
                "score_sum",
                "invitations",
                "answered_invitations",
            ] %}
                sum({{ measure }}) as {{ measure }}{{ "," if not loop.last }}
            {%- endfor %}
        from unioned
        group by {{ cell | join(", ") }}
    ),

    shared as (
        select
            added.*,
            nps_scales.metric is not null as has_nps,
            {{ rate("added.promoters", "added.respondents") }} as promoter_share,
            {{ rate("added.detractors", "added.respondents") }} as detractor_share
        from added
        left join
            nps_scales
            on added.metric = nps_scales.metric
            and added.scale_min = nps_scales.scale_min
            and added.scale_max = nps_scales.scale_max
    ),

    versions as (
        select
            (
                select max(scales_version) from {{ ref("survey_scales") }}
            ) as scales_version,
            {{ thresholds_version() }} as thresholds_version,
            (
                select max(tiers_version) from {{ ref("engagement_tiers") }}
            ) as tiers_version
    ),

    -- what a metric does not know is null, not nought
    final as (
        select
            shared.survey_id,
            shared.metric,
            case
                when shared.scale_min is null
                then 'none'
                else
                    cast(shared.scale_min as {{ dbt.type_string() }})
                    || ' to '
                    || cast(shared.scale_max as {{ dbt.type_string() }})
                    || case
                        when shared.higher_is_better
                        then ', higher is better'
                        else ', lower is better'
                    end
            end as scale,
            shared.scale_min,
            shared.scale_max,
            shared.higher_is_better,
            shared.window_unit,
            shared.window_start_on,
            case
                shared.window_unit
                {%- for unit, months in window_months.items() %}
                    when '{{ unit }}'
                    then {{ add_months("shared.window_start_on", months) }} - 1
                {%- endfor %}
            end as window_end_on,
            shared.channel,
            shared.tier,
            cast(shared.responses as bigint) as responses,
            cast(shared.off_scale_responses as bigint) as off_scale_responses,
            cast(shared.respondents as bigint) as respondents,
            {%- for group in ["promoters", "passives", "detractors"] %}
                case
                    when shared.has_nps then cast(shared.{{ group }} as bigint)
                end as {{ group }},
            {%- endfor %}
            case
                when shared.has_nps
                then
                    {{
                        rate(
                            "100 * (shared.promoters - shared.detractors)",
                            "shared.respondents",
                        )
                    }}
            end as nps,
            case
                when shared.has_nps
                then
                    100 * sqrt(
                        (
                            shared.promoter_share
                            + shared.detractor_share
                            - power(shared.promoter_share - shared.detractor_share, 2)
                        )
                        / shared.respondents
                    )
            end as nps_standard_error,
            case
                when shared.metric = 'csat' then cast(shared.satisfied as bigint)
            end as satisfied,
            case
                when shared.metric = 'csat'
                then {{ rate("shared.satisfied", "shared.respondents") }}
            end as csat,
            cast(shared.score_sum as double) as score_sum,
            {{ rate("shared.score_sum", "shared.respondents") }} as mean_score,
            case
                when shared.metric = 'ces'
                then {{ rate("shared.score_sum", "shared.respondents") }}
            end as ces,
            cast(shared.invitations as bigint) as invitations,
            cast(shared.answered_invitations as bigint) as answered_invitations,
            {{ rate("shared.answered_invitations", "shared.invitations") }}
            as response_rate,
            versions.scales_version,
            versions.thresholds_version,
            versions.tiers_version
        from shared
        cross join versions
    )

select *
from final
