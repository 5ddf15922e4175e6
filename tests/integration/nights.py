"""Runs whole nights the way a person does, and opens what they publish the way a BI tool does."""

import subprocess
import sys
from pathlib import Path

import duckdb


def run_night(raw: Path, warehouse: Path, as_of: str, time_zone: str) -> None:
    """Run `engagement nightly` and insist that it publishes."""
    engagement = Path(sys.executable).with_name("engagement")
    arguments = ("nightly", "--raw", raw, "--warehouse", warehouse, "--as-of", as_of, "--timezone", time_zone)
    night = subprocess.run(
        [engagement, *(str(argument) for argument in arguments)], capture_output=True, text=True, check=False
    )
    assert night.returncode == 0, f"{night.stdout[-5000:]}\n{night.stderr[-5000:]}"


def open_published(warehouse: Path) -> duckdb.DuckDBPyConnection:
    """Connect read-only to the published file."""
    connection = duckdb.connect(str(warehouse / "engagement.duckdb"), read_only=True)
    connection.execute("set TimeZone = 'UTC'")
    return connection
