"""The night as a Dagster resource: it holds the writer's lock over the whole run and knows how it ended.

With the in-process executor there is one such object per run. What does NOT belong here: SQL, dbt.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from importlib.metadata import version
from typing import TYPE_CHECKING

import dagster as dg
from pydantic import PrivateAttr

from orchestration import dbt, lineage, openlineage, restatement, snapshot_dates
from orchestration.advice import advised
from orchestration.restatement import Fingerprint, Restatement
from orchestration.settings import PROJECT_ROOT, Settings, SettingsError, from_environment
from warehouse import audit, cleansing, erasures, lock, raw_zone, snapshot_changes, state, summary
from warehouse.engine_errors import without_values
from warehouse.erasures import Register
from warehouse.night import Night, Warehouse, utc_now
from warehouse.publication import PublicationError, remove_leftovers
from warehouse.raw_files import RawZoneError
from warehouse.raw_zone import RawZone
from warehouse.snapshot_changes import SnapshotModel

if TYPE_CHECKING:
    from dbt.contracts.graph.manifest import Manifest

CAUSE = "cause"
RAW_ZONE = "raw zone"
# Only what may be gone a moment later is tried again: gates, models and raw tables will not mend themselves.
INFRASTRUCTURE_RETRIES = dg.RetryPolicy(max_retries=2, delay=5, backoff=dg.Backoff.EXPONENTIAL)


@dataclass
class _Session:
    """What a night knows once its first step has begun."""

    settings: Settings
    night: Night
    held: lock.NightLock
    emitter: openlineage.Emitter | None = None
    manifest: Manifest | None = None
    restatement: Restatement = field(default_factory=Restatement)
    fingerprints: Mapping[str, Fingerprint] = field(default_factory=dict)
    zone: RawZone | None = None
    reread_tables: tuple[str, ...] = ()
    register: Register = field(default_factory=Register)
    is_begun: bool = False
    is_published: bool = False
    failures: dict[str, str] = field(default_factory=dict)
    steps: set[str] = field(default_factory=set)


class NightResource(dg.ConfigurableResource):  # type: ignore[type-arg]
    """One night over the configured warehouse.

    Nothing happens before the first step: Dagster also makes resources to look at a run that is over.

    Attributes:
        as_of: Business day to build, `YYYY-MM-DD`, for a run without a partition; the last complete one when
            absent.
        full_refresh: Build incremental tables anew.
        wait_seconds: How long to wait for another writer; the configured time when absent.
    """

    as_of: str | None = None
    full_refresh: bool = False
    wait_seconds: float | None = None

    _run_id: str = PrivateAttr()
    _command: str = PrivateAttr()
    _tags: Mapping[str, str] = PrivateAttr()
    _log: Callable[[str], None] = PrivateAttr()
    _warn: Callable[[str], None] = PrivateAttr()
    _held: ExitStack = PrivateAttr()
    _session: _Session | None = PrivateAttr(default=None)

    @property
    def settings(self) -> Settings:
        """The settings that this night reads."""
        return self._opened.settings

    @property
    def warehouse(self) -> Warehouse:
        """The files of the warehouse."""
        return Warehouse(self.settings.warehouse)

    @property
    def night(self) -> Night:
        """Identity of this run."""
        return self._opened.night

    @property
    def restatement(self) -> Restatement:
        """What is built anew because a seed or a model has changed."""
        return self._opened.restatement

    @property
    def reread_tables(self) -> tuple[str, ...]:
        """Raw tables that are read whole although there is a night to build on."""
        return self._opened.reread_tables

    def mark_read(self, zone: RawZone) -> None:
        """Remember the raw zone, and its tables of which a known file has changed or gone, or of erasures."""
        erased = self.register.pending_tables if self.night.basis.last_number else ()
        self._opened.zone = zone
        self._opened.reread_tables = tuple(sorted({*zone.reread_tables, *erased}))

    def require_whole_files(self) -> None:
        """Say which raw file a step has failed at, if it was one; asked when a step has failed.

        Raises:
            RawZoneError: A file cannot be read whole.
        """
        if self._opened.zone is not None:
            raw_zone.require_whole(self._opened.zone)

    @property
    def register(self) -> Register:
        """Who was erased, and who is to be erased tonight."""
        return self._opened.register

    def carry_out_erasures(self, moment: datetime) -> None:
        """Rid the build files of whoever is erased tonight, and say in the audit that it is done.

        Only the publication makes it true, so the register says so afterwards (`close_erasures`): what a
        night that dies in between has done is done again by the next.

        Args:
            moment: When the night is published, aware.
        """
        done = self.register.carried_out(self.night.run_id, moment.replace(tzinfo=None))
        audit.record_erasures(self.warehouse.marts_file, done)
        if self.register.pending:
            cleansing.cleanse(self.warehouse, self.register.tombstones, self.settings.private_hash_key())

    def close_erasures(self, moment: datetime) -> None:
        """Note in the register that the erasures are carried out; the arguments are those of before."""
        if self.register.pending:
            done = self.register.carried_out(self.night.run_id, moment.replace(tzinfo=None))
            erasures.write(self.warehouse.erasures, done, self.settings.private_hash_key())
            self._opened.register = done

    @property
    def manifest(self) -> Manifest:
        """The parsed dbt project; all steps of a night share one, compiled SQL included."""
        if self._opened.manifest is None:
            self._opened.manifest = dbt.project().load()
        return self._opened.manifest

    @contextmanager
    def yield_for_execution(self, context: dg.InitResourceContext) -> Iterator[NightResource]:
        """Give back the lock when the run is over, and say in the audit how it ended."""
        if context.run is None or context.log is None:
            raise SettingsError("A night is part of a run; launch the job `nightly`.")
        self._run_id = context.run.run_id
        self._command = f"dagster, job {context.run.job_name}"
        self._tags = context.run.tags
        self._log = context.log.info
        self._warn = context.log.warning
        with ExitStack() as held:
            self._held = held
            try:
                yield self
            finally:
                if self._session is not None:
                    self._end(self._session)

    def begin(self) -> None:
        """Make the build folders and record that the night runs; the first thing that a night writes.

        Every step begins the night, since any may be the first of a run. Once is enough: opening and closing
        the build file takes tenths of a second.
        """
        if self._opened.is_begun:
            return
        self.warehouse.prepare()
        # the key may have been made since the night was opened
        self._opened.night = replace(self.night, settings_fingerprint=self.settings.fingerprint())
        audit.begin(
            self.warehouse.marts_file,
            self.night,
            "; ".join(self.restatement.reasons) or None,
            self.register,
        )
        self._opened.is_begun = True

    def require(self, steps: Collection[str]) -> None:
        """Refuse to go on when this run has not gone through other steps.

        Args:
            steps: Names of steps.

        Raises:
            dagster.Failure: Somebody picked assets, or repeated only the last steps of another run: what
                stands in the build files is not what a night of this day would leave.
        """
        missing = [step for step in steps if step not in self._opened.steps]
        if missing:
            raise dg.Failure(
                description=f"Only a whole night is published, and this run is without {', '.join(missing)}; "
                "launch the job `nightly`.",
                allow_retries=False,
            )

    def record_snapshot_changes(self) -> Mapping[str, int]:
        """Write down which closed snapshots will change for readers; return the customers by model."""
        everything = None if self.night.basis.last_number else self.night.basis.reason
        return snapshot_changes.record(
            self.warehouse,
            self.night,
            [
                SnapshotModel(name, key, everything or self.restatement.why(name))
                for name, key in sorted(dbt.snapshot_grains(dbt.project().manifest).items())
            ],
        )

    def succeed(self, published_at: datetime) -> None:
        """Record that the last gate is passed: the next night builds on this one."""
        audit.succeed(
            self.warehouse.marts_file,
            self.night,
            published_at,
            {name: json.dumps(parts) for name, parts in self._opened.fingerprints.items()},
        )

    def mark_published(self) -> None:
        """Remember that readers have this night; nobody reads what was gathered for it any more."""
        self._opened.is_published = True
        self.warehouse.forget_gathered()

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Run a step under the writer's lock, and remember why it failed.

        What will not mend itself becomes a final failure; anything else is left to the retries.

        Raises:
            dagster.Failure: A raw table, a model, a gate or a setting is wrong, or somebody else writes.
        """
        try:
            if self._session is None:
                self._session = self._open()
            yield
        except Exception as error:
            failure = _as_failure(error)
            said = (failure.description if failure else None) or (
                f"{type(error).__name__}: {without_values(str(error))}"
            )
            message = said
            if not isinstance(error, SettingsError):
                message = advised(said, self._session.settings if self._session else from_environment())
            if self._session is not None:
                self._session.failures[name] = message
            if message != said:
                # what the disk refuses may go well a moment later
                failure = dg.Failure(
                    description=message,
                    metadata=failure.metadata if failure else None,
                    allow_retries=isinstance(error, OSError),
                )
            if failure is None or failure is error:
                raise
            raise failure from error
        else:
            self._opened.failures.pop(name, None)
            self._opened.steps.add(name)

    @property
    def _opened(self) -> _Session:
        if self._session is None:
            raise RuntimeError("A night is opened by its first step.")
        return self._session

    def _open(self) -> _Session:
        settings = from_environment()
        settings.apply()
        dates = snapshot_dates.of_run(self._tags, settings, self.as_of)
        warehouse = Warehouse(settings.warehouse)
        wait = settings.lock_wait_seconds if self.wait_seconds is None else self.wait_seconds
        held = self._held.enter_context(
            lock.hold(
                warehouse.lock,
                run_id=self._run_id,
                command=self._command,
                as_of=dates.last.isoformat(),
                wait_seconds=wait,
                on_wait=lambda holder: self._log(
                    f"waiting up to {wait:.0f} s for {holder or 'another writer'}"
                ),
            )
        )
        remove_leftovers(warehouse.published, warehouse.kept)
        warehouse.forget_spilled()
        manifest = dbt.project().manifest
        basis = state.basis(
            warehouse,
            as_of=dates.last,
            business_time_zone=settings.time_zone,
            settings_fingerprint=settings.fingerprint(),
            is_full_refresh=self.full_refresh,
            restate_from=dates.restate_from,
        )
        fingerprints = restatement.fingerprints(manifest)
        anew = Restatement()
        if basis.last_number:
            before = audit.model_fingerprints(warehouse.marts_file)
            anew = restatement.restatement(
                manifest, fingerprints, {name: json.loads(parts) for name, parts in before.items()}
            )
        self._log(f"builds {basis.reason}" if basis.last_number else f"builds everything: {basis.reason}")
        if anew.models:
            self._log(f"{len(anew.models)} models are built anew: {'; '.join(anew.reasons)}")
        night = Night(
            run_id=self._run_id,
            as_of=dates.last,
            started_at=utc_now(),
            is_full_refresh=self.full_refresh,
            business_time_zone=settings.time_zone,
            reporting_currency=settings.reporting_currency,
            code_version=_code_version(),
            seeds_hash=dbt.seeds_hash(),
            basis=basis,
        )
        emitter = None
        if settings.openlineage is not None:
            emitter = openlineage.Emitter(settings.openlineage, self._warn)
            emitter.emit(openlineage.start_event(night))
        return _Session(
            settings,
            night,
            held,
            emitter,
            restatement=anew,
            fingerprints=fingerprints,
            register=_register(settings),
        )

    def _end(self, session: _Session) -> None:
        message = "; ".join(session.failures.values()) or None
        if session.is_published and message is None:
            self._tell_end(session, "published")
            session.held.finish("published")
            return
        outcome = "partial" if message is None else "failed"
        if session.is_begun:
            audit.end(self.warehouse.marts_file, session.night.run_id, outcome, message)
        self._tell_end(session, outcome, message)
        session.held.finish(outcome, message)

    def _tell_end(self, session: _Session, outcome: str, message: str | None = None) -> None:
        """Send the night's last event; nothing that goes wrong here is the night's fault."""
        if session.emitter is None:
            return
        file, run_id = self.warehouse.marts_file, session.night.run_id
        is_published = outcome == "published"
        try:
            session.emitter.emit(
                openlineage.end_event(
                    session.night,
                    self.warehouse,
                    outcome,
                    failure=message,
                    inputs=summary.datasets_read(file, run_id) if session.is_begun else (),
                    outputs=summary.datasets_published(file, run_id) if is_published else (),
                    lineage=lineage.project_lineage().rows() if is_published else (),
                )
            )
        except Exception as error:
            self._warn(f"the OpenLineage event of the end could not be made: {error}")
        session.emitter.close()


