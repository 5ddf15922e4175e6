"""One writer at a time: an operating-system lock on `night.lock` in the warehouse.

The kernel drops the lock with the process that holds it, so a killed night leaves none behind. What is
written in the file is for people: who holds the lock, and how the last night ended.
What does NOT belong here: locking of database files (DuckDB does its own).
"""

from __future__ import annotations

import fcntl
import json
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

_POLL_SECONDS = 0.1
# Whoever asks for the holder takes the lock for an instant; a writer must not take that for a night.
_GRACE_SECONDS = 0.3


@dataclass(frozen=True)
class Holder:
    """A night that holds, or held, the warehouse.

    Attributes:
        pid: Process of the night.
        run_id: Its run.
        command: What started it.
        as_of: Business day that it builds, `YYYY-MM-DD`.
        since: When it took the lock (UTC, ISO 8601).
        until: When it gave the lock back; `None` while it runs, and for ever after a kill.
        outcome: `published`, `failed`, `partial` (without a publication) or `rolled back`; `None` while it
            runs.
        message: Why it failed, or what readers see, one sentence.
    """

    pid: int
    run_id: str
    command: str
    as_of: str
    since: str
    until: str | None = None
    outcome: str | None = None
    message: str | None = None

    def __str__(self) -> str:
        """Say who it is, for people."""
        run = f"run {self.run_id}, as of {self.as_of}, since {self.since}"
        return f"process {self.pid} ({run}, started by `{self.command}`)"


class WarehouseBusyError(RuntimeError):
    """Another night holds the warehouse."""

    def __init__(self, path: Path, holder: Holder | None, waited_seconds: float) -> None:
        """Say who holds it.

        Args:
            path: The lock file.
            holder: What the lock file says, if it could be read.
            waited_seconds: How long this process has waited.
        """
        self.holder = holder
        who = holder or "another process"
        waited = f" still, after {waited_seconds:.0f} s of waiting" if waited_seconds >= 1 else ""
        super().__init__(f"The warehouse {path.parent} is held by {who}{waited}; nothing was changed.")


class NightLock:
    """A lock that this process holds."""

    def __init__(self, descriptor: int, path: Path, holder: Holder) -> None:
        """Take over an open, locked file.

        Args:
            descriptor: File descriptor with an exclusive lock.
            path: The lock file.
            holder: Who holds it from now on.
        """
        self._descriptor = descriptor
        self._path = path
        self.holder = holder
        self._write()

    def describe(self, *, run_id: str, as_of: str) -> None:
        """Say which run holds the lock, once that is known."""
        self.holder = replace(self.holder, run_id=run_id, as_of=as_of)
        self._write()

    def finish(self, outcome: str, message: str | None = None) -> None:
        """Say how the night ended; the lock is given back by `hold`."""
        self.holder = replace(self.holder, outcome=outcome, message=message)
        self._write()

    def _write(self) -> None:
        text = json.dumps(asdict(self.holder)).encode() + b"\n"
        os.pwrite(self._descriptor, text, 0)
        os.ftruncate(self._descriptor, len(text))

    def _release(self) -> None:
        self.holder = replace(self.holder, until=_now(), outcome=self.holder.outcome or "failed")
        self._write()
        os.close(self._descriptor)


# Locks of this process: a night takes its lock before the heavy imports and again when the run starts.
_held: dict[Path, NightLock] = {}


@contextmanager
def hold(
    path: Path,
    *,
    run_id: str,
    command: str,
    as_of: str,
    wait_seconds: float = 0.0,
    on_wait: Callable[[Holder | None], None] | None = None,
) -> Iterator[NightLock]:
    """Hold the warehouse's single writer's lock; holding it again in the same process is free.

    Args:
        path: The lock file; its folder is made when absent.
        run_id: The run that writes.
        command: What started it, for the message to others.
        as_of: Business day, `YYYY-MM-DD`.
        wait_seconds: How long to wait for another holder.
        on_wait: Called once, with the holder, when waiting begins.

    Raises:
        WarehouseBusyError: Somebody else holds the lock and the time is up.
    """
    key = path.resolve()
    nested = _held.get(key)
    if nested is not None:
        nested.describe(run_id=run_id, as_of=as_of)
        yield nested
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o640)
    try:
        _acquire(descriptor, path, wait_seconds, on_wait)
    except BaseException:
        os.close(descriptor)
        raise
    holder = Holder(pid=os.getpid(), run_id=run_id, command=command, as_of=as_of, since=_now())
    lock = NightLock(descriptor, path, holder)
    _held[key] = lock
    try:
        yield lock
    finally:
        del _held[key]
        lock._release()


def running(path: Path) -> Holder | None:
    """Return the night that holds the warehouse now, or `None`."""
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except FileNotFoundError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return _read(path)
    finally:
        os.close(descriptor)
    return None


def last(path: Path) -> Holder | None:
    """Return the latest night that took the lock, running or not; `None` if there was none."""
    return _read(path)


def _acquire(
    descriptor: int, path: Path, wait_seconds: float, on_wait: Callable[[Holder | None], None] | None
) -> None:
    begun = time.monotonic()
    told = False
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            waited = time.monotonic() - begun
            if waited >= max(wait_seconds, _GRACE_SECONDS):
                raise WarehouseBusyError(path, _read(path), waited) from None
            if waited >= _GRACE_SECONDS and not told and on_wait is not None:
                told = True
                on_wait(_read(path))
            time.sleep(_POLL_SECONDS)


def _read(path: Path) -> Holder | None:
    try:
        record: Any = json.loads(path.read_text(encoding="utf-8"))
        return Holder(**record)
    except (OSError, ValueError, TypeError):
        return None


def _now() -> str:
    return datetime.now(tz=UTC).isoformat(timespec="seconds")
