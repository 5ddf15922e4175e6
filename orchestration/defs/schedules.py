"""The night: one job over everything between the raw zone and the published file, and when it runs."""

from datetime import timedelta
from zoneinfo import ZoneInfo

import dagster as dg

from orchestration.settings import Settings, from_environment

NIGHTLY = "nightly"


def night_config(
    *,
    as_of: str,
    full_refresh: bool = False,
    restate_from: str | None = None,
    wait_seconds: float | None = None,
) -> dict[str, dict[str, object]]:
    """Return the run configuration of a night.

    Args:
        as_of: Business day to build, `YYYY-MM-DD`.
        full_refresh: Build incremental tables anew.
        restate_from: First business day to build again; only what is unknown when absent.
        wait_seconds: How long to wait for another writer; the configured time when absent.
    """
    config: dict[str, object] = {"as_of": as_of, "full_refresh": full_refresh}
    if restate_from is not None:
        config["restate_from"] = restate_from
    if wait_seconds is not None:
        config["wait_seconds"] = wait_seconds
    return {"resources": {"night": {"config": config}}}


def nightly_schedule(settings: Settings) -> dg.ScheduleDefinition:
    """Return the schedule: on by default, for the business day that has ended when it ticks."""
    job = dg.define_asset_job(
        NIGHTLY,
        selection=dg.AssetSelection.all() - dg.AssetSelection.groups("landing"),
        description="Raw zone to published file, gated; landing is the loaders' own affair.",
    )

    @dg.schedule(
        name=NIGHTLY,
        job=job,
        cron_schedule=settings.schedule,
        execution_timezone=settings.time_zone,
        default_status=dg.DefaultScheduleStatus.RUNNING,
        description=f"The business day ({settings.time_zone}) that has ended when it ticks.",
    )
    def nightly(context: dg.ScheduleEvaluationContext) -> dg.RunRequest:
        ticked_at = context.scheduled_execution_time.astimezone(ZoneInfo(settings.time_zone))
        as_of = (ticked_at.date() - timedelta(days=1)).isoformat()
        return dg.RunRequest(run_config=night_config(as_of=as_of), tags={"as_of": as_of})

    return nightly


@dg.definitions
def defs() -> dg.Definitions:
    """Return the schedule, and with it the job."""
    schedule = nightly_schedule(from_environment())
    return dg.Definitions(schedules=[schedule], jobs=[schedule.job])
