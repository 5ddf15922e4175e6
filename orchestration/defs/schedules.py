"""The night: one job over everything between the raw zone and the published file, and when it runs."""

from datetime import timedelta
from zoneinfo import ZoneInfo

import dagster as dg

from orchestration.settings import Settings, from_environment

NIGHTLY = "nightly"


def night_config(*, full_refresh: bool = False) -> dict[str, dict[str, object]]:
    """Return the run configuration of a night; its snapshot date is the run's partition.

    Args:
        full_refresh: Build incremental tables anew.
    """
    return {"resources": {"night": {"config": {"full_refresh": full_refresh}}}}


def nightly_schedule(settings: Settings) -> dg.ScheduleDefinition:
    """Return the schedule: on by default, for the business day that has ended when it ticks."""
    job = dg.define_asset_job(
        NIGHTLY,
        selection=dg.AssetSelection.all() - dg.AssetSelection.groups("landing"),
        description="Raw zone to published file, gated, as of a day; landing is the loaders' own affair.",
        # a night is repeated whole: what its first steps know, later ones build on
        tags={"dagster/retry_strategy": "ALL_STEPS"},
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
        return dg.RunRequest(partition_key=as_of, tags={"as_of": as_of})

    return nightly


@dg.definitions
def defs() -> dg.Definitions:
    """Return the schedule, and with it the job."""
    schedule = nightly_schedule(from_environment())
    return dg.Definitions(schedules=[schedule], jobs=[schedule.job])
