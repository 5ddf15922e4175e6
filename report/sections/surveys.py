"""What customers say: the scores of surveys by quarter, rolled up over channels and tiers.

What does NOT belong here: single answers.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import date
from math import sqrt

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


@dataclass(frozen=True)
class _Scores:
    """What a survey says of a quarter."""

    survey: str
    metric: str
    scale: str
    starts_on: date
    respondents: int
    promoters: int | None
    detractors: int | None
    satisfied: int | None
    score_sum: float | None
    invitations: int
    answered_invitations: int

    @property
    def is_small(self) -> bool:
        return self.respondents < privacy.LEAST

    @property
    def promoter_score(self) -> tuple[float, float] | None:
        """Net Promoter Score and its standard error, in points."""
        if self.metric != "nps" or self.promoters is None or self.detractors is None:
            return None
        high, low = self.promoters / self.respondents, self.detractors / self.respondents
        return 100 * (high - low), 100 * sqrt((high + low - (high - low) ** 2) / self.respondents)

    @property
    def score(self) -> str:
        """The measure of the metric, in words."""
        if self.promoter_score is not None:
            score, error = self.promoter_score
            return f"{words.signed(score, 0)} ± {words.decimal(_Z95 * error, 0)}"
        if self.metric == "csat" and self.satisfied is not None:
            return words.percent(self.satisfied / self.respondents)
        return words.decimal(words.share(self.score_sum, self.respondents))


def section(connection: duckdb.DuckDBPyConnection) -> Section:
    """Return the scores of all surveys by quarter."""
    found = [_Scores(*row) for row in ask.rows(connection, _SCORES)]
    if not found:
        return Section(notes=("No survey has been answered.",))
    quarters = sorted({row.starts_on for row in found})[-_QUARTERS:]
    kept = [row for row in found if row.starts_on in quarters]
    told = [row for row in kept if not row.is_small]
    figure = _promoter_figure(told)
    left_out = len(kept) - len(told)
    return Section(
        lede="Of every respondent the latest answer to a survey within a quarter counts.",
        figures=(figure,) if figure else (),
        tables=(_table(told),) if told else (),
        notes=(
            "NPS: promoters (9, 10) less detractors (0 to 6), in points, ± 1.96 standard errors. CSAT: share"
            " of the two best boxes. CES and others: mean on the scale named.",
            *([f"{left_out} rows are left out: fewer than {privacy.LEAST} answered."] if left_out else []),
        ),
    )


def _promoter_figure(told: list[_Scores]) -> Figure | None:
    """Draw the survey of recommendation that has most answers."""
    answers: Counter[str] = Counter()
    for row in told:
        if row.promoter_score is not None:
            answers[row.survey] += row.respondents
    if not answers:
        return None
    survey = max(answers, key=lambda name: (answers[name], name))
    intervals = []
    rows = []
    for row in told:
        if row.survey == survey and row.promoter_score is not None:
            score, error = row.promoter_score
            low, high = max(-100.0, score - _Z95 * error), min(100.0, score + _Z95 * error)
            quarter = words.quarter(row.starts_on)
            bounds = f"{words.signed(low, 1)} to {words.signed(high, 1)}"
            intervals.append(charts.Interval(quarter, low, score, high))
            rows.append((quarter, words.signed(score, 1), bounds, words.count(row.respondents)))
    title = "Net Promoter Score by quarter"
    quarter, said, bounds, respondents = rows[0]
    description = f"{title}, survey {survey}. {quarter}: {said} ({bounds}, {respondents} respondents)."
    drawing = charts.intervals("nps", title, description, intervals, 100.0)
    table = Table(title, ("Quarter", "NPS", "95 % interval", "Respondents"), rows)
    return Figure("nps", title, description, drawing, table)


def _table(told: list[_Scores]) -> Table:
    rows = [
        (
            row.survey,
            _METRICS.get(row.metric, words.name(row.metric)),
            words.quarter(row.starts_on),
            words.count(row.respondents),
            row.score,
            row.scale.replace(".0", ""),
            words.percent(words.share(row.answered_invitations, row.invitations)),
        )
        for row in told
    ]
    headings = ("Survey", "Metric", "Quarter", "Respondents", "Score", "Scale", "Response rate")
    return Table("All surveys by quarter", headings, rows, text_columns=frozenset({0, 1, 2, 5}))
