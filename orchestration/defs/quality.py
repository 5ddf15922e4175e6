"""The gates: Great Expectations' suites as blocking checks, one definition per layer.

A gate's checks hang on the tables of its layer, so everything that reads one of them waits for the gate, and
does not start when the gate fails. What does NOT belong here: what is expected (`expectations/`).
"""

from collections.abc import Iterator, Sequence
from typing import Any

import dagster as dg

from expectations import runner
from expectations.scope import Scope
from expectations.suite import LAYERS, Layer
from orchestration import dbt
from orchestration.resources import INFRASTRUCTURE_RETRIES, NightResource
from warehouse import audit

_STOPS = "critical"


def gate(layer: Layer) -> dg.AssetChecksDefinition:
    """Return the gate of a layer.

    Args:
        layer: raw, staging or marts.
    """

    @dg.multi_asset_check(
        name=f"gate_{layer}",
        specs=[
            dg.AssetCheckSpec(
                name=suite,
                asset=dg.AssetKey([layer, table]),
                blocking=True,
                description=f"Suite {suite} of Great Expectations.",
            )
            for table, suite in runner.checks(layer)
        ],
        can_subset=True,
        retry_policy=INFRASTRUCTURE_RETRIES,
    )
    def run(context: dg.AssetCheckExecutionContext, night: NightResource) -> Iterator[Any]:
        with night.step(f"gate_{layer}"):
            yield from _run(context, night, layer)

    return run


def _run(
    context: dg.AssetCheckExecutionContext, night: NightResource, layer: Layer
) -> Iterator[dg.AssetCheckResult]:
    night.begin()
    results = runner.run_gate(layer, night.warehouse.folder, _scopes(night, layer))
    audit.record_step(
        night.warehouse.marts_file, night.night.run_id, checks=[_row(result) for result in results]
    )
    passed = sum(result.success for result in results)
    context.log.info(f"{passed} of {len(results)} expectations met")
    warnings = [result for result in results if result.severity != _STOPS and not result.success]
    if warnings:
        context.log.warning(runner.describe_failures(warnings))
    for key in sorted(context.selected_asset_check_keys):
        yield _check_result(key, [result for result in results if result.suite == key.name])
    if any(result.exception for result in results):
        night.require_whole_files()
    if any(result.severity == _STOPS and not result.success for result in results):
        stopping = [result for result in results if result.success or result.severity == _STOPS]
        raise dg.Failure(description=runner.describe_failures(stopping), allow_retries=False)


def _scopes(night: NightResource, layer: Layer) -> dict[str, Scope]:
    """Return what a gate looks at in a night that builds on another: what came since has not passed it yet.

    Of raw tables, the files that have arrived; of marts, what the night has written, unless one of those that
    are compared with each other was built anew.
    """
    last_as_of = night.night.basis.last_as_of
    if last_as_of is None:
        return {}
    if layer == "raw":
        arrived = Scope("arrived")
        return {table: arrived for table, _ in runner.checks(layer) if table not in night.reread_tables}
    if layer == "marts":
        written = dbt.marts_written_apart(dbt.project().manifest)
        if written.keys().isdisjoint(night.restatement.models):
            open_month = last_as_of.replace(day=1)
            return {
                mart: Scope("tonight", (month, open_month) if month else None)
                for mart, month in written.items()
            }
    return {}


def _check_result(key: dg.AssetCheckKey, results: Sequence[runner.CheckResult]) -> dg.AssetCheckResult:
    failures = [result for result in results if not result.success]
    stops = any(result.severity == _STOPS for result in failures)
    return dg.AssetCheckResult(
        asset_key=key.asset_key,
        check_name=key.name,
        passed=not failures,
        severity=dg.AssetCheckSeverity.ERROR if stops else dg.AssetCheckSeverity.WARN,
        metadata={"expectations": len(results), "failures": runner.describe_failures(results) or "none"},
    )


def _row(result: runner.CheckResult) -> audit.CheckRow:
    return audit.CheckRow(
        tool="great_expectations",
        layer=result.layer,
        suite=result.suite,
        table_name=result.table_name,
        expectation=result.expectation,
        column_name=result.column_name,
        kwargs=result.kwargs,
        severity="error" if result.severity == _STOPS else "warning",
        is_success=result.success,
        observed=result.observed,
        element_count=result.element_count,
        unexpected_count=result.unexpected_count,
        exception=result.exception,
        scope=result.scope,
    )


@dg.definitions
def defs() -> dg.Definitions:
    """Return the gates that have anything to check."""
    return dg.Definitions(asset_checks=[gate(layer) for layer in LAYERS if runner.checks(layer)])
