"""The way out: the published file, the one asset that readers know.

It depends on every mart and audit table, so that no failing model, test or gate can be passed by. What does
NOT belong here: how a file is put in place (`warehouse.publication`).
"""

from datetime import datetime, timedelta
from typing import Any

import dagster as dg

from orchestration import dbt, lineage
from orchestration.resources import INFRASTRUCTURE_RETRIES, NightResource
from orchestration.settings import Settings, from_environment
from orchestration.snapshot_dates import ONE_RUN, partitions
from warehouse import audit
from warehouse.night import utc_now
from warehouse.publication import Edition, editions, publish
from warehouse.snapshot_changes import UnreadablePublicationError

PUBLISHED = dg.AssetKey(["published", "engagement"])
# A night is expected to have published this long after its tick.
GRACE = timedelta(hours=4)
_EVERY_DAY = ["*", "*", "*"]
_STEPS_BEFORE = ("raw", *dbt.STEPS)


def freshness(settings: Settings) -> dg.FreshnessPolicy | None:
    """Return when the published file is late, by the schedule of the nights.

    A schedule of one time of day gives a deadline: `GRACE` after every tick, for something published since
    that tick. Any other schedule of every day gives a largest age of a day and `GRACE`; one that leaves out
    days and is not of that form promises nothing.

    Args:
        settings: Schedule and business time zone.
    """
    minute, hour, *days = settings.schedule.split()
    hours = int(GRACE / timedelta(hours=1))
    if minute.isdecimal() and hour.isdecimal() and (days == _EVERY_DAY or int(hour) + hours < 24):
        due = " ".join([minute, str((int(hour) + hours) % 24), *days])
        return dg.FreshnessPolicy.cron(due, lower_bound_delta=GRACE, timezone=settings.time_zone)
    if days == _EVERY_DAY:
        return dg.FreshnessPolicy.time_window(fail_window=timedelta(days=1) + GRACE)
    return None


def published_asset() -> dg.AssetsDefinition:
    """Return the published file as an asset, partitioned by snapshot date."""
    settings = from_environment()

    @dg.multi_asset(
        name="published",
        specs=[
            dg.AssetSpec(
                key=PUBLISHED,
                group_name="published",
                deps=_everything_readers_see(),
                kinds={"duckdb"},
                description="engagement.duckdb: schemas marts and audit, replaced whole after the last gate. "
                "A partition was given to readers as of that day; readers see the last one that was.",
                freshness_policy=freshness(settings),
                partitions_def=partitions(settings),
            )
        ],
        backfill_policy=ONE_RUN,
        retry_policy=INFRASTRUCTURE_RETRIES,
    )
    def published(context: dg.AssetExecutionContext, night: NightResource) -> dg.MaterializeResult[Any]:
        with night.step("published"):
            night.require(_STEPS_BEFORE)
            night.begin()
            _record_snapshot_changes(context, night)
            _record_column_lineage(context, night)
            edition = Edition(night.night.run_id, night.night.as_of, _moment(night))
            # Before the copy: readers shall find the run that they are looking at.
            night.succeed(edition.published_at)
            night.carry_out_erasures(edition.published_at)
            publication = publish(
                night.warehouse.marts_file,
                night.warehouse.published,
                night.warehouse.kept,
                edition,
                # earlier publications still know who is erased tonight
                keep=1 if night.register.pending else night.settings.keep_publications,
            )
            night.close_erasures(edition.published_at)
            night.mark_published()
        megabytes = publication.size_bytes / 1_000_000
        context.log.info(f"{publication.path} ({megabytes:,.1f} MB) in {publication.seconds:.2f} s")
        return dg.MaterializeResult(
            metadata={
                "path": dg.MetadataValue.path(str(publication.path)),
                "as_of": night.night.as_of.isoformat(),
                "size_bytes": publication.size_bytes,
                "seconds": publication.seconds,
            }
        )

    return published


def _moment(night: NightResource) -> datetime:
    """Return the time of this publication: now, or just after the last one if the clock was set back.

    Publications are told apart and put in order by their time.
    """
    last = editions(night.warehouse.kept)[:1]
    return max([utc_now(), *(edition.published_at + timedelta(microseconds=1) for edition in last)])


def _record_snapshot_changes(context: dg.AssetExecutionContext, night: NightResource) -> None:
    """Record what changes for readers while there is still something to compare with."""
    try:
        changes = night.record_snapshot_changes()
    except UnreadablePublicationError as error:
        # a night mends a damaged file by taking its place
        context.log.warning(f"changes of closed snapshots cannot be told: {error}")
        return
    for model, customers in changes.items():
        context.log.info(f"{model}: closed snapshots of {customers:,} customers have changed")


def _record_column_lineage(context: dg.AssetExecutionContext, night: NightResource) -> None:
    """Give readers the column lineage of the code that built what they see."""
    found = lineage.project_lineage()
    for model, reason in found.failures.items():
        context.log.warning(f"no column lineage of {model}: {reason}")
    if audit.record_column_lineage(night.warehouse.marts_file, found.version, found.rows):
        context.log.info("column lineage of this version of the code recorded")


def _everything_readers_see() -> list[dg.AssetKey]:
    return [
        dg.AssetKey([dbt.layer_of(node), node["name"]])
        for node in dbt.project().manifest["nodes"].values()
        if node["resource_type"] == "model" and dbt.layer_of(node) in ("marts", "audit")
    ]


@dg.definitions
def defs() -> dg.Definitions:
    """Return the published file."""
    return dg.Definitions(assets=[published_asset()])
