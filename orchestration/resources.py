"""The night as a Dagster resource: it holds the writer's lock over the whole run and knows how the run ended.

With the in-process executor there is one such object per run. What does NOT belong here: SQL, dbt.
"""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from importlib.metadata import version

import dagster as dg
from pydantic import PrivateAttr

from orchestration import dbt
from orchestration.settings import PROJECT_ROOT, Settings, SettingsError, from_environment
from warehouse import audit, lock
from warehouse.night import Night, Warehouse, utc_now
from warehouse.publication import PublicationError, remove_leftovers
from warehouse.raw_zone import RawZoneError

CAUSE = "cause"
RAW_ZONE = "raw zone"
# Only what may be gone a moment later is tried again: gates, models and raw tables will not mend themselves.
INFRASTRUCTURE_RETRIES = dg.RetryPolicy(max_retries=2, delay=5, backoff=dg.Backoff.EXPONENTIAL)


class NightResource(dg.ConfigurableResource):  # type: ignore[type-arg]
    """One night over the configured warehouse.

    Attributes:
        as_of: Business day to build, `YYYY-MM-DD`; the last complete one when absent.
        full_refresh: Build incremental tables anew.
        wait_seconds: How long to wait for another writer; the configured time when absent.
    """

    as_of: str | None = None
    full_refresh: bool = False
    wait_seconds: float | None = None

    _settings: Settings = PrivateAttr()
    _night: Night = PrivateAttr()
    _is_begun: bool = PrivateAttr(default=False)
    _is_published: bool = PrivateAttr(default=False)
    _failures: dict[str, str] = PrivateAttr(default_factory=dict)

    @property
    def settings(self) -> Settings:
        """The settings that this night reads."""
        return self._settings

    @property
    def warehouse(self) -> Warehouse:
        """The files of the warehouse."""
        return Warehouse(self._settings.warehouse)

    @property
    def night(self) -> Night:
        """Identity of this run."""
        return self._night

    @contextmanager
    def yield_for_execution(self, context: dg.InitResourceContext) -> Iterator[NightResource]:
        """Hold the warehouse while the run lasts, and say in the audit how it ended."""
        settings = from_environment()
        settings.apply()
        day = date.fromisoformat(self.as_of) if self.as_of else settings.last_complete_day()
        run_id = context.run.run_id if context.run else "manual"
        job = context.run.job_name if context.run else "manual"
        wait = settings.lock_wait_seconds if self.wait_seconds is None else self.wait_seconds
        warehouse = Warehouse(settings.warehouse)

        def tell(holder: lock.Holder | None) -> None:
            if context.log:
                context.log.info(
                    f"waiting up to {wait:.0f} s for the night that holds the warehouse: {holder}"
                )

        with lock.hold(
            warehouse.lock,
            run_id=run_id,
            command=f"dagster job {job}",
            as_of=day.isoformat(),
            wait_seconds=wait,
            on_wait=tell,
        ) as held:
            self._settings = settings
            self._night = Night(
                run_id=run_id,
                as_of=day,
                started_at=utc_now(),
                is_full_refresh=self.full_refresh,
                business_time_zone=settings.time_zone,
                reporting_currency=settings.reporting_currency,
                code_version=_code_version(),
                seeds_hash=dbt.seeds_hash(),
            )
            remove_leftovers(warehouse.published)
            try:
                yield self
            finally:
                self._end(held)

    def begin(self) -> None:
        """Make the build folders and record that the night runs; the first thing that a night writes."""
        self.warehouse.prepare()
        audit.begin(self.warehouse.marts_file, self._night)
        self._is_begun = True

    def mark_published(self) -> None:
        """Remember that readers have this night."""
        self._is_published = True

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Run a step: remember why it failed, and turn what will not mend itself into a final failure.

        Raises:
            dagster.Failure: A raw table, a model, a gate or a setting is wrong; it is not tried again.
        """
        try:
            yield
        except Exception as error:
            failure = _as_failure(error)
            self._failures[name] = (
                failure.description if failure else None
            ) or f"{type(error).__name__}: {error}"
            if failure is None or failure is error:
                raise
            raise failure from error
        else:
            self._failures.pop(name, None)

    def _end(self, held: lock.NightLock) -> None:
        message = "; ".join(self._failures.values()) or None
        if self._is_published and not message:
            held.finish("published")
            return
        outcome = "failed" if message else "partial"
        if self._is_begun:
            audit.end(self.warehouse.marts_file, self._night.run_id, outcome, message)
        held.finish(outcome, message)


def _as_failure(error: Exception) -> dg.Failure | None:
    """Return the final failure that an error stands for, or `None` if another try may help."""
    if isinstance(error, dg.Failure):
        return error
    if isinstance(error, RawZoneError):
        return dg.Failure(description=str(error), metadata={CAUSE: RAW_ZONE}, allow_retries=False)
    if isinstance(error, dbt.DbtError | PublicationError | SettingsError):
        return dg.Failure(description=str(error), allow_retries=False)
    return None


def _code_version() -> str:
    """Return tag and commit of a checkout, or the version of an installed package."""
    command = ["git", "-C", str(PROJECT_ROOT), "describe", "--always", "--dirty", "--tags"]
    try:
        described = subprocess.run(command, capture_output=True, text=True, check=True, timeout=10)  # noqa: S603
    except (OSError, subprocess.SubprocessError):
        return version("engagement-warehouse")
    return described.stdout.strip()
