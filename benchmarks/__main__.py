"""Measures the house: `python -m benchmarks`, or `make bench`. See docs/benchmarks.md."""

from __future__ import annotations

import argparse
import json
import re
import shutil
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from rich.console import Console

from benchmarks import inputs, machine, report
from benchmarks.comparison import differences
from benchmarks.contenders import JOURNEY_CONTENDERS, SAMPLE_CONTENDERS, Contender, Run
from benchmarks.processes import BenchmarkError
from orchestration.settings import PROJECT_ROOT

_ALL = (*SAMPLE_CONTENDERS, *JOURNEY_CONTENDERS)
_MULTIPLES = {"": 1, "k": 1_000, "M": 1_000_000}
# Columns of text when nobody looks: in logs.
_WIDTH = 140


def main() -> int:
    """Read the arguments, measure, show; return the exit status.

    Status 1 means that something that is measured does not work or does not build the same rows; how long it
    takes is never an error.
    """
    arguments = _arguments()
    console = Console(highlight=False, width=None if sys.stdout.isatty() else _WIDTH)
    data: Path = arguments.data.resolve()
    work = data / "work"
    shutil.rmtree(work, ignore_errors=True)
    facts = machine.facts()
    console.print(", ".join(f"{name} {value}" for name, value in facts.items()))
    comparisons: list[tuple[Sequence[Contender], Callable[[], inputs.Input]]] = [
        (SAMPLE_CONTENDERS, lambda: inputs.sample(data, arguments.interactions)),
        (JOURNEY_CONTENDERS, lambda: inputs.complete_journey(data)),
    ]
    measured = []
    status = 0
    try:
        for contenders, land in comparisons:
            chosen = [contender for contender in contenders if contender.key in arguments.only]
            if not chosen:
                continue
            source = land()
            results = _run(console, source, chosen, work, arguments.repeat)
            measured.append(report.as_json(source, results))
            console.print(report.table(source, results), report.costliest(results), sep="\n")
            if unequal := report.unequal_rows(results):
                console.print(f"Not the same rows: {unequal}")
                status = 1
    except BenchmarkError as error:
        console.print(str(error), markup=False)
        return 1
    if arguments.verify and not _is_equal(console, work):
        status = 1
    target: Path = arguments.json or data / "last.json"
    target.parent.mkdir(parents=True, exist_ok=True)
    content = {"machine": facts, "measured": measured}
    target.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
    console.print(f"Written to {target}; what was built stands in {work}")
    return status


def _run(
    console: Console, source: inputs.Input, contenders: Sequence[Contender], work: Path, repeat: int
) -> list[report.Result]:
    """Run all contenders in turn, as often as asked for, so that a slow spell of the machine meets all."""
    runs: dict[str, list[Run]] = {contender.key: [] for contender in contenders}
    for _ in range(repeat):
        for contender in contenders:
            run = contender.run(source, work / contender.key)
            console.print(f"  {contender.title:<34}{run.seconds:8.1f} s")
            runs[contender.key].append(run)
    return [report.Result(contender, runs[contender.key]) for contender in contenders]


def _is_equal(console: Console, work: Path) -> bool:
    """Compare what the hand-written SQL and the night have built, row for row."""
    found = differences(
        work / "night" / "warehouse" / "engagement.duckdb", work / "handwritten" / "engagement.duckdb"
    )
    for difference in found:
        console.print(str(difference), markup=False)
    console.print("Every mart is equal row for row." if not found else f"{len(found)} differences")
    return not found


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument(
        "--interactions",
        type=_number,
        default=_number("5M"),
        help="size of the sample, e.g. 200k or 5M (default: 5M)",
    )
    parser.add_argument("--repeat", type=int, default=1, help="runs of each; the median counts (default: 1)")
    parser.add_argument(
        "--only",
        type=_names,
        default=[contender.key for contender in _ALL],
        metavar="NAME,...",
        help=f"of {', '.join(contender.key for contender in _ALL)}",
    )
    parser.add_argument("--verify", action="store_true", help="compare the marts row for row, too")
    parser.add_argument("--json", type=Path, metavar="FILE", help="where to write (default: DATA/last.json)")
    parser.add_argument(
        "--data",
        type=Path,
        default=PROJECT_ROOT / ".data" / "bench",
        help="where samples are kept and marts are built (default: %(default)s)",
    )
    arguments = parser.parse_args()
    if arguments.repeat < 1:
        parser.error("--repeat must be 1 or more")
    if arguments.verify and not {"handwritten", "night"} <= set(arguments.only):
        parser.error("--verify compares handwritten with night; run both")
    return arguments


def _number(text: str) -> int:
    found = re.fullmatch(r"([0-9][0-9_]*(?:\.[0-9]+)?)([kM]?)", text)
    if not found or float(found[1]) <= 0:
        raise argparse.ArgumentTypeError(f"{text!r} is no size; write e.g. 200k or 5M")
    return round(float(found[1]) * _MULTIPLES[found[2]])


def _names(text: str) -> list[str]:
    names = [name.strip() for name in text.split(",")]
    known = [contender.key for contender in _ALL]
    if unknown := sorted(set(names) - set(known)):
        raise argparse.ArgumentTypeError(f"{unknown[0]!r} is none of {', '.join(known)}")
    return names


if __name__ == "__main__":
    sys.exit(main())
