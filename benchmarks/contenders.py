"""Who is measured: each builds the same marts, in child processes and a folder of its own.

What does NOT belong here: how results are shown.
"""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import duckdb

from benchmarks.comparison import row_counts
from benchmarks.inputs import Input
from benchmarks.processes import Measured, measure
from benchmarks.runs import BuiltModel, Part, Run, Step, covered_seconds, steps_of
from orchestration import dbt
from orchestration.settings import PROJECT_ROOT, SILENT_TELEMETRY, Settings
from warehouse import raw_zone
from warehouse.contract import read_contract
from warehouse.night import Warehouse

# One key for all, so that customer ids are equal.
HASH_KEY = "the key of the benchmark, known to everybody"
_BIN = Path(sys.executable).parent


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
    measured = measure(command, {}, folder, file.with_suffix(".spill"))
    parts = [Part(**statement) for statement in json.loads(measured.output.splitlines()[-1])]
    return _run(measured, sum(part.seconds for part in parts), parts, row_counts(file))


def models_alone(source: Input, folder: Path) -> Run:
    """Run `dbt build` of all models, without a test, into an empty warehouse."""
    warehouse = empty_warehouse(folder)
    _open_raw_views(source, warehouse)
    return _dbt_build(source, warehouse, ["--full-refresh", "--exclude-resource-type", "test", "unit_test"])


def whole_night(source: Input, folder: Path) -> Run:
    """Run `engagement nightly --full-refresh` into an empty warehouse."""
    warehouse = empty_warehouse(folder)
    parse_once(source, warehouse)
    return night(source, warehouse, ["--full-refresh"])


def models_with_tests(source: Input, folder: Path) -> Run:
    """Run `dbt build`, tests of data included, over a warehouse that is already built."""
    warehouse = _built_warehouse(source, folder)
    return _dbt_build(source, warehouse, ["--exclude-resource-type", "unit_test"])


def second_night(source: Input, folder: Path) -> Run:
    """Run `engagement nightly` over a warehouse that is already built, with nothing new."""
    return night(source, _built_warehouse(source, folder))


WHOLE_NIGHT = Contender("night", "Whole night, full refresh", whole_night)
SAMPLE_CONTENDERS = (
    Contender("handwritten", "Hand-written DuckDB SQL", handwritten),
    Contender("models", "dbt models alone", models_alone),
    WHOLE_NIGHT,
)
JOURNEY_CONTENDERS = (
    Contender("journey-models", "Plain dbt build, with tests", models_with_tests),
    Contender("journey-night", "Second night, nothing new", second_night),
)


def _settings(source: Input, warehouse: Warehouse) -> Settings:
    return Settings(raw=source.raw, warehouse=warehouse.folder, time_zone=source.time_zone, hash_key=HASH_KEY)


def _variables(source: Input, warehouse: Warehouse) -> dict[str, str]:
    return {**SILENT_TELEMETRY, **_settings(source, warehouse).variables()}


def empty_warehouse(folder: Path) -> Warehouse:
    """Return a warehouse in a folder of its own in which nothing was built."""
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


def parse_once(source: Input, warehouse: Warehouse) -> None:
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
    measured = measure([_BIN / "dbt", "build", *project, *options], environment, target, warehouse.spill)
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


def night(source: Input, warehouse: Warehouse, options: Sequence[str] = ()) -> Run:
    """Run `engagement nightly` over a warehouse as it stands.

    Args:
        source: Raw zone and snapshot date.
        warehouse: Empty, or as an earlier night left it.
        options: More of the command line.
    """
    command: list[str | Path] = [
        _BIN / "engagement",
        "nightly",
        "--as-of",
        source.as_of.isoformat(),
        *options,
    ]
    variables = {**_variables(source, warehouse), "COLUMNS": "160"}
    measured = measure(command, variables, warehouse.folder, warehouse.spill)
    with duckdb.connect(str(warehouse.published), read_only=True) as connection:
        found = connection.execute(
            """
            select layer, model_name, started_at, seconds
            from audit.model_runs
            where run_id = (select run_id from audit.runs order by started_at desc limit 1)
            """
        ).fetchall()
    built = [BuiltModel(*model) for model in found]
    return _run(
        measured,
        covered_seconds((model.started_at, model.seconds) for model in built),
        [Part(model.name, model.seconds) for model in built],
        row_counts(warehouse.published),
        steps_of(measured.output, measured.seconds, built),
    )


def _run(
    measured: Measured,
    building_seconds: float,
    parts: list[Part],
    rows: Mapping[str, int],
    steps: Sequence[Step] = (),
) -> Run:
    return Run(
        seconds=measured.seconds,
        cpu_seconds=measured.cpu_seconds,
        peak_bytes=measured.peak_bytes,
        building_seconds=building_seconds,
        parts=sorted(parts, key=lambda part: -part.seconds),
        rows=rows,
        spill_bytes=measured.spill_bytes,
        steps=list(steps),
    )
