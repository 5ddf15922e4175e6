"""What nights cost after a long history, against building everything.

What does NOT belong here: how rows arrive (`benchmarks.arrivals`), how results are shown.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from benchmarks.arrivals import BATCHES, FIRST, HISTORY, SECOND
from benchmarks.contenders import empty_warehouse, night, parse_once
from benchmarks.inputs import Input, Sample
from benchmarks.runs import Run

FULL, NOTHING_NEW = "full", "nothing-new"
TITLES: Mapping[str, str] = {
    FULL: "Full build, history and both nights",
    HISTORY: "Full build of the history",
    FIRST: "Night: the average day and 1 % late",
    SECOND: "Night: the day after and 1 % late",
    NOTHING_NEW: "Night: nothing new",
}
Report = Callable[[str, Run], None]


@dataclass(frozen=True)
class Nights:
    """A history, the nights after it, and the full build that they are compared with.

    Attributes:
        source: What was built.
        runs: Run per key of `TITLES`, in its order; without `FULL` when nights are compared with nothing.
    """

    source: Sample
    runs: Mapping[str, Run]

    def engine_share(self, key: str) -> float:
        """Engine time of a run as a share of the full build's."""
        return self.runs[key].building_seconds / self.runs[FULL].building_seconds

    def wall_share(self, key: str) -> float:
        """Wall time of a run as a share of the full build's."""
        return self.runs[key].seconds / self.runs[FULL].seconds

    def rows_arrived(self, key: str) -> int:
        """Raw rows that a run found new."""
        rows = self.source.cut.rows
        return sum(rows.values()) if key == FULL else rows.get(key, 0)

    def against(self, full: Run) -> Nights:
        """The same nights, compared with a full build."""
        return Nights(self.source, {FULL: full, **self.runs})


def measure_nights(source: Sample, folder: Path, report: Report) -> Nights:
    """Build the history, then let one night after the other arrive.

    Args:
        source: What arrives.
        folder: Where the warehouse is built; what stands there is removed.
        report: Called with the title of every run that ended.
    """
    shutil.rmtree(folder, ignore_errors=True)
    warehouse = empty_warehouse(folder)
    arrived: Input = source
    runs: dict[str, Run] = {}
    for key in (*BATCHES, NOTHING_NEW):
        if key in BATCHES:
            arrived = source.land(key, folder / "raw")
        if key == HISTORY:
            parse_once(arrived, warehouse)
        runs[key] = night(arrived, warehouse)
        report(TITLES[key], runs[key])
    return Nights(source, runs)
