"""Runs a command as a child process and measures it.

What does NOT belong here: what the command does.
"""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from orchestration.settings import PROJECT_ROOT


class BenchmarkError(RuntimeError):
    """Something that is measured did not work; the message holds the end of its output."""


@dataclass(frozen=True)
class Measured:
    """One child process that ended well.

    Attributes:
        seconds: Wall time from start to end, imports included.
        cpu_seconds: Time of all its processors together, those of its own children included.
        peak_bytes: Largest memory that it held at a time (resident set).
        output: What it wrote to the standard output.
    """

    seconds: float
    cpu_seconds: float
    peak_bytes: int
    output: str


def measure(command: Sequence[str | Path], variables: Mapping[str, str], folder: Path) -> Measured:
    """Run a command to its end.

    The peak is the kernel's own (`ru_maxrss`). It starts from this process, which must therefore stay small:
    whatever needs memory runs in a child.

    Args:
        command: Program and arguments.
        variables: Environment variables that it gets besides this process's own; settings of this process's
            warehouse (ENGAGEMENT_*, DAGSTER_HOME) are not handed on.
        folder: Where its output is kept as `output.log`.

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
    with log.open("w+", encoding="utf-8") as output:
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
    return Measured(seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024, text)
