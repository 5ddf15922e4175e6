"""Answers to surveys."""

from expectations.raw.contract_table import contract_table

survey_responses = contract_table(
    "survey_responses",
    columns=(
        "response_id",
        "survey_id",
        "metric",
        "customer_ref",
        "email",
        "score",
        "scale_min",
        "scale_max",
        "higher_is_better",
        "invited_at",
        "sentiment",
        "responded_at",
    ),
    event_time="responded_at",
    numbers=("score",),
)
