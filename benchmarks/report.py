"""Shows what was measured: a table for people, JSON for machines.

What does NOT belong here: measuring, and opinions on whether a number is good.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from statistics import median
from typing import Any

from rich.table import Table

from benchmarks import libraries, nights
from benchmarks.arrivals import FIRST, HISTORY, SECOND
from benchmarks.contenders import Contender
from benchmarks.growth import Build, growths
from benchmarks.inputs import Input
from benchmarks.libraries import Computed
from benchmarks.nights import NOTHING_NEW, Nights
from benchmarks.runs import Run

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
    shown = _table(
        f"{source.name}: {interactions:,} interactions",
        "built by",
        *("seconds", "ratio", "CPU seconds", "CPU ratio", "peak memory (GB)", "spilled (GB)"),
        *("building (s)", "outside (s)"),
    )
    for result in results:
        run = result.typical
        shown.add_row(
            result.contender.title,
            f"{result.seconds:.1f}",
            f"{result.seconds / results[0].seconds:.2f}",
            f"{run.cpu_seconds:.1f}",
            f"{run.cpu_seconds / results[0].typical.cpu_seconds:.2f}",
            _gigabytes(run.peak_bytes),
            _gigabytes(run.spill_bytes),
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


def nights_table(measured: Nights) -> Table:
    """Return what every night cost, as a share of the full build over the same rows."""
    cut = measured.source.cut
    shown = _table(
        f"Nights. {measured.source.name}; the first one's day holds 1/{1 / cut.night_share:,.0f} of all rows",
        "run",
        *("raw rows", "late", "seconds", "share", "engine (s)", "share", "CPU seconds"),
        *("peak memory (GB)", "outside (s)"),
    )
    for key, run in measured.runs.items():
        shown.add_row(
            nights.TITLES[key],
            f"{measured.rows_arrived(key):,}",
            f"{cut.late_rows.get(key, 0):,}",
            f"{run.seconds:.1f}",
            f"{measured.wall_share(key):.1%}",
            f"{run.building_seconds:.1f}",
            f"{measured.engine_share(key):.1%}",
            f"{run.cpu_seconds:.1f}",
            _gigabytes(run.peak_bytes),
            f"{run.outside_seconds:.1f}",
        )
    return shown


def steps_table(title: str, runs: Mapping[str, Run]) -> Table:
    """Return where the wall time of some nights went, by step; models are built in the engine.

    Args:
        title: Title of the table.
        runs: Nights by their titles.
    """
    shown = Table(title=title, title_justify="left")
    shown.add_column("step")
    for name in runs:
        shown.add_column(f"{name}: seconds", justify="right")
        shown.add_column("outside the engine", justify="right")
    steps = list(dict.fromkeys(step.name for run in runs.values() for step in run.steps))
    for name in steps:
        cells = []
        for run in runs.values():
            step = next((step for step in run.steps if step.name == name), None)
            cells += [f"{step.seconds:.1f}", f"{step.outside_seconds:.1f}"] if step else ["-", "-"]
        shown.add_row(name, *cells)
    sums = [
        f"{sum(seconds):.1f}"
        for run in runs.values()
        for seconds in (
            [step.seconds for step in run.steps],
            [step.outside_seconds for step in run.steps],
        )
    ]
    shown.add_row("together", *sums)
    return shown


def night_growth_table(measured: Sequence[Nights]) -> Table:
    """Return how the engine time of a night grows as its history doubles."""
    shown = _table(
        "Growth of a night as its history doubles: the same people, the same rows a night",
        "days of history",
        *("raw rows", "full build: engine (s)", "growth", "rows of the night", "engine (s)", "growth"),
        *("the day after: engine (s)", "nothing new: engine (s)"),
    )
    runs = [one.runs for one in measured]
    full = growths([run[HISTORY].building_seconds for run in runs])
    night = growths([run[FIRST].building_seconds for run in runs])
    for one, full_growth, night_growth in zip(measured, full, night, strict=True):
        shown.add_row(
            f"{one.source.days:,}",
            f"{one.source.cut.rows[HISTORY]:,}",
            f"{one.runs[HISTORY].building_seconds:.1f}",
            f"{full_growth:+.0%}",
            f"{one.source.cut.rows[FIRST]:,}",
            f"{one.runs[FIRST].building_seconds:.2f}",
            f"{night_growth:+.0%}",
            f"{one.runs[SECOND].building_seconds:.2f}",
            f"{one.runs[NOTHING_NEW].building_seconds:.2f}",
        )
    return shown


def build_growth_table(measured: Sequence[Build]) -> Table:
    """Return how full builds grow with the number of interactions."""
    shown = _table(
        "Growth of a full build",
        "interactions",
        *("seconds", "engine (s)", "engine s per million", "CPU seconds", "peak memory (GB)", "spilled (GB)"),
    )
    for build in measured:
        interactions = build.run.rows["fct_interactions"]
        shown.add_row(
            f"{interactions:,}",
            f"{build.run.seconds:.1f}",
            f"{build.run.building_seconds:.1f}",
            f"{build.run.building_seconds / interactions * 1e6:.2f}",
            f"{build.run.cpu_seconds:.1f}",
            _gigabytes(build.run.peak_bytes),
            _gigabytes(build.run.spill_bytes),
        )
    return shown


def libraries_table(interactions: int, computed: Sequence[Computed]) -> Table:
    """Return what libraries take for the per-customer measures, beside the models."""
    shown = _table(
        f"Per-customer measures of {interactions:,} interactions",
        "computed by",
        *("seconds", "peak memory (GB)", "rows of customer and date", "rows a second", "unequal"),
    )
    for one in computed:
        shown.add_row(
            libraries.TITLES[one.key],
            f"{one.seconds:.1f}",
            "-" if one.peak_bytes is None else _gigabytes(one.peak_bytes),
            f"{one.snapshot_rows:,}",
            f"{one.snapshot_rows / one.seconds:,.0f}",
            ", ".join(f"{column}: {number}" for column, number in one.unequal.items()) or "none",
        )
    return shown


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
                "runs": [_run_as_json(run) for run in result.runs],
            }
            for result in results
        ],
        "unequal_rows": unequal_rows(results),
    }


def nights_as_json(measured: Nights) -> Mapping[str, Any]:
    """Return everything that was measured on nights after one history."""
    return {
        "input": {
            "name": measured.source.name,
            "days": measured.source.days,
            "first_night": measured.source.cut.first_on.isoformat(),
            "rows": measured.source.cut.rows,
            "late_rows": measured.source.cut.late_rows,
            "night_share": measured.source.cut.night_share,
        },
        "runs": {key: _run_as_json(run) for key, run in measured.runs.items()},
        "engine_shares": {
            key: measured.engine_share(key) for key in measured.runs if nights.FULL in measured.runs
        },
        "wall_shares": {
            key: measured.wall_share(key) for key in measured.runs if nights.FULL in measured.runs
        },
    }


def night_growth_as_json(measured: Sequence[Nights]) -> Mapping[str, Any]:
    """Return how nights grew with their history."""
    engine = [one.runs[FIRST].building_seconds for one in measured]
    return {"engine_growths": growths(engine), "steps": [nights_as_json(one) for one in measured]}


def build_growth_as_json(measured: Sequence[Build]) -> Sequence[Mapping[str, Any]]:
    """Return how full builds grew."""
    return [{"input": build.source.name, **_run_as_json(build.run)} for build in measured]


def libraries_as_json(computed: Sequence[Computed]) -> Sequence[Mapping[str, Any]]:
    """Return what libraries took."""
    return [{"title": libraries.TITLES[one.key], **asdict(one)} for one in computed]


def _run_as_json(run: Run) -> Mapping[str, Any]:
    steps = [{**asdict(step), "outside_seconds": step.outside_seconds} for step in run.steps]
    return {**asdict(run), "steps": steps, "outside_seconds": run.outside_seconds}


def _table(title: str, first: str, *others: str) -> Table:
    """A table without rows: texts on the left, numbers on the right."""
    shown = Table(title=title, title_justify="left")
    shown.add_column(first)
    for heading in others:
        shown.add_column(heading, justify="right")
    return shown


def _gigabytes(bytes_: int) -> str:
    return f"{bytes_ / 1e9:.2f}"
