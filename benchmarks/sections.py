"""The parts of a benchmark: each measures one thing, shows it, and returns it for the JSON.

What does NOT belong here: measuring, and drawing tables.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rich.console import Console

from benchmarks import growth, inputs, libraries, nights, report
from benchmarks.arrivals import FIRST, SECOND
from benchmarks.comparison import differences
from benchmarks.contenders import JOURNEY_CONTENDERS, SAMPLE_CONTENDERS, WHOLE_NIGHT, Contender
from benchmarks.nights import FULL, NOTHING_NEW, Nights
from benchmarks.runs import Run
from warehouse.night import Warehouse


@dataclass
class Session:
    """What was asked for, and what sections may use of each other.

    Attributes:
        console: Where tables are shown.
        data: Where samples are kept.
        work: Where marts are built.
        interactions: Size of the sample.
        sizes: Sizes of the full builds whose growth is measured.
        contenders: Which are asked for.
        repeat: Runs of each contender.
        is_verified: Whether marts are compared row for row.
        is_unequal: Whether anything was found that is not equal.
    """

    console: Console
    data: Path
    work: Path
    interactions: int
    sizes: Sequence[int]
    contenders: Sequence[str]
    repeat: int
    is_verified: bool
    is_unequal: bool = False
    _builds: dict[Path, Run] = field(default_factory=dict)
    _nights: dict[Path, Nights] = field(default_factory=dict)

    def sample(self, days: int = inputs.DAYS) -> inputs.Sample:
        """Return the sample, or one of as many people over fewer days."""
        return inputs.sample(self.data, inputs.customers_of(self.interactions), days)

    @property
    def full_warehouse(self) -> Warehouse:
        """The warehouse of `full_build`."""
        return Warehouse(self.work / WHOLE_NIGHT.key / "warehouse")

    def keep_build(self, source: inputs.Input, run: Run) -> None:
        """Remember a full build, which stands in `full_warehouse`."""
        self._builds[source.raw] = run

    def full_build(self, source: inputs.Input) -> Run:
        """Return the full build of an input, built now if no section has built it."""
        if source.raw not in self._builds:
            run = WHOLE_NIGHT.run(source, self.work / WHOLE_NIGHT.key)
            self.note(WHOLE_NIGHT.title, run)
            self.keep_build(source, run)
        return self._builds[source.raw]

    def nights(self, source: inputs.Sample, folder: Path) -> Nights:
        """Return the nights after a history, measured now if no section has measured them."""
        if source.raw not in self._nights:
            self._nights[source.raw] = nights.measure_nights(source, folder, self.note)
        return self._nights[source.raw]

    def note(self, title: str, run: Run) -> None:
        """Show that a run has ended."""
        self.console.print(f"  {title:<56}{run.seconds:8.1f} s, engine {run.building_seconds:.1f} s")

    def complain(self, message: str) -> None:
        """Show that something is not equal, which the exit status tells, too."""
        self.is_unequal = True
        self.console.print(message, markup=False)

    def compare(self, left: Path, right: Path) -> None:
        """Compare the marts of two files row for row."""
        found = differences(left, right)
        for difference in found:
            self.complain(str(difference))
        if not found:
            self.console.print(f"Every mart of {left} is equal row for row to that of {right}.", markup=False)


def full(session: Session) -> Mapping[str, Any] | None:
    """A full build against the hand-written SQL."""
    found = _contest(session, session.sample(), SAMPLE_CONTENDERS)
    if session.is_verified:
        files = ("night/warehouse/engagement.duckdb", "handwritten/engagement.duckdb")
        session.compare(*(session.work / file for file in files))
    return found


def journey(session: Session) -> Mapping[str, Any] | None:
    """A night over a real, small data set with nothing new, against a plain dbt build."""
    return _contest(session, inputs.complete_journey(session.data), JOURNEY_CONTENDERS)


def nightly(session: Session) -> Mapping[str, Any]:
    """Nights against a full build over the same rows, and where their time goes."""
    source = session.sample()
    full_run = session.full_build(source)
    folder = session.work / "nights"
    measured = session.nights(source, folder).against(full_run)
    session.console.print(report.nights_table(measured))
    shown = {"full build": FULL, "night": FIRST, "nothing new": NOTHING_NEW}
    runs = {name: measured.runs[key] for name, key in shown.items()}
    session.console.print(report.steps_table("Where the time goes", runs))
    rows = [full_run.rows, measured.runs[SECOND].rows]
    if unequal := {
        name: [counts[name] for counts in rows] for name in rows[0] if rows[0][name] != rows[1][name]
    }:
        session.complain(f"Not the same rows after a full build as after nights: {unequal}")
    if session.is_verified:
        session.compare(session.full_warehouse.published, Warehouse(folder / "warehouse").published)
    return report.nights_as_json(measured)


def history(session: Session) -> Mapping[str, Any]:
    """Growth of a night as its history doubles twice."""
    measured = []
    for days in growth.HISTORIES:
        session.console.print(f"  {days:,} days")
        measured.append(session.nights(session.sample(days), session.work / "history"))
    session.console.print(report.night_growth_table(measured))
    return report.night_growth_as_json(measured)


def sizes(session: Session) -> Sequence[Mapping[str, Any]]:
    """Growth of a full build with the number of interactions."""
    sources = (inputs.sample(session.data, inputs.customers_of(size)) for size in session.sizes)
    measured = growth.of_full_builds(sources, session.work / "growth", session.note)
    session.console.print(report.build_growth_table(measured))
    return report.build_growth_as_json(measured)


def per_customer(session: Session) -> Sequence[Mapping[str, Any]]:
    """The per-customer measures by pandas and lifetimes, beside the models."""
    source = session.sample()
    run = session.full_build(source)
    computed = libraries.compute(session.full_warehouse, source.as_of, session.work / "libraries")
    session.console.print(report.libraries_table(run.rows["fct_interactions"], computed))
    for one in computed:
        if one.unequal:
            session.complain(f"{one.key} and the marts do not say the same: {one.unequal}")
    return report.libraries_as_json(computed)


SECTIONS: Mapping[str, Callable[[Session], Any]] = {
    "full": full,
    "journey": journey,
    "nights": nightly,
    "history": history,
    "growth": sizes,
    "libraries": per_customer,
}


def _contest(
    session: Session, source: inputs.Input, contenders: Sequence[Contender]
) -> Mapping[str, Any] | None:
    """Run contenders in turn, as often as asked for, so that a slow spell of the machine meets all."""
    chosen = [contender for contender in contenders if contender.key in session.contenders]
    if not chosen:
        return None
    runs: dict[str, list[Run]] = {contender.key: [] for contender in chosen}
    for _ in range(session.repeat):
        for contender in chosen:
            run = contender.run(source, session.work / contender.key)
            session.note(contender.title, run)
            runs[contender.key].append(run)
    results = [report.Result(contender, runs[contender.key]) for contender in chosen]
    for result in results:
        if result.contender is WHOLE_NIGHT:
            session.keep_build(source, result.typical)
    session.console.print(report.table(source, results), report.costliest(results), sep="\n")
    if unequal := report.unequal_rows(results):
        session.complain(f"Not the same rows: {unequal}")
    return report.as_json(source, results)
