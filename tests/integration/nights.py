"""Runs whole nights the way a person does, and opens what they publish the way a BI tool does."""

import shutil
import subprocess
import sys
from pathlib import Path

import duckdb

PROJECT = Path(__file__).resolve().parents[2]
SAMPLE_END = "2025-12-31"
"""Last day of the samples that the tests make."""


def copy_project(target: Path) -> Path:
    """Copy what a night runs on, so that a test may plant a bug in it; return the copy."""
    unneeded = shutil.ignore_patterns(".*", "target", "logs", "tests", "__pycache__", "*.egg-info")
    shutil.copytree(PROJECT, target, ignore=unneeded)
    shutil.copytree(PROJECT / "tests" / "dbt", target / "tests" / "dbt")
    # good until a model of the copy is changed, and seconds of work
    lineage = PROJECT / "target" / "orchestration" / "lineage.json"
    if lineage.is_file():
        kept = target / "target" / "orchestration"
        kept.mkdir(parents=True)
        shutil.copy(lineage, kept)
    return target


def try_night(
    raw: Path, warehouse: Path, as_of: str, project: Path = PROJECT
) -> subprocess.CompletedProcess[str]:
    """Run `engagement nightly` with the code of a project, wherever the package is installed from."""
    command = 'import sys; sys.path.insert(0, "."); from orchestration.cli import main; main()'
    return subprocess.run(
        [sys.executable, "-c", command, "nightly", "--raw", raw, "--warehouse", warehouse, "--as-of", as_of],
        cwd=project,
        capture_output=True,
        text=True,
        check=False,
    )


def night_command(raw: Path, warehouse: Path, as_of: str, time_zone: str) -> list[str | Path]:
    """Return the command line of a night."""
    engagement = Path(sys.executable).with_name("engagement")
    named = ("--raw", raw, "--warehouse", warehouse, "--as-of", as_of, "--timezone", time_zone)
    return [engagement, "nightly", *named]


def run_night(raw: Path, warehouse: Path, as_of: str, time_zone: str) -> None:
    """Run `engagement nightly` and insist that it publishes."""
    command = night_command(raw, warehouse, as_of, time_zone)
    night = subprocess.run(command, capture_output=True, text=True, check=False)
    assert night.returncode == 0, f"{night.stdout[-5000:]}\n{night.stderr[-5000:]}"


def open_published(warehouse: Path) -> duckdb.DuckDBPyConnection:
    """Connect read-only to the published file."""
    connection = duckdb.connect(str(warehouse / "engagement.duckdb"), read_only=True)
    connection.execute("set TimeZone = 'UTC'")
    return connection


def storage_of(file: Path) -> str:
    """Return the storage format of a database file as DuckDB tells it, e.g. `v1.0.0+`."""
    with duckdb.connect(str(file), read_only=True) as connection:
        ((version,),) = connection.execute(
            "select tags['storage_version'] from duckdb_databases() where not internal"
        ).fetchall()
    return str(version)
