"""The marts as an expert would write them for DuckDB alone: SQL from the raw files into one file.

No dbt, no layers, no tests, no audit; rows that break a rule are left out, not recorded. It is the speed
limit that the project is compared with, and an independent reading of docs/measures.md and docs/identity.md
that the project's marts must equal row for row.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import duckdb

_SQL = Path(__file__).parent
_SEEDS = _SQL.parents[1] / "seeds"
_END_OF_STATEMENT = ";\n"


@dataclass(frozen=True)
class StatementRun:
    """How long one statement took.

    Attributes:
        name: What it makes, e.g. `touches`; its first line otherwise.
        seconds: Wall time.
    """

    name: str
    seconds: float


@dataclass(frozen=True)
class Night:
    """What the marts are computed from.

    Attributes:
        raw: Raw zone of the sample.
        as_of: Snapshot date.
        time_zone: Business time zone (IANA name).
        currency: Reporting currency.
        hash_key: Private key of identifier hashes.
    """

    raw: Path
    as_of: date
    time_zone: str
    currency: str
    hash_key: str


def build(
    night: Night, file: Path, *, memory_limit: str = "8GB", spill: Path | None = None
) -> list[StatementRun]:
    """Build schema `marts` in a new DuckDB file.

    Args:
        night: What to compute.
        file: The file; an earlier one is replaced.
        memory_limit: What DuckDB may hold in memory before it spills.
        spill: Folder for what does not fit; beside the file when absent.

    Returns:
        The statements in their order.
    """
    file.unlink(missing_ok=True)
    file.parent.mkdir(parents=True, exist_ok=True)
    config: dict[str, str | bool | int | float | list[str]] = {
        "memory_limit": memory_limit,
        "temp_directory": str(spill or file.with_suffix(".spill")),
        "preserve_insertion_order": False,
    }
    runs = []
    with duckdb.connect(config=config) as connection:
        connection.execute("set TimeZone = 'UTC'")
        connection.execute(f"attach '{_escaped(file)}' as engagement")
        for name, value in (
            ("raw", night.raw),
            ("seeds", _SEEDS),
            ("zone", night.time_zone),
            ("currency", night.currency),
            ("hash_key", night.hash_key),
        ):
            connection.execute(f"set variable {name} = '{_escaped(value)}'")
        connection.execute(f"set variable as_of = date '{night.as_of.isoformat()}'")
        for statement in _statements():
            begun = time.perf_counter()
            connection.execute(statement)
            runs.append(StatementRun(_name(statement), time.perf_counter() - begun))
        begun = time.perf_counter()
        connection.execute("detach engagement")
        runs.append(StatementRun("detach", time.perf_counter() - begun))
    return runs


def _statements() -> Iterator[str]:
    for file in sorted(_SQL.glob("*.sql")):
        for statement in file.read_text(encoding="utf-8").split(_END_OF_STATEMENT):
            if statement.strip():
                yield statement


def _name(statement: str) -> str:
    lines = (line.strip() for line in statement.splitlines())
    first = next((line for line in lines if line and not line.startswith("--")), "")
    return first.removeprefix("create ").removesuffix(" as").removeprefix("table ")


def _escaped(value: object) -> str:
    return str(value).replace("'", "''")
