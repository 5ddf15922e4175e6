"""How cost grows: of a night with the length of its history, of a full build with the number of rows.

What does NOT belong here: how results are shown.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from benchmarks.contenders import whole_night
from benchmarks.inputs import DAYS, Sample
from benchmarks.nights import Report
from benchmarks.runs import Run

# Days of history: each is twice as long as the one before it.
HISTORIES = (DAYS // 4 + 1, DAYS // 2 + 1, DAYS)


@dataclass(frozen=True)
class Build:
    """A full build of some size."""

    source: Sample
    run: Run


def growths(values: Sequence[float]) -> list[float]:
    """Return by which share each value is larger than the one before it; the first has not grown."""
    return [0.0, *(later / earlier - 1 for earlier, later in pairwise(values))]


def of_full_builds(sources: Iterable[Sample], folder: Path, report: Report) -> list[Build]:
    """Measure full builds; a warehouse is removed before the next one is built.

    Args:
        sources: Samples of growing size; each is landed when its turn comes.
        folder: Where the warehouses are built.
        report: Called with the title of every run that ended.
    """
    found = []
    for source in sources:
        shutil.rmtree(folder, ignore_errors=True)
        run = whole_night(source, folder)
        report(f"{run.rows['fct_interactions']:,} interactions", run)
        found.append(Build(source, run))
    return found