def _as_failure(error: Exception) -> dg.Failure | None:
    """Return the final failure that an error stands for, or `None` if another try may help."""
    if isinstance(error, dg.Failure):
        return error
    if isinstance(error, RawZoneError):
        return dg.Failure(description=str(error), metadata={CAUSE: RAW_ZONE}, allow_retries=False)
    if isinstance(
        error,
        dbt.DbtError
        | PublicationError
        | erasures.ErasureError
        | SettingsError
        | lock.WarehouseBusyError
        | state.WarehouseVersionError,
    ):
        return dg.Failure(description=str(error), allow_retries=False)
    return None


def _register(settings: Settings) -> Register:
    """Return the register of erasures; a key is not made for it."""
    file = Warehouse(settings.warehouse).erasures
    return erasures.read(file, settings.known_hash_key() or "") if file.is_file() else Register()


def _code_version() -> str:
    """Return tag and commit of a checkout, or the version of an installed package."""
    command = ["git", "-C", str(PROJECT_ROOT), "describe", "--always", "--dirty", "--tags"]
    try:
        described = subprocess.run(command, capture_output=True, text=True, check=True, timeout=10)  # noqa: S603
    except (OSError, subprocess.SubprocessError):
        return version("engagement-warehouse")
    return described.stdout.strip()
