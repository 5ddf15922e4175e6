"""Names what took longest in full builds and in nights, and the costliest operators of the plans.

`python -m benchmarks.profile` runs the compiled SQL of a warehouse's last night again, under DuckDB's
profiler, against the build files, which it opens read-only. Of a night that built on another one this is the
SELECT that makes the rows to replace; what is left of the night's own time went into replacing them.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import duckdb
from rich.console import Console
from rich.table import Table

from orchestration.settings import Settings
from warehouse.night import Warehouse

_HINT_LENGTH = 90


@dataclass(frozen=True)
class Operator:
    """One operator of a plan.

    Attributes:
        kind: DuckDB's name, e.g. HASH_JOIN.
        hint: What it works on, shortened.
        seconds: Time of all threads together.
        rows: Rows that it gave.
    """

    kind: str
    hint: str
    seconds: float
    rows: int


@dataclass(frozen=True)
class Profile:
    """How the SQL of one model ran.

    Attributes:
        model: Name of the model.
        seconds: Wall time.
        cpu_seconds: Time of all threads together.
        operators: All operators, costliest first.
    """

    model: str
    seconds: float
    cpu_seconds: float
    operators: Sequence[Operator]


@dataclass(frozen=True)
class LastNight:
    """What the audit tells of a warehouse's last night.

    Attributes:
        as_of: Its snapshot date.
        basis: What it built on, or why on nothing.
        models: Seconds per model, costliest first.
    """

    as_of: date
    basis: str
    models: Mapping[str, float]


def last_night(warehouse: Warehouse) -> LastNight:
    """Return the last night of a warehouse, whose compiled SQL stands there."""
    with duckdb.connect(str(warehouse.marts_file), read_only=True) as connection:
        run_id, as_of, basis = connection.execute(
            """
            select run_id, as_of, basis from audit.runs order by started_at desc limit 1
            """
        ).fetchall()[0]
        models = connection.execute(
            """
            select model_name, seconds from audit.model_runs
            where run_id = ? and resource_type = 'model'
            order by seconds desc
            """,
            [run_id],
        ).fetchall()
    return LastNight(as_of, basis, dict(models))


def profile(warehouse: Warehouse, model: str) -> Profile:
    """Run the compiled SQL of a model into a file that is thrown away and return its profile.

    Raises:
        FileNotFoundError: The last night did not compile such a model.
    """
    compiled = next((warehouse.dbt_target / "compiled").rglob(f"{model}.sql"), None)
    if compiled is None:
        raise FileNotFoundError(f"{warehouse.dbt_target} holds no compiled model {model}")
    with tempfile.TemporaryDirectory(dir=warehouse.build) as folder:
        output = Path(folder) / "profile.json"
        config: dict[str, str | bool | int | float | list[str]] = {
            "memory_limit": Settings().memory_limit,
            "temp_directory": folder,
            "preserve_insertion_order": False,
        }
        with duckdb.connect(config=config) as connection:
            connection.execute("set TimeZone = 'UTC'")
            for name, file in (("staging", warehouse.staging_file), ("engagement", warehouse.marts_file)):
                path = str(file).replace("'", "''")
                connection.execute(f"attach '{path}' as {name} (read_only)")
            connection.execute(f"attach '{folder}/scratch.duckdb' as scratch")
            connection.execute("use staging")
            connection.execute("set enable_profiling = 'json'")
            connection.execute(f"set profiling_output = '{output}'")
            connection.execute(f"create table scratch.profiled as {compiled.read_text(encoding='utf-8')}")
            connection.execute("set enable_profiling = 'no_output'")
        told = json.loads(output.read_text(encoding="utf-8"))
    operators = sorted(_operators(told), key=lambda operator: -operator.seconds)
    return Profile(model, float(told["latency"]), float(told["cpu_time"]), operators)


def main() -> int:
    """Read the arguments, profile, print; return 1 when a model cannot be run again."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.profile", description=__doc__)
    parser.add_argument(
        "--warehouse", type=Path, nargs="+", required=True, help="warehouses, each as its last night left it"
    )
    parser.add_argument("--models", type=int, default=3, help="how many of each (default: %(default)s)")
    parser.add_argument("--model", action="append", help="these instead of the costliest; may be repeated")
    parser.add_argument("--operators", type=int, default=8, help="shown per model (default: %(default)s)")
    arguments = parser.parse_args()
    console = Console(highlight=False, width=150)
    status = 0
    for folder in arguments.warehouse:
        warehouse = Warehouse(folder.resolve())
        night = last_night(warehouse)
        console.rule(f"{folder}: night of {night.as_of}, {night.basis}", align="left")
        for model in arguments.model or list(night.models)[: arguments.models]:
            took = night.models.get(model, 0.0)
            try:
                found = profile(warehouse, model)
            except (duckdb.Error, FileNotFoundError) as error:
                console.print(f"{model}: {took:.1f} s; cannot be run again: {error}", markup=False)
                status = 1
            else:
                again = f"again {found.seconds:.1f} s, {found.cpu_seconds:.1f} CPU s"
                console.print(f"{model}: {took:.1f} s in the night; {again}")
                console.print(_table(found.operators[: arguments.operators]))
    return status


def _table(operators: Sequence[Operator]) -> Table:
    shown = Table()
    for heading in ("operator", "CPU s", "rows", "on"):
        shown.add_column(heading, justify="left" if heading in ("operator", "on") else "right")
    for operator in operators:
        shown.add_row(operator.kind, f"{operator.seconds:.2f}", f"{operator.rows:,}", operator.hint)
    return shown


def _operators(node: Mapping[str, Any]) -> Iterator[Operator]:
    if "operator_type" in node:
        hints = (f"{name}: {value}" for name, value in node.get("extra_info", {}).items())
        yield Operator(
            kind=node["operator_type"],
            hint=" ".join("; ".join(hints).split())[:_HINT_LENGTH],
            seconds=float(node["operator_timing"]),
            rows=int(node["operator_cardinality"]),
        )
    for child in node.get("children", []):
        yield from _operators(child)


if __name__ == "__main__":
    sys.exit(main())
