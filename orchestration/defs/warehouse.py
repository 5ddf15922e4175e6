"""The dbt layers as assets: one definition per step, so that a failing check holds back the next one.

A blocking check stops only assets of another definition; were all models one definition, nothing would be
gated. What does NOT belong here: how dbt is called (`orchestration.dbt`).
"""

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import dagster as dg
from dagster_dbt import DagsterDbtTranslator, DbtProject, dbt_assets

from orchestration import dbt, lineage
from orchestration.resources import INFRASTRUCTURE_RETRIES, NightResource
from orchestration.snapshot_dates import ONE_RUN
from warehouse import audit
from warehouse.summary import TableName, count_rows, sentences


class LayerTranslator(DagsterDbtTranslator):
    """Names and groups of dbt nodes in Dagster: the layer, then the model."""

    def get_asset_key(self, dbt_resource_props: Mapping[str, Any]) -> dg.AssetKey:
        """Return layer and name, the same words as in the tree and in the database."""
        return dg.AssetKey([dbt.layer_of(dbt_resource_props), str(dbt_resource_props["name"])])

    def get_group_name(self, dbt_resource_props: Mapping[str, Any]) -> str:
        """Return the layer: the UI shows the flow."""
        return dbt.layer_of(dbt_resource_props)

    def get_description(self, dbt_resource_props: Mapping[str, Any]) -> str:
        """Return what the model's YAML says; the SQL is a click away in the docs."""
        return str(dbt_resource_props.get("description") or "")

    def get_tags(self, dbt_resource_props: Mapping[str, Any]) -> Mapping[str, str]:
        """Return the topic, e.g. the channel: it finds the ways of one channel through all layers."""
        topic = dbt.topic_of(dbt_resource_props)
        return {"topic": topic} if topic else {}

    def get_asset_check_spec(
        self,
        asset_spec: dg.AssetSpec,
        manifest: Mapping[str, Any],
        unique_id: str,
        project: DbtProject | None,
    ) -> dg.AssetCheckSpec | None:
        """Return a dbt test as a check of its asset, if the asset's own step runs it."""
        if dbt.test_layer(manifest, unique_id) != asset_spec.key.path[0]:
            return None
        return super().get_asset_check_spec(asset_spec, manifest, unique_id, project)


def layer_assets(step: str) -> dg.AssetsDefinition:
    """Return the assets of one step.

    Args:
        step: One of `orchestration.dbt.STEPS`.
    """

    @dbt_assets(
        manifest=dbt.project().manifest,
        select=" ".join(dbt.selection(step)),
        name=step,
        dagster_dbt_translator=LayerTranslator(),
        backfill_policy=ONE_RUN,
        retry_policy=INFRASTRUCTURE_RETRIES,
    )
    def build(context: dg.AssetExecutionContext, night: NightResource) -> Iterator[Any]:
        with night.step(step):
            yield from _build(context, night, step)

    return build


def _build(
    context: dg.AssetExecutionContext, night: NightResource, step: str
) -> Iterator[dg.MaterializeResult[Any] | dg.AssetCheckResult]:
    night.begin()
    manifest = dbt.project().manifest
    results = dbt.build(
        dbt.build_arguments(
            select=_selected(context, manifest, step),
            variables=dbt.variables(
                run_id=night.night.run_id,
                as_of=night.night.as_of.isoformat(),
                business_time_zone=night.settings.time_zone,
                reporting_currency=night.settings.reporting_currency,
                source_time_zones=night.settings.source_time_zones,
                basis=night.night.basis,
                restated_models=night.restatement.models,
                reread_tables=night.reread_tables,
                has_tombstones=bool(night.register.tombstones),
            ),
            target=night.warehouse.dbt_target,
        ),
        night.manifest,
        lambda name, status, seconds: _tell_built(context, name, status, seconds),
    )
    rows = _record(night, manifest, results)
    _tell(context, results, rows)
    yield from _events(context, manifest, results, rows)
    failures = [_describe(night, manifest, result) for result in results if result.is_failure]
    if any(result.is_failure and not result.is_test for result in results):
        night.require_whole_files()
    if failures:
        raise dg.Failure(
            description="\n".join([f"{step}: {len(failures)} of {len(results)} nodes failed", *failures]),
            allow_retries=False,
        )


def _selected(context: dg.AssetExecutionContext, manifest: Mapping[str, Any], step: str) -> Sequence[str]:
    """Return what dbt shall select: the step as a whole, or the assets that somebody picked."""
    if not context.is_subset:
        return [*dbt.selection(step), *dbt.stray_tests(manifest, step)]
    keys = {tuple(key.path) for key in context.selected_asset_keys}
    return [
        ".".join(node["fqn"])
        for node in manifest["nodes"].values()
        if node["resource_type"] in ("model", "seed") and (dbt.layer_of(node), node["name"]) in keys
    ]


def _record(
    night: NightResource, manifest: Mapping[str, Any], results: Sequence[dbt.NodeResult]
) -> Mapping[str, int]:
    """Write the audit of a step; return the rows of every table that it built, by dbt's id."""
    tables = {
        result.unique_id: TableName(
            file=night.warehouse.file_of(manifest["nodes"][result.unique_id]["database"]),
            schema=manifest["nodes"][result.unique_id]["schema"],
            name=manifest["nodes"][result.unique_id]["alias"],
        )
        for result in results
        if result.status == "success"
        and manifest["nodes"][result.unique_id]["config"]["materialized"] != "view"
    }
    rows = count_rows(tables)
    audit.record_step(
        night.warehouse.marts_file,
        night.night.run_id,
        [
            audit.ModelRun(
                layer=dbt.layer_of(manifest["nodes"][result.unique_id]),
                model_name=result.name,
                resource_type=result.resource_type,
                status=result.status,
                started_at=result.started_at,
                seconds=result.seconds,
                row_count=rows.get(result.unique_id),
                message=result.message,
                restated=night.restatement.why(result.name),
            )
            for result in results
            if not result.is_test
        ],
        [_check_row(manifest, result) for result in results if result.is_test and result.status != "skipped"],
    )
    return rows


