"""Shows what was measured: a table for people, JSON for machines.

What does NOT belong here: measuring, and opinions on whether a number is good.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from statistics import median
from typing import Any

from rich.table import Table

from benchmarks.contenders import Contender, Run
from benchmarks.inputs import Input

_COSTLIEST = 12


@dataclass(frozen=True)
class Result:
    """All runs of one contender.

    Attributes:
        contender: Who.
        runs: At least one.
    """

    contender: Contender
    runs: Sequence[Run]

    @property
    def typical(self) -> Run:
        """The run of median wall time (the faster of two)."""
        return sorted(self.runs, key=lambda run: run.seconds)[(len(self.runs) - 1) // 2]

    @property
    def seconds(self) -> float:
        """Median wall time."""
        return median(run.seconds for run in self.runs)


def table(source: Input, results: Sequence[Result]) -> Table:
    """Return the comparison of some contenders; ratios are to the first."""
    interactions = results[0].typical.rows["fct_interactions"]
    shown = Table(title=f"{source.name}: {interactions:,} interactions", title_justify="left")
    shown.add_column("built by")
    for heading in (
        "seconds",
        "ratio",
        "CPU seconds",
        "CPU ratio",
        "peak memory (GB)",
        "building (s)",
        "outside (s)",
    ):
        shown.add_column(heading, justify="right")
    for result in results:
        run = result.typical
        shown.add_row(
            result.contender.title,
            f"{result.seconds:.1f}",
            f"{result.seconds / results[0].seconds:.2f}",
            f"{run.cpu_seconds:.1f}",
            f"{run.cpu_seconds / results[0].typical.cpu_seconds:.2f}",
            f"{run.peak_bytes / 1e9:.2f}",
            f"{run.building_seconds:.1f}",
            f"{run.outside_seconds:.1f}",
        )
    return shown


def costliest(results: Sequence[Result]) -> Table:
    """Return the costliest parts of every contender, side by side."""
    shown = Table(title="Costliest parts (s)", title_justify="left")
    for result in results:
        shown.add_column(result.contender.title)
    columns = [result.typical.parts[:_COSTLIEST] for result in results]
    for place in range(max(map(len, columns))):
        shown.add_row(
            *(
                f"{column[place].seconds:6.2f}  {column[place].name}" if place < len(column) else ""
                for column in columns
            )
        )
    return shown


def unequal_rows(results: Sequence[Result]) -> dict[str, list[int]]:
    """Return the marts that do not have the same number of rows everywhere, with the numbers."""
    counts = {name: [result.typical.rows[name] for result in results] for name in results[0].typical.rows}
    return {name: numbers for name, numbers in counts.items() if len(set(numbers)) > 1}


def as_json(source: Input, results: Sequence[Result]) -> Mapping[str, Any]:
    """Return everything that was measured on one input."""
    return {
        "input": {"name": source.name, "as_of": source.as_of.isoformat(), "time_zone": source.time_zone},
        "contenders": [
            {
                "key": result.contender.key,
                "title": result.contender.title,
                "seconds": result.seconds,
                "ratio": result.seconds / results[0].seconds,
                "runs": [{**asdict(run), "outside_seconds": run.outside_seconds} for run in result.runs],
            }
            for result in results
        ],
        "unequal_rows": unequal_rows(results),
    }
