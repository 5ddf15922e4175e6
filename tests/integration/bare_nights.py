"""Nights without Dagster, Great Expectations and publication: the same zone, state and models, in seconds.

What a night does to the build files is done by the functions that a real night calls. What does NOT belong
here: what the marts should hold.
"""

from __future__ import annotations

import os
import signal
import sys
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from pathlib import Path
from unittest.mock import patch

from light_dbt import light_manifest, lightened
from nights import PROJECT

from orchestration import dbt
from orchestration.settings import Settings
from warehouse import audit, erasures, raw_zone, state
from warehouse.contract import RawContract, read_contract
from warehouse.ledger import read_ledger
from warehouse.night import Night, Warehouse, utc_now
from warehouse.summary import sentences

HASH_KEY = "the key of the tests, known to everybody"
_EVERYTHING = tuple(
    selector for layer in ("staging", "intermediate", "marts", "audit") for selector in dbt.selection(layer)
)


@lru_cache(maxsize=1)
def _contract() -> RawContract:
    return read_contract(PROJECT)


@dataclass
class Child:
    """A child process.

    Attributes:
        pid: Its number.
        exit_code: How it ended, as `subprocess` says it; None as long as it runs.
    """

    pid: int
    exit_code: int | None = None


@contextmanager
def in_child(work: Callable[[], object]) -> Iterator[Child]:
    """Do something in a child process, which has all that is imported and parsed; wait for it at the end."""
    child = Child(os.fork())
    if child.pid == 0:
        # neither pytest nor hypothesis shall live on in here
        try:
            work()
        except BaseException:
            traceback.print_exc()
            sys.stderr.flush()
            os._exit(1)
        os._exit(0)
    try:
        yield child
    finally:
        _, status = os.waitpid(child.pid, 0)
        child.exit_code = os.waitstatus_to_exitcode(status)


class BareWarehouse:
    """A warehouse and the raw zone that it is built from.

    Args:
        folder: Folder for both.
        time_zone: Business time zone.
        raw: The raw zone, if it stands elsewhere.
    """

    def __init__(self, folder: Path, time_zone: str = "UTC", raw: Path | None = None) -> None:
        self.raw = raw or folder / "raw"
        self.raw.mkdir(parents=True, exist_ok=True)
        # One model at a time: the tests are run by as many processes as there are cores.
        self.settings = Settings(
            raw=self.raw,
            warehouse=folder / "warehouse",
            time_zone=time_zone,
            hash_key=HASH_KEY,
            threads=1,
        )
        self.place = Warehouse(self.settings.warehouse)

    def night(
        self,
        as_of: date,
        *,
        is_full_refresh: bool = False,
        is_tested: bool = False,
        planted: Mapping[str, tuple[str, str]] | None = None,
        on_built: Callable[[str], None] = lambda _name: None,
        select: Sequence[str] = _EVERYTHING,
    ) -> Night:
        """Run a night up to its last gate, and record that it succeeded.

        Args:
            as_of: Snapshot date.
            is_full_refresh: Build everything.
            is_tested: Run dbt's tests of data, too.
            planted: Bugs of this night: model to what stands in its SQL and what shall stand there instead.
            on_built: Called with the name of every model once it is built; may raise to kill the night.
            select: What dbt builds, if not everything.

        Raises:
            AssertionError: A model or a test failed.
        """
        # These settings, with their key, belong to this night: not to the nights of the tests that follow.
        with patch.dict(os.environ):
            self.settings.apply()
            return self._run(as_of, is_full_refresh, is_tested, planted or {}, on_built, select)

    def _run(
        self,
        as_of: date,
        is_full_refresh: bool,
        is_tested: bool,
        planted: Mapping[str, tuple[str, str]],
        on_built: Callable[[str], None],
        select: Sequence[str],
    ) -> Night:
        self.place.prepare()
        basis = state.basis(
            self.place,
            as_of=as_of,
            business_time_zone=self.settings.time_zone,
            settings_fingerprint=self.settings.fingerprint(),
            is_full_refresh=is_full_refresh,
        )
        fingerprints = {
            node["name"]: "{}"
            for node in dbt.project().manifest["nodes"].values()
            if node["resource_type"] == "model"
        }
        night = Night(
            run_id=f"night-{basis.number}",
            as_of=as_of,
            started_at=utc_now(),
            is_full_refresh=is_full_refresh,
            business_time_zone=self.settings.time_zone,
            reporting_currency=self.settings.reporting_currency,
            code_version="test",
            seeds_hash="test",
            basis=basis,
            settings_fingerprint=self.settings.fingerprint(),
        )
        ledger = read_ledger(self.place.staging_file) if basis.last_number else None
        zone = raw_zone.inspect(self.raw, _contract(), {}, ledger, basis.number, basis.last_number)
        audit.begin(self.place.marts_file, night)
        register = erasures.read(self.place.erasures, HASH_KEY)
        reread = (*zone.reread_tables, *(register.pending_tables if basis.last_number else ()))
        raw_zone.open_views(
            self.place.staging_file,
            zone,
            HASH_KEY,
            basis.number,
            register.tombstones,
            gathered=self.place.gathered,
            read_whole=dbt.tables_that_may_be_read_whole(
                zone,
                reread_tables=reread,
                has_tombstones=bool(register.tombstones),
                restated_models=(),
            ),
        )
        arguments = dbt.build_arguments(
            select=select,
            variables=dbt.variables(
                run_id=night.run_id,
                as_of=as_of.isoformat(),
                business_time_zone=self.settings.time_zone,
                reporting_currency=self.settings.reporting_currency,
                source_time_zones={},
                basis=basis,
                reread_tables=reread,
                has_tombstones=bool(register.tombstones),
            ),
            target=self.place.dbt_target,
        )
        loaded = light_manifest(has_tests=is_tested)
        for name, (text, bug) in planted.items():
            node = loaded.nodes[f"model.engagement_warehouse.{name}"]
            assert text in node.raw_code
            node.raw_code = node.raw_code.replace(text, bug)
        with lightened():
            results = dbt.build(arguments, loaded, lambda name, _status, _seconds: on_built(name))
        failures = [
            "\n".join([f"{result.name}: {result.message}", *sentences(self.place, result.query)])
            if result.status == "fail"
            else f"{result.name}: {result.message}"
            for result in results
            if result.is_failure
        ]
        assert not failures, "\n".join(failures)
        audit.succeed(self.place.marts_file, night, utc_now(), fingerprints)
        self.place.forget_gathered()
        return night

    def killed_night(
        self, as_of: date, *, is_the_end: Callable[[str], bool], select: Sequence[str] = _EVERYTHING
    ) -> bool:
        """Run a night in a child process that is killed (kill -9), and return whether it was.

        Args:
            as_of: Snapshot date.
            is_the_end: Called with the name of every model once it is built; true kills the night.
            select: What dbt builds, if not everything.
        """

        def kill(name: str) -> None:
            if is_the_end(name):
                os.kill(os.getpid(), signal.SIGKILL)

        with in_child(lambda: self.night(as_of, on_built=kill, select=select)) as child:
            pass
        assert child.exit_code in (-signal.SIGKILL, 0)
        return child.exit_code != 0
