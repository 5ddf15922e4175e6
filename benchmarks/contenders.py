"""Who is measured: each builds the same marts, in child processes and a folder of its own.

What does NOT belong here: how results are shown.
"""

from __future__ import annotations

import json
import re
import shutil
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import duckdb

from benchmarks.comparison import row_counts
from benchmarks.inputs import Input
from benchmarks.processes import Measured, measure
from orchestration import dbt
from orchestration.settings import PROJECT_ROOT, SILENT_TELEMETRY, Settings
from warehouse import raw_zone
from warehouse.contract import read_contract
from warehouse.night import Warehouse

# One key for all, so that customer ids are equal.
HASH_KEY = "the key of the benchmark, known to everybody"
_BIN = Path(sys.executable).parent
_STEP = re.compile(r"^ {2}(\S.*?)\s+([0-9][0-9.,]*)\s*$")


@dataclass(frozen=True)
class Part:
    """A model or a statement, and how long it took (wall time, seconds)."""

    name: str
    seconds: float


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
        steps: Seconds per step, for a night.
        rows: Rows of every mart.
    """

    seconds: float
    cpu_seconds: float
    peak_bytes: int
    building_seconds: float
    parts: list[Part]
    rows: Mapping[str, int]
    steps: Mapping[str, float] = field(default_factory=dict)

    @property
    def outside_seconds(self) -> float:
        """Wall time during which nothing was being built."""
        return self.seconds - self.building_seconds


@dataclass(frozen=True)
class Contender:
    """Something that builds the marts.

    Attributes:
        key: What `--only` takes.
        title: For people.
        run: Builds once in a folder of its own and tells how it went.
    """

    key: str
    title: str
    run: Callable[[Input, Path], Run]


def handwritten(source: Input, folder: Path) -> Run:
    """Run the hand-written SQL."""
    shutil.rmtree(folder, ignore_errors=True)
    file = folder / "engagement.duckdb"
    command: list[str | Path] = [sys.executable, "-m", "benchmarks.handwritten", "--hash-key", HASH_KEY]
    command += ["--raw", source.raw, "--file", file, "--as-of", source.as_of.isoformat()]
    command += ["--timezone", source.time_zone, "--memory-limit", Settings().memory_limit]
    measured = measure(command, {}, folder)
    parts = [Part(**statement) for statement in json.loads(measured.output.splitlines()[-1])]
    return _run(measured, sum(part.seconds for part in parts), parts, row_counts(file))


def models_alone(source: Input, folder: Path) -> Run:
    """Run `dbt build` of all models, without a test, into an empty warehouse."""
    warehouse = _empty_warehouse(folder)
    _open_raw_views(source, warehouse)
    return _dbt_build(source, warehouse, ["--full-refresh", "--exclude-resource-type", "test", "unit_test"])


def whole_night(source: Input, folder: Path) -> Run:
    """Run `engagement nightly --full-refresh` into an empty warehouse."""
    warehouse = _empty_warehouse(folder)
    _parse_once(source, warehouse)
    return _night(source, warehouse, ["--full-refresh"])


def models_with_tests(source: Input, folder: Path) -> Run:
    """Run `dbt build`, tests of data included, over a warehouse that is already built."""
    warehouse = _built_warehouse(source, folder)
    return _dbt_build(source, warehouse, ["--exclude-resource-type", "unit_test"])


def second_night(source: Input, folder: Path) -> Run:
    """Run `engagement nightly` over a warehouse that is already built, with nothing new."""
    return _night(source, _built_warehouse(source, folder), [])


SAMPLE_CONTENDERS = (
    Contender("handwritten", "Hand-written DuckDB SQL", handwritten),
    Contender("models", "dbt models alone", models_alone),
    Contender("night", "Whole night, full refresh", whole_night),
)
JOURNEY_CONTENDERS = (
    Contender("journey-models", "Plain dbt build, with tests", models_with_tests),
    Contender("journey-night", "Second night, nothing new", second_night),
)


def covered_seconds(intervals: Iterable[tuple[datetime, float]]) -> float:
    """Return how long at least one of some (start, seconds) lasted: models are built side by side."""
    covered, until = 0.0, float("-inf")
    for start, seconds in sorted((moment.timestamp(), seconds) for moment, seconds in intervals):
        covered += max(0.0, start + seconds - max(start, until))
        until = max(until, start + seconds)
    return covered


def steps_in(output: str) -> dict[str, float]:
    """Return the seconds per step that a night tells in its summary."""
    steps: dict[str, float] = {}
    _, _, table = output.partition("Time per step")
    for line in table.splitlines():
        if found := _STEP.match(line):
            steps[found[1]] = float(found[2].replace(",", ""))
            if found[1] == "together":
                break
    return steps


def _settings(source: Input, warehouse: Warehouse) -> Settings:
    return Settings(raw=source.raw, warehouse=warehouse.folder, time_zone=source.time_zone, hash_key=HASH_KEY)


def _variables(source: Input, warehouse: Warehouse) -> dict[str, str]:
    return {**SILENT_TELEMETRY, **_settings(source, warehouse).variables()}


def _empty_warehouse(folder: Path) -> Warehouse:
    shutil.rmtree(folder, ignore_errors=True)
    warehouse = Warehouse(folder / "warehouse")
    warehouse.prepare()
    return warehouse


def _built_warehouse(source: Input, folder: Path) -> Warehouse:
    """Return a copy of a warehouse that one night has built, whose cost nobody asks for."""
    first = Warehouse(folder.parent / "first-night" / "warehouse")
    if not first.published.exists():
        whole_night(source, folder.parent / "first-night")
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(first.folder, folder / "warehouse")
    return Warehouse(folder / "warehouse")


def _open_raw_views(source: Input, warehouse: Warehouse) -> None:
    zone = raw_zone.inspect(source.raw, read_contract(PROJECT_ROOT))
    raw_zone.open_views(warehouse.staging_file, zone, HASH_KEY)


def _parse_once(source: Input, warehouse: Warehouse) -> None:
    """Have the project parsed before the clock starts, as it is from the second night on."""
    command = [sys.executable, "-c", "from orchestration import dbt; dbt.project()"]
    measure(command, _variables(source, warehouse), warehouse.folder / "parse")


def _dbt_build(source: Input, warehouse: Warehouse, options: list[str]) -> Run:
    settings = _settings(source, warehouse)
    target = warehouse.folder / "plain-dbt"
    variables = dbt.variables(
        run_id="benchmark",
        as_of=source.as_of.isoformat(),
        business_time_zone=settings.time_zone,
        reporting_currency=settings.reporting_currency,
        source_time_zones=settings.source_time_zones,
    )
    project: list[str | Path] = ["--project-dir", PROJECT_ROOT, "--profiles-dir", PROJECT_ROOT]
    project += ["--target-path", target, "--vars", json.dumps(variables, sort_keys=True)]
    environment = {**_variables(source, warehouse), "DBT_LOG_PATH": str(target)}
    measure([_BIN / "dbt", "parse", *project], environment, target)
    measured = measure([_BIN / "dbt", "build", *project, *options], environment, target)
    results = json.loads((target / "run_results.json").read_text(encoding="utf-8"))["results"]
    built = [result for result in results if result["unique_id"].split(".")[0] in ("model", "seed")]
    parts = [Part(result["unique_id"].split(".")[2], result["execution_time"]) for result in built]
    return _run(
        measured,
        covered_seconds(_interval(result) for result in built),
        parts,
        row_counts(warehouse.marts_file),
    )


def _interval(result: Mapping[str, Any]) -> tuple[datetime, float]:
    started = [timing["started_at"] for timing in result["timing"] if timing["started_at"]]
    return datetime.fromisoformat(min(started)), float(result["execution_time"])


def _night(source: Input, warehouse: Warehouse, options: list[str]) -> Run:
    command: list[str | Path] = [
        _BIN / "engagement",
        "nightly",
        "--as-of",
        source.as_of.isoformat(),
        *options,
    ]
    measured = measure(command, {**_variables(source, warehouse), "COLUMNS": "160"}, warehouse.folder)
    with duckdb.connect(str(warehouse.published), read_only=True) as connection:
        built = connection.execute(
            """
            select model_name, started_at, seconds
            from audit.model_runs
            where run_id = (select run_id from audit.runs order by started_at desc limit 1)
            """
        ).fetchall()
    return _run(
        measured,
        covered_seconds((started_at, seconds) for _, started_at, seconds in built),
        [Part(name, seconds) for name, _, seconds in built],
        row_counts(warehouse.published),
        steps_in(measured.output),
    )


def _run(
    measured: Measured,
    building_seconds: float,
    parts: list[Part],
    rows: Mapping[str, int],
    steps: Mapping[str, float] | None = None,
) -> Run:
    return Run(
        seconds=measured.seconds,
        cpu_seconds=measured.cpu_seconds,
        peak_bytes=measured.peak_bytes,
        building_seconds=building_seconds,
        parts=sorted(parts, key=lambda part: -part.seconds),
        rows=rows,
        steps=steps or {},
    )
