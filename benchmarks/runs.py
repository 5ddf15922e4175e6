"""What is told of one run of anything that builds the marts, and the arithmetic behind it.

What does NOT belong here: running something.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from orchestration import dbt

# The line of a night's table of steps that adds all up.
TOGETHER = "together"
AROUND = "around (command, summary, exit)"
_STEP = re.compile(r"^ {2}(\S.*?)\s+([0-9][0-9.,]*)\s*$")


@dataclass(frozen=True)
class Part:
    """A model or a statement, and how long it took (wall time, seconds)."""

    name: str
    seconds: float


@dataclass(frozen=True)
class Step:
    """One step of a night.

    Attributes:
        name: As the night calls it.
        seconds: Wall time.
        building_seconds: Wall time of it during which at least one model was being built.
    """

    name: str
    seconds: float
    building_seconds: float

    @property
    def outside_seconds(self) -> float:
        """Wall time during which nothing was being built."""
        return self.seconds - self.building_seconds


@dataclass(frozen=True)
class Run:
    """One run of a contender.

    Attributes:
        seconds: Wall time of its process.
        cpu_seconds: Time of all processors together.
        peak_bytes: Largest resident set.
        building_seconds: Wall time during which at least one model or statement was being built; the rest is
            imports, parsing, orchestration, checks and publication.
        parts: What it built, costliest first.
        rows: Rows of every mart.
        spill_bytes: Most that it had spilled to disk at a time.
        steps: Its steps in their order, for a night; they add up to its seconds.
    """

    seconds: float
    cpu_seconds: float
    peak_bytes: int
    building_seconds: float
    parts: list[Part]
    rows: Mapping[str, int]
    spill_bytes: int = 0
    steps: list[Step] = field(default_factory=list)

    @property
    def outside_seconds(self) -> float:
        """Wall time during which nothing was being built."""
        return self.seconds - self.building_seconds


@dataclass(frozen=True)
class BuiltModel:
    """A model as the audit of a night tells of it."""

    layer: str
    name: str
    started_at: datetime
    seconds: float


def covered_seconds(intervals: Iterable[tuple[datetime, float]]) -> float:
    """Return how long at least one of some (start, seconds) lasted: models are built side by side."""
    covered, until = 0.0, float("-inf")
    for start, seconds in sorted((moment.timestamp(), seconds) for moment, seconds in intervals):
        covered += max(0.0, start + seconds - max(start, until))
        until = max(until, start + seconds)
    return covered


def step_seconds(output: str) -> dict[str, float]:
    """Return the seconds per step that a night tells in its summary, `TOGETHER` last."""
    steps: dict[str, float] = {}
    _, _, table = output.partition("Time per step")
    for line in table.splitlines():
        if found := _STEP.match(line):
            steps[found[1]] = float(found[2].replace(",", ""))
            if found[1] == TOGETHER:
                break
    return steps


def steps_of(output: str, seconds: float, models: Iterable[BuiltModel]) -> list[Step]:
    """Return the steps of a night, and as the last one what its process does before and after them.

    Args:
        output: What the night printed.
        seconds: Wall time of its process.
        models: What it built.
    """
    told = step_seconds(output)
    if not told:
        return []
    step_of = {layer: step for step, layers in dbt.STEPS.items() for layer in layers}
    built: dict[str, list[tuple[datetime, float]]] = {}
    for model in models:
        built.setdefault(step_of[model.layer], []).append((model.started_at, model.seconds))
    steps = [
        Step(name, duration, covered_seconds(built.get(name, ())))
        for name, duration in told.items()
        if name != TOGETHER
    ]
    return [*steps, Step(AROUND, seconds - sum(step.seconds for step in steps), 0.0)]
