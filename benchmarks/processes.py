"""Runs a command as a child process and measures it.

What does NOT belong here: what the command does.
"""

from __future__ import annotations

import os
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from orchestration.settings import PROJECT_ROOT

_SECONDS_BETWEEN_LOOKS = 0.2
# What the kernel counts blocks in, whatever the file system.
_BLOCK_BYTES = 512


class BenchmarkError(RuntimeError):
    """Something that is measured did not work; the message holds the end of its output."""


@dataclass(frozen=True)
class Measured:
    """One child process that ended well.

    Attributes:
        seconds: Wall time from start to end, imports included.
        cpu_seconds: Time of all its processors together, those of its own children included.
        peak_bytes: Largest memory that it held at a time (resident set).
        spill_bytes: Most that stood in its spill folder at a time, by a look every fifth of a second.
        output: What it wrote to the standard output.
    """

    seconds: float
    cpu_seconds: float
    peak_bytes: int
    spill_bytes: int
    output: str


def measure(
    command: Sequence[str | Path], variables: Mapping[str, str], folder: Path, spill: Path | None = None
) -> Measured:
    """Run a command to its end.

    The peak is the kernel's own (`ru_maxrss`). It starts from this process, which must therefore stay small:
    whatever needs memory runs in a child.

    Args:
        command: Program and arguments.
        variables: Environment variables that it gets besides this process's own; settings of this process's
            warehouse (ENGAGEMENT_*, DAGSTER_HOME) are not handed on.
        folder: Where its output is kept as `output.log`.
        spill: Where it puts what does not fit into memory.

    Raises:
        BenchmarkError: It did not end with status 0.
    """
    folder.mkdir(parents=True, exist_ok=True)
    log = folder / "output.log"
    inherited = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("ENGAGEMENT_") and name != "DAGSTER_HOME"
    }
    with log.open("w+", encoding="utf-8") as output, _Watch(spill) as watch:
        begun = time.perf_counter()
        child = subprocess.Popen(  # noqa: S603 - our own commands
            [str(part) for part in command],
            stdout=output,
            stderr=subprocess.STDOUT,
            env={**inherited, **variables},
            cwd=PROJECT_ROOT,
        )
        _, status, usage = os.wait4(child.pid, 0)
        seconds = time.perf_counter() - begun
        child.returncode = os.waitstatus_to_exitcode(status)
        output.seek(0)
        text = output.read()
    if child.returncode != 0:
        raise BenchmarkError(f"{command[0]} ended with status {child.returncode}:\n{text[-3000:]}")
    return Measured(
        seconds=seconds,
        cpu_seconds=usage.ru_utime + usage.ru_stime,
        peak_bytes=usage.ru_maxrss * 1024,
        spill_bytes=watch.most_bytes,
        output=text,
    )


class _Watch:
    """Looks again and again how much stands in a folder, and remembers the most."""

    def __init__(self, folder: Path | None) -> None:
        """Take the folder, which need not be there; no folder holds nothing."""
        self.most_bytes = 0
        self._folder = folder
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._is_over.set()
        self._thread.join()

    def _look(self) -> None:
        while self._folder is not None and not self._is_over.wait(_SECONDS_BETWEEN_LOOKS):
            self.most_bytes = max(self.most_bytes, held_bytes(self._folder))


def held_bytes(folder: Path) -> int:
    """Return what the files of a folder occupy on the disk; files may come and go meanwhile."""
    held = 0
    with suppress(FileNotFoundError), os.scandir(folder) as entries:
        for entry in entries:
            with suppress(FileNotFoundError):
                held += entry.stat().st_blocks * _BLOCK_BYTES
    return held
