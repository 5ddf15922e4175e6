"""What surveys say."""

from __future__ import annotations

from typing import TYPE_CHECKING

from expectations.suite import suite
from expectations.thresholds import Thresholds
from expectations.vocabulary import between, no_rows, not_below, share, within

if TYPE_CHECKING:
    from great_expectations.expectations.expectation import Expectation


@suite("marts", "fct_survey_scores")
def survey_scores(_: Thresholds) -> list[Expectation]:
    """Scores lie within their bounds, respondents fall into one group each, and no response is lost."""
    return [
        within("nps", -100, 100),
        between("nps_standard_error", 0),
        share("csat"),
        share("response_rate"),
        not_below("responses", "respondents"),
        not_below("respondents", "satisfied"),
        not_below("invitations", "answered_invitations"),
        no_rows(
            "expect_means_on_their_scale",
            ["mean_score", "scale_min", "scale_max"],
            """
            select survey_id, metric, scale, mean_score
            from batch
            where mean_score < scale_min - 1e-9 or mean_score > scale_max + 1e-9
            """,
        ),
        no_rows(
            "expect_every_respondent_in_one_group",
            ["promoters", "passives", "detractors"],
            """
            select survey_id, scale, window_unit, window_start_on, channel
            from batch
            where promoters + passives + detractors <> respondents
            """,
        ),
        no_rows(
            "expect_every_response_and_invitation_in_every_kind_of_window",
            ["responses", "invitations"],
            """
            with units as (
                select window_unit, sum(responses) as responses, sum(invitations) as invitations
                from batch
                group by window_unit
            ),
            facts as (
                select
                    (
                        select count(*) from marts.fct_interactions where source_table = 'survey_responses'
                    ) as responses_of_customers,
                    (select count(*) from marts.fct_touches where purpose = 'survey') as survey_touches,
                    (select max(responses) from units) as most_responses
            )
            select window_unit, responses, responses_of_customers, invitations, survey_touches
            from units
            cross join facts
            where responses < responses_of_customers
                or responses <> most_responses
                or invitations <> survey_touches
            """,
        ),
    ]