def _check_row(manifest: Mapping[str, Any], result: dbt.NodeResult) -> audit.CheckRow:
    node = manifest["nodes"][result.unique_id]
    generic = node.get("test_metadata") or {}
    return audit.CheckRow(
        tool="dbt",
        layer=dbt.test_layer(manifest, result.unique_id),
        suite=result.name,
        table_name=_tested(manifest, result.unique_id),
        expectation=str(generic.get("name") or result.name),
        column_name=node.get("column_name"),
        kwargs=json.dumps(
            {name: value for name, value in (generic.get("kwargs") or {}).items() if name != "model"},
            default=str,
        ),
        severity="error" if str(node["config"]["severity"]).lower() == "error" else "warning",
        is_success=result.status == "pass",
        observed=result.message,
        element_count=None,
        unexpected_count=result.failures,
        exception=result.message if result.status == "error" else None,
    )


def _tell_built(context: dg.AssetExecutionContext, name: str, status: str, seconds: float) -> None:
    if status != "skipped":
        context.log.info(f"{name:<44}{seconds:6.2f} s{'' if status == 'success' else f'  {status}'}")


def _tell(
    context: dg.AssetExecutionContext, results: Sequence[dbt.NodeResult], rows: Mapping[str, int]
) -> None:
    kinds = Counter(result.resource_type for result in results if result.status == "success")
    passed = sum(result.status == "pass" for result in results)
    tests = sum(result.is_test for result in results)
    built = ", ".join(f"{count} {kind}s" for kind, count in sorted(kinds.items()))
    context.log.info(f"{built}: {sum(rows.values()):,} rows in tables, {passed} of {tests} dbt tests passed")


def _events(
    context: dg.AssetExecutionContext,
    manifest: Mapping[str, Any],
    results: Sequence[dbt.NodeResult],
    rows: Mapping[str, int],
) -> Iterator[dg.MaterializeResult[Any] | dg.AssetCheckResult]:
    checks = {key.name: key for key in context.selected_asset_check_keys}
    for result in results:
        if result.is_test and result.name in checks and result.status != "skipped":
            severity = manifest["nodes"][result.unique_id]["config"]["severity"]
            yield dg.AssetCheckResult(
                asset_key=checks[result.name].asset_key,
                check_name=result.name,
                passed=result.status == "pass",
                severity=dg.AssetCheckSeverity.ERROR
                if str(severity).lower() == "error"
                else dg.AssetCheckSeverity.WARN,
                metadata={"failures": result.failures or 0, "message": result.message},
            )
        elif not result.is_test and result.status == "success":
            metadata: dict[str, Any] = {"seconds": result.seconds}
            if result.unique_id in rows:
                metadata["dagster/row_count"] = rows[result.unique_id]
            # nobody will look at the graph in an instance that ends with the night
            if not context.instance.is_ephemeral:
                columns = _column_lineage(manifest["nodes"][result.unique_id])
                if columns is not None:
                    metadata["dagster/column_lineage"] = columns
            key = dg.AssetKey([dbt.layer_of(manifest["nodes"][result.unique_id]), result.name])
            yield dg.MaterializeResult(asset_key=key, metadata=metadata)


def _column_lineage(node: Mapping[str, Any]) -> dg.TableColumnLineage | None:
    """Return which columns of other assets a model's columns are made of; Dagster shows it as a graph."""
    parents = lineage.project_lineage().parents((node["schema"], node["alias"]))
    deps = {
        column: [
            dg.TableColumnDep(dg.AssetKey([origin.schema, origin.table]), origin.column)
            for origin in sorted(origins)
        ]
        for column, origins in parents.items()
    }
    return dg.TableColumnLineage(deps) if deps else None


def _describe(night: NightResource, manifest: Mapping[str, Any], result: dbt.NodeResult) -> str:
    if not result.is_test:
        return f"  {result.resource_type} {result.name}: {result.message}"
    node = manifest["nodes"][result.unique_id]
    column = f" (column {node['column_name']})" if node.get("column_name") else ""
    told = sentences(night.warehouse, result.query) if result.status == "fail" else []
    headline = f"  test {result.name} of {_tested(manifest, result.unique_id)}{column}: {result.message}"
    return "\n".join([headline, *(f"    {sentence}" for sentence in told)])


def _tested(manifest: Mapping[str, Any], unique_id: str) -> str:
    """Return the name of the table that a test is about."""
    node = manifest["nodes"][unique_id]
    parent = node.get("attached_node") or next(iter(node["depends_on"]["nodes"]), None)
    return str(parent).rsplit(".", 1)[-1] if parent else ""


@dg.definitions
def defs() -> dg.Definitions:
    """Return the steps that have anything to build."""
    # read off here, when the code is loaded, so that no night waits for it
    lineage.project_lineage()
    layers = {dbt.layer_of(node) for node in _models(dbt.project().manifest)}
    return dg.Definitions(
        assets=[layer_assets(step) for step, members in dbt.STEPS.items() if layers.intersection(members)]
    )


def _models(manifest: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return [node for node in manifest["nodes"].values() if node["resource_type"] in ("model", "seed")]
