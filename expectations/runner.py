"""Runs the gate of a layer: every suite of the layer, over the files of the night being built.

Light to import: Great Expectations is loaded by `run_gate` only.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from expectations.scope import CATALOG, WHOLE, Scope
from expectations.suite import Layer, Suite, suites
from expectations.thresholds import Thresholds, load_thresholds
from warehouse.contract import read_contract
from warehouse.engine_errors import without_values

if TYPE_CHECKING:
    from great_expectations.core.expectation_validation_result import ExpectationValidationResult

    from expectations.session import Session

STAGING_FILE = Path("build", "staging.duckdb")
MARTS_FILE = Path("build", "engagement.duckdb")
# Layer -> the file with its tables, and a file with an earlier layer to compare with.
FILES: dict[Layer, tuple[Path, Path | None]] = {
    "raw": (STAGING_FILE, None),
    "staging": (STAGING_FILE, None),
    "marts": (MARTS_FILE, STAGING_FILE),
}
# Layers whose tables are held against each other: what a night has written of one, and what of another.
COMPARED: tuple[Layer, ...] = ("marts",)

EXAMPLES = 3
WHOLE_SUITE = "expect_table_to_be_checked"
"""The name under which a suite is reported that could not run at all, as for want of its table."""


@dataclass(frozen=True)
class CheckResult:
    """What came of one expectation.

    Attributes:
        layer: The gate: raw, staging or marts.
        suite: The suite's name.
        table_name: The table checked, without its schema.
        expectation: What was expected, a snake case sentence.
        column_name: The column or columns that it is about; None if the table as a whole.
        kwargs: The expectation's arguments, JSON.
        severity: critical, warning or info, as Great Expectations calls them.
        success: Whether it held. False also if it could not be evaluated.
        observed: What was seen, JSON: a value, or a few examples of what was not expected; never of columns
            with personal data, since this is published and logged.
        element_count: Rows looked at, if the expectation counts rows.
        unexpected_count: Rows that were not as expected, if it counts rows.
        exception: Why the expectation could not be evaluated; None if it could.
        scope: Which rows were looked at: all, or the schema where those stand that have come since.
        sentences: What was seen, as the expectation itself puts it; empty where examples say it.
    """

    layer: str
    suite: str
    table_name: str
    expectation: str
    column_name: str | None
    kwargs: str
    severity: str
    success: bool
    observed: str | None
    element_count: int | None
    unexpected_count: int | None
    exception: str | None
    scope: str = WHOLE
    sentences: tuple[str, ...] = ()


def checks(layer: Layer) -> list[tuple[str, str]]:
    """List what a gate will check, without running or importing anything heavy.

    Args:
        layer: raw, staging or marts.

    Returns:
        (table, suite name) of every suite, by table.
    """
    return [(found.table, found.name) for found in suites(layer)]


def run_gate(layer: Layer, warehouse: Path, scopes: Mapping[str, Scope] | None = None) -> list[CheckResult]:
    """Run every suite of a layer, in SQL, over the build files of a warehouse.

    The files are opened read-only and closed again before this returns, so that the next writer of
    the same process can open them.

    Args:
        layer: raw, staging or marts.
        warehouse: The warehouse's folder.
        scopes: What is looked at of a table, where that is not all of it.

    Returns:
        One result per expectation; a suite that could not run gives one failure with its exception.

    Raises:
        FileNotFoundError: If the file with the layer's tables is not there.
        ValueError: If the layer has no gate.
        KeyError: If a suite asks for a threshold that the seed does not have.
    """
    found = suites(layer)
    thresholds = load_thresholds()
    file, attached = FILES[layer]
    from expectations.session import session

    with session(warehouse / file, warehouse / attached if attached else None) as opened:
        in_force = scopes or {}
        if layer in COMPARED:
            in_force = opened.narrow(layer, in_force)
        return [
            result
            for suite in found
            for result in _run_suite(opened, suite, in_force.get(suite.table), thresholds)
        ]


def describe_failures(results: Sequence[CheckResult]) -> str:
    """Say which expectations did not hold, for people.

    Args:
        results: What a gate returned.

    Returns:
        A headline, then one line per failure with table, expectation, column, count and an example, or with
        the sentences that the expectation has for it in lines of their own; empty if everything held.
    """
    failures = [result for result in results if not result.success]
    if not failures:
        return ""
    headline = f"gate {failures[0].layer}: {len(failures)} of {len(results)} expectations not met"
    return "\n".join([headline, *(f"  {_described(failure)}" for failure in failures)])


def _described(failure: CheckResult) -> str:
    subject = f"{failure.layer}.{failure.table_name}: {failure.expectation}"
    if failure.column_name:
        subject += f" (column {failure.column_name})"
    if failure.exception:
        return f"{subject}: could not be evaluated: {failure.exception}"
    if failure.sentences:
        return "\n    ".join([f"{subject}:", *failure.sentences])
    evidence = []
    if failure.unexpected_count is not None:
        of = "" if failure.element_count is None else f" of {failure.element_count:,}"
        rows = "row" if (failure.element_count or failure.unexpected_count) == 1 else "rows"
        evidence.append(f"{failure.unexpected_count:,}{of} {rows}")
    if failure.observed:
        evidence.append(f"for example {failure.observed}" if evidence else f"observed {failure.observed}")
    return f"{subject}: {', '.join(evidence)}"


def _run_suite(
    opened: Session, suite: Suite, scope: Scope | None, thresholds: Thresholds
) -> list[CheckResult]:
    expectations = suite.build(thresholds)
    schema = scope.schema if scope else suite.layer
    if scope and suite.layer in COMPARED:
        schema = f"{CATALOG}.main"
    try:
        outcome = opened.validate(suite.name, schema, suite.table, expectations)
    except Exception as error:
        return [
            CheckResult(
                layer=suite.layer,
                suite=suite.name,
                table_name=suite.table,
                expectation=WHOLE_SUITE,
                column_name=None,
                kwargs="{}",
                severity="critical",
                success=False,
                observed=None,
                element_count=None,
                unexpected_count=None,
                exception=_first_line(str(error)),
                scope=scope.schema if scope else WHOLE,
            )
        ]
    results = [_result(suite, result, scope) for result in outcome.results]
    return sorted(results, key=lambda result: (result.expectation, result.column_name or ""))


def _result(suite: Suite, outcome: ExpectationValidationResult, scope: Scope | None) -> CheckResult:
    configuration = outcome.expectation_config
    if configuration is None:
        raise RuntimeError(f"suite {suite.name}: a result does not say which expectation it is of")
    meta = configuration.meta or {}
    kwargs = {key: value for key, value in configuration.kwargs.items() if key != "batch_id"}
    columns = meta.get("columns") or [
        kwargs[key] for key in ("column", "column_A", "column_B") if kwargs.get(key) is not None
    ]
    found: dict[str, Any] = dict(outcome.result or {})
    rows = found.get("partial_unexpected_list") or []
    observed = found.get("observed_value")
    if observed is None and not _personal_columns().intersection(columns):
        observed = rows[:EXAMPLES] or None
    return CheckResult(
        layer=suite.layer,
        suite=suite.name,
        table_name=suite.table,
        expectation=meta.get("name", configuration.type),
        column_name=", ".join(columns) or None,
        kwargs=json.dumps(kwargs, default=str),
        severity=str(getattr(configuration.severity, "value", configuration.severity)),
        success=bool(outcome.success),
        observed=None if observed is None else json.dumps(observed, default=str),
        element_count=found.get("element_count"),
        unexpected_count=found.get("unexpected_count"),
        exception=_exception(outcome.exception_info or {}),
        scope=scope.schema if scope and not meta.get("is_whole") else WHOLE,
        sentences=tuple(row["sentence"] for row in rows if isinstance(row, dict) and "sentence" in row),
    )


@lru_cache(maxsize=1)
def _personal_columns() -> frozenset[str]:
    """Names of the columns that the raw contract calls personal; staging keeps the names."""
    contract = read_contract(Path(__file__).resolve().parents[1])
    return frozenset(
        column.name for table in contract.values() for column in table.columns if column.is_personal
    )


def _exception(information: dict[str, Any]) -> str | None:
    """Read the exceptions of a result: one by itself, or one per metric that could not be computed."""
    per_metric = [information] if "raised_exception" in information else list(information.values())
    messages = {
        _first_line(str(entry["exception_message"])): None
        for entry in per_metric
        if entry["raised_exception"]
    }
    return "; ".join(messages) or None


def _first_line(text: str) -> str:
    """Shorten an exception to the line that says what happened; the rest quotes the statement, and rows."""
    return next((line.strip() for line in without_values(text).splitlines() if line.strip()), "no message")
