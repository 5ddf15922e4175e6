"""Names a warehouse's costliest models and the operators of their plans: `python -m benchmarks.profile`.

It runs the compiled SQL of the last night again, under DuckDB's profiler, against the warehouse's build
files, which it opens read-only.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
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


def costliest_models(warehouse: Warehouse, number: int) -> list[str]:
    """Return the models that took longest in the last night."""
    with duckdb.connect(str(warehouse.marts_file), read_only=True) as connection:
        rows = connection.execute(
            """
            select model_name
            from audit.model_runs
            where
                run_id = (select run_id from audit.runs order by started_at desc limit 1)
                and resource_type = 'model'
            order by seconds desc
            limit ?
            """,
            [number],
        ).fetchall()
    return [name for (name,) in rows]


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


def main() -> None:
    """Read the arguments, profile, print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.profile", description=__doc__)
    parser.add_argument("--warehouse", type=Path, required=True, help="a warehouse that a night has built")
    parser.add_argument("--models", type=int, default=3, help="how many (default: %(default)s)")
    parser.add_argument("--model", action="append", help="these instead of the costliest; may be repeated")
    parser.add_argument("--operators", type=int, default=8, help="shown per model (default: %(default)s)")
    arguments = parser.parse_args()
    console = Console(highlight=False, width=150)
    warehouse = Warehouse(arguments.warehouse.resolve())
    for model in arguments.model or costliest_models(warehouse, arguments.models):
        found = profile(warehouse, model)
        title = f"{model}: {found.seconds:.1f} s, {found.cpu_seconds:.1f} CPU s"
        shown = Table(title=title, title_justify="left")
        for heading in ("operator", "CPU s", "rows", "on"):
            shown.add_column(heading, justify="left" if heading in ("operator", "on") else "right")
        for operator in found.operators[: arguments.operators]:
            shown.add_row(operator.kind, f"{operator.seconds:.2f}", f"{operator.rows:,}", operator.hint)
        console.print(shown)


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
    main()
