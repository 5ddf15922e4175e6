"""Measures the house: `python -m benchmarks`, or `make bench`. See docs/benchmarks.md."""

from __future__ import annotations

import argparse
import json
import re
import shutil
import sys
from pathlib import Path

from rich.console import Console

from benchmarks import machine
from benchmarks.contenders import JOURNEY_CONTENDERS, SAMPLE_CONTENDERS
from benchmarks.processes import BenchmarkError
from benchmarks.sections import SECTIONS, Session
from orchestration.settings import PROJECT_ROOT

_CONTENDERS = [contender.key for contender in (*SAMPLE_CONTENDERS, *JOURNEY_CONTENDERS)]
_MULTIPLES = {"": 1, "k": 1_000, "M": 1_000_000}
# Columns of text when nobody looks: in logs.
_WIDTH = 160


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
    session = Session(
        console=console,
        data=data,
        work=work,
        interactions=arguments.interactions,
        sizes=arguments.growth,
        contenders=arguments.only,
        repeat=arguments.repeat,
        is_verified=arguments.verify,
    )
    target: Path = arguments.json or data / "last.json"
    target.parent.mkdir(parents=True, exist_ok=True)
    measured = {}
    status = 0
    try:
        for name in arguments.sections:
            console.rule(name, align="left")
            measured[name] = SECTIONS[name](session)
            # after every section: what was measured for an hour outlives a failure of the next
            content = {"machine": facts, **measured}
            target.write_text(json.dumps(content, indent=2, default=str) + "\n", encoding="utf-8")
    except BenchmarkError as error:
        console.print(str(error), markup=False)
        status = 1
    if measured:
        console.print(f"Written to {target}; what was built stands in {work}")
    return status or int(session.is_unequal)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument(
        "--interactions",
        type=_number,
        default=_number("5M"),
        help="size of the sample, e.g. 200k or 5M (default: 5M)",
    )
    parser.add_argument(
        "--sections",
        type=_sections,
        default=list(SECTIONS),
        metavar="NAME,...",
        help=f"what to measure, of {', '.join(SECTIONS)} (default: all)",
    )
    parser.add_argument(
        "--growth",
        type=_numbers,
        default=[_number("1M"), _number("2M")],
        metavar="SIZE,...",
        help="sizes of the full builds of section growth, e.g. 5M,10M,20M,50M (default: 1M,2M)",
    )
    parser.add_argument(
        "--only",
        type=_names,
        default=_CONTENDERS,
        metavar="NAME,...",
        help=f"contenders of sections full and journey, of {', '.join(_CONTENDERS)} (default: all)",
    )
    parser.add_argument(
        "--repeat",
        type=int,
        default=1,
        help="runs of each contender of full and journey; the median counts (default: 1)",
    )
    parser.add_argument(
        "--verify", action="store_true", help="compare the marts of full, and of nights, row for row, too"
    )
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
    if (
        arguments.verify
        and "full" in arguments.sections
        and not {"handwritten", "night"} <= {*arguments.only}
    ):
        parser.error("--verify compares handwritten with night; run both")
    return arguments


def _number(text: str) -> int:
    found = re.fullmatch(r"([0-9][0-9_]*(?:\.[0-9]+)?)([kM]?)", text)
    if not found or float(found[1]) <= 0:
        raise argparse.ArgumentTypeError(f"{text!r} is no size; write e.g. 200k or 5M")
    return round(float(found[1]) * _MULTIPLES[found[2]])


def _numbers(text: str) -> list[int]:
    return sorted(_number(size.strip()) for size in text.split(","))


def _names(text: str) -> list[str]:
    return _known(text, _CONTENDERS)


def _sections(text: str) -> list[str]:
    """Sections in the order in which they are measured, which is not that of the command line."""
    asked = _known(text, list(SECTIONS))
    return [name for name in SECTIONS if name in asked]


def _known(text: str, known: list[str]) -> list[str]:
    names = [name.strip() for name in text.split(",")]
    if unknown := sorted(set(names) - set(known)):
        raise argparse.ArgumentTypeError(f"{unknown[0]!r} is none of {', '.join(known)}")
    return names


if __name__ == "__main__":
    sys.exit(main())
