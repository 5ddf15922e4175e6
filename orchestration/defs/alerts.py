"""The sensor that looks every minute whether somebody must be told, and tells once per cause.

A sensor of its own rather than Dagster's hook on failed runs: that one moves on when a message could not be
sent, and knows neither nights of the command line nor nights that never began. What does NOT belong here:
what an alert says (`orchestration.alerts`) and how it is sent (`orchestration.delivery`).
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import dagster as dg
from dagster._utils.schedules import get_latest_completed_cron_tick

from expectations.thresholds import load_thresholds
from orchestration import alerts, delivery
from orchestration.alerts import Alert, FailedRun
from orchestration.defs.publish import GRACE
from orchestration.settings import Settings, from_environment
from warehouse.night import Warehouse, utc_now
from warehouse.publication import editions
from warehouse.summary import DamagedFileError, PublishedRun, published_run

ALERTS = "alerts"
_EVERY_SECONDS = 60
# Older failures are history, whatever was published since.
_MEMORY = timedelta(days=7)
_MOST_RUNS = 20


@dataclass
class Told:
    """What the sensor remembers between its ticks: its cursor.

    Attributes:
        watching_since: Its first tick; nights that were due before are nobody's affair.
        causes: Way of delivery -> causes that were told on it and are not over.
    """

    watching_since: datetime
    causes: dict[str, list[str]] = field(default_factory=dict)

    @classmethod
    def from_cursor(cls, cursor: str | None, now: datetime) -> Told:
        """Read a cursor; the first tick has none."""
        if not cursor:
            return cls(now)
        kept: dict[str, Any] = json.loads(cursor)
        return cls(datetime.fromisoformat(kept["watching_since"]), kept["causes"])

    def to_cursor(self) -> str:
        """Write it down."""
        return json.dumps({"watching_since": self.watching_since.isoformat(), "causes": self.causes})


def alert_sensor(settings: Settings) -> dg.SensorDefinition:
    """Return the sensor: on from the start where alerts are set up, and idle where they are not.

    Args:
        settings: Warehouse, schedule and where alerts go.
    """
    ways = delivery.channels(settings)

    @dg.sensor(
        name=ALERTS,
        minimum_interval_seconds=_EVERY_SECONDS,
        default_status=dg.DefaultSensorStatus.RUNNING if ways else dg.DefaultSensorStatus.STOPPED,
        description="Tells of failed, killed and late nights, of stale sources and of too full a quarantine, "
        f"by {' and '.join(ways) or 'nothing: no ENGAGEMENT_ALERT_* is set'}.",
    )
    def sensor(context: dg.SensorEvaluationContext) -> dg.SkipReason | dg.SensorResult:
        if not ways:
            return dg.SkipReason("Alerts are off: neither ENGAGEMENT_ALERT_WEBHOOK nor ..._SMTP is set.")
        now = utc_now()
        told = Told.from_cursor(context.cursor, now)
        watch = Watch(settings, context.instance, now)
        said: list[str] = []
        for way, send in ways.items():
            known = told.causes.get(way, [])
            news, standing = watch.look(told.watching_since, known)
            kept = [cause for cause in known if cause in standing]
            for alert in news:
                try:
                    send(alert)
                except delivery.DeliveryError as error:
                    context.log.error(f"{error} It is tried again at the next tick: {alert.subject}")
                    said.append(str(error))
                    continue
                kept.extend(alert.causes)
                said.append(f"{way}: {alert.subject}")
            told.causes[way] = kept
        return dg.SensorResult(
            skip_reason=" ".join(said) or "There is nothing to tell.", cursor=told.to_cursor()
        )

    return sensor


@dataclass(frozen=True)
class Watch:
    """One look at the warehouse.

    Attributes:
        settings: Warehouse and schedule.
        instance: Dagster's instance, which knows the runs.
        now: This moment, aware.
    """

    settings: Settings
    instance: dg.DagsterInstance
    now: datetime

    def look(self, watching_since: datetime, known: Collection[str]) -> tuple[list[Alert], set[str]]:
        """Return what is to be told, and every cause that stands, told or not.

        Args:
            watching_since: Nights that were due before do not count.
            known: Causes that were told.
        """
        warehouse = Warehouse(self.settings.warehouse)
        published, damage = None, None
        try:
            published = published_run(warehouse.published)
        except DamagedFileError as error:
            damage = alerts.damaged_file(warehouse, error)
        last_published_at = _last_published_at(warehouse, published)
        found = [
            *([damage] if damage else []),
            *alerts.failed_nights(warehouse, published, self._failed_runs(last_published_at)),
            *alerts.late_night(warehouse, published, self._due_since(last_published_at, watching_since)),
        ]
        standing = {cause for alert in found for cause in alert.causes}
        news = [alert for alert in found if not set(alert.causes).issubset(known)]
        if published is not None:
            stale, causes = alerts.stale(warehouse, load_thresholds(), known)
            news.extend(stale)
            standing |= causes
        return news, standing

    def _failed_runs(self, last_published_at: datetime | None) -> Iterable[FailedRun]:
        """Runs of this instance that failed and were asked for after the last publication."""
        earliest = self.now - _MEMORY
        since = max(earliest, last_published_at or earliest)
        records = self.instance.get_run_records(
            dg.RunsFilter(statuses=[dg.DagsterRunStatus.FAILURE], created_after=since), limit=_MOST_RUNS
        )
        for record in records:
            run = record.dagster_run
            ended = record.end_time or record.update_timestamp.timestamp()
            yield FailedRun(
                run_id=run.run_id,
                since=datetime.fromtimestamp(ended, tz=UTC),
                message=_reason(self.instance, run.run_id),
                started_by=f"dagster, job {run.job_name}",
            )

    def _due_since(self, published_at: datetime | None, watching_since: datetime) -> datetime | None:
        """Since when a publication is missing, by the schedule; as `orchestration.defs.publish` has it."""
        minute, hour, *_ = self.settings.schedule.split()
        if minute.isdecimal() and hour.isdecimal():
            tick = get_latest_completed_cron_tick(
                self.settings.schedule, self.now - GRACE, self.settings.time_zone
            )
            due = tick if published_at is None or published_at < tick else None
        else:
            age_limit = timedelta(days=1) + GRACE
            seen = published_at or watching_since
            due = seen + age_limit if self.now - seen > age_limit else None
        return due if due is not None and due >= watching_since else None


def _last_published_at(warehouse: Warehouse, published: PublishedRun | None) -> datetime | None:
    """Return when a night was published last, also if readers were taken back from it since."""
    moments = [edition.published_at for edition in editions(warehouse.kept)[:1]]
    if published is not None:
        moments.append(published.published_at.replace(tzinfo=UTC))
    return max(moments, default=None)


def _reason(instance: dg.DagsterInstance, run_id: str) -> str:
    """Return why a run failed, as its steps said it."""
    events = instance.all_logs(
        run_id, of_type={dg.DagsterEventType.STEP_FAILURE, dg.DagsterEventType.RUN_FAILURE}
    )
    told = [
        failure.description
        for entry in events
        if (event := entry.dagster_event) is not None
        and event.is_step_failure
        and (failure := event.step_failure_data.user_failure_data) is not None
        and failure.description
    ]
    others = [entry.dagster_event.message or "" for entry in events if entry.dagster_event is not None]
    return "\n".join(told or others[-1:]) or "It failed without saying why."


@dg.definitions
def defs() -> dg.Definitions:
    """Return the sensor."""
    return dg.Definitions(sensors=[alert_sensor(from_environment())])
