"""The gates: Great Expectations' suites as blocking checks, one definition per layer.

A gate's checks hang on the tables of its layer, so everything that reads one of them waits for the gate, and
does not start when the gate fails. What does NOT belong here: what is expected (`expectations/`).
"""

from collections.abc import Iterator, Sequence
from typing import Any

import dagster as dg

from expectations import runner
from expectations.suite import LAYERS, Layer
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
    results = runner.run_gate(layer, night.warehouse.folder, _schemas(night, layer))
    audit.record_checks(night.warehouse.marts_file, night.night.run_id, [_row(result) for result in results])
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


def _schemas(night: NightResource, layer: Layer) -> dict[str, str]:
    """Where the raw gate looks: at what has arrived. Earlier files have passed it."""
    if layer != "raw" or not night.night.basis.last_number:
        return {}
    return {table: "arrived" for table, _ in runner.checks(layer) if table not in night.reread_tables}


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
    )


@dg.definitions
def defs() -> dg.Definitions:
    """Return the gates that have anything to check."""
    return dg.Definitions(asset_checks=[gate(layer) for layer in LAYERS if runner.checks(layer)])
