"""What customers say: the scores of surveys by quarter, rolled up over channels and tiers.

What does NOT belong here: single answers.
"""

from __future__ import annotations

from math import sqrt
from typing import Any

import duckdb

from report import charts, privacy, words
from report.content import Figure, Section, Table
from report.sections import ask

_Z95 = 1.959964
_QUARTERS = 4

# Channels and tiers add up within a window; rates are computed anew from the sums.
_SCORES = """
    select
        survey_id, metric, scale, window_start_on, sum(respondents)::bigint as respondents,
        sum(promoters)::bigint, sum(detractors)::bigint, sum(satisfied)::bigint,
        sum(score_sum), sum(invitations)::bigint, sum(answered_invitations)::bigint
    from marts.fct_survey_scores
    where window_unit = 'quarter' and metric <> 'any'
    group by survey_id, metric, scale, window_start_on
    having sum(respondents) > 0
    order by metric = 'nps' desc, metric, survey_id, scale, window_start_on desc
"""
_METRICS = {"nps": "NPS", "csat": "CSAT", "ces": "CES", "other": "Other"}


def section(connection: duckdb.DuckDBPyConnection) -> Section:
    """Return the scores of all surveys by quarter."""
    found = ask.rows(connection, _SCORES)
    if not found:
        return Section(notes=("No survey has been answered.",))
    latest = sorted({row[3] for row in found})[-_QUARTERS:]
    kept = [row for row in found if row[3] in latest]
    small = sum(row[4] < privacy.LEAST for row in kept)
    figure = _promoter_figure(kept)
    return Section(
        lede="Of every respondent the latest answer to a survey within a quarter counts.",
        figures=(figure,) if figure else (),
        tables=(_table(kept),) if any(row[4] >= privacy.LEAST for row in kept) else (),
        notes=(
            "NPS: promoters (9, 10) less detractors (0 to 6), in points, with 1.96 standard errors. CSAT: share of the two best"
            " boxes. CES and others: mean on the scale named.",
            *(
                [f"Left out: {words.count(small)} rows of fewer than {privacy.LEAST} respondents."]
                if small
                else []
            ),
        ),
    )


def promoter_score(respondents: int, promoters: int, detractors: int) -> tuple[float, float]:
    """Return the Net Promoter Score and its standard error, in points."""
    high, low = promoters / respondents, detractors / respondents
    return 100 * (high - low), 100 * sqrt((high + low - (high - low) ** 2) / respondents)


def _promoter_figure(found: list[tuple[Any, ...]]) -> Figure | None:
    """Draw the survey with most answers, if it has two quarters to compare."""
    told = [row for row in found if row[1] == "nps" and row[5] is not None and row[4] >= privacy.LEAST]
    answers: dict[str, int] = {}
    for row in told:
        answers[row[0]] = answers.get(row[0], 0) + row[4]
    if not answers:
        return None
    survey = max(answers, key=lambda name: (answers[name], name))
    intervals = []
    rows = []
    for _, _, _, start, respondents, promoters, detractors, *_ in [row for row in told if row[0] == survey]:
        score, error = promoter_score(respondents, promoters, detractors)
        low, high = max(-100.0, score - _Z95 * error), min(100.0, score + _Z95 * error)
        intervals.append(charts.Interval(words.quarter(start), low, score, high))
        rows.append(
            (
                words.quarter(start),
                words.signed(score, 1),
                f"{words.signed(low, 1)} to {words.signed(high, 1)}",
                words.count(respondents),
            )
        )
    title = "Net Promoter Score by quarter"
    description = (
        f"{title}, survey {survey}. {rows[0][0]}: {rows[0][1]} ({rows[0][2]}, {rows[0][3]} respondents)."
    )
    drawing = charts.intervals("nps", title, description, intervals, 100.0)
    table = Table(title, ("Quarter", "NPS", "95 % interval", "Respondents"), rows)
    return Figure("nps", title, description, drawing, table)


def _table(found: list[tuple[Any, ...]]) -> Table:
    rows = [
        (
            survey,
            _METRICS.get(metric, words.name(metric)),
            words.quarter(start),
            *_said(metric, respondents, promoters, detractors, satisfied, score_sum),
            scale.replace(".0", ""),
            words.percent(words.share(answered, invitations)),
        )
        for survey, metric, scale, start, respondents, promoters, detractors, satisfied, score_sum, invitations, answered in found
        if respondents >= privacy.LEAST
    ]
    headings = ("Survey", "Metric", "Quarter", "Respondents", "Score", "Scale", "Response rate")
    return Table("All surveys by quarter", headings, rows, text_columns=frozenset({0, 1, 2, 5}))


def _said(
    metric: str,
    respondents: int,
    promoters: int | None,
    detractors: int | None,
    satisfied: int | None,
    score_sum: float | None,
) -> tuple[str, str]:
    if metric == "nps" and promoters is not None and detractors is not None:
        score, error = promoter_score(respondents, promoters, detractors)
        text = f"{words.signed(score, 0)} ± {words.decimal(_Z95 * error, 0)}"
    elif metric == "csat" and satisfied is not None:
        text = words.percent(satisfied / respondents)
    else:
        text = words.decimal(words.share(score_sum, respondents))
    return words.count(respondents), text
