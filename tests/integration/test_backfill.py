"""A range of snapshot dates as one run: launched with `dg`, with `engagement`, and night by night."""

import shutil
import subprocess
import sys
from datetime import date, timedelta
from pathlib import Path

import dagster as dg
import pytest
from bare_nights import HASH_KEY, BareWarehouse
from differences import differences
from nights import PROJECT, open_published

from loaders.sample import generate
from orchestration.defs.publish import PUBLISHED
from orchestration.settings import Settings

pytestmark = pytest.mark.slow

LAST = date(2025, 12, 2)
RUNS = "select cast(as_of as varchar), outcome, basis from audit.runs order by night_number"


def command(name: str, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [Path(sys.executable).with_name(name), *map(str, arguments)],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture
def raw(tmp_path: Path) -> Path:
    """A raw zone of every channel until `LAST`."""
    generate(40, 40, 7, tmp_path / "raw", end_on=LAST)
    return tmp_path / "raw"


def test_a_range_is_one_run_of_dagster_and_leaves_what_its_nights_would(
    raw: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path / "home"
    for name, value in (
        Settings(raw=raw, warehouse=tmp_path / "range", dagster_home=home, hash_key=HASH_KEY)
        .variables()
        .items()
    ):
        monkeypatch.setenv(name, value)
    assert command("engagement", "home").stdout.strip() == str(home)

    day = command("dg", "launch", "--job", "nightly", "--partition", "2025-11-28")
    assert day.returncode == 0, day.stderr[-5000:]
    days = command("dg", "launch", "--job", "nightly", "--partition-range", f"2025-11-29...{LAST}")
    assert days.returncode == 0, days.stderr[-5000:]

    with open_published(tmp_path / "range") as connection:
        assert connection.execute(RUNS).fetchall() == [
            ("2025-11-28", "succeeded", "no earlier night to build on"),
            (str(LAST), "succeeded", "on the night of 2025-11-28"),
        ]
    with dg.DagsterInstance.from_config(str(home)) as instance:
        assert len(instance.get_runs()) == 2
        assert sorted(instance.get_materialized_partitions(PUBLISHED)) == [
            "2025-11-28", "2025-11-29", "2025-11-30", "2025-12-01", "2025-12-02",
        ]  # fmt: skip

    # a range that is known already is built again, from all files
    again = command("engagement", "backfill", "--from", "2025-11-29", "--to", LAST)
    assert again.returncode == 0, again.stderr[-5000:]
    with open_published(tmp_path / "range") as connection:
        assert connection.execute(RUNS).fetchall()[2:] == [
            (str(LAST), "succeeded", "everything since 2025-11-29 is built again")
        ]

    nights = BareWarehouse(tmp_path / "nights", raw=raw)
    for number in range(5):
        nights.night(LAST - timedelta(days=4 - number))
    assert differences(tmp_path / "range" / "engagement.duckdb", nights.place.marts_file) == []


def test_only_a_whole_night_is_published(
    sample_raw: Path, sample_warehouse: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    warehouse = tmp_path / "warehouse"
    shutil.copytree(sample_warehouse, warehouse)
    before = (warehouse / "engagement.duckdb").read_bytes()
    settings = Settings(raw=sample_raw, warehouse=warehouse, dagster_home=tmp_path / "home")
    for name, value in settings.variables().items():
        monkeypatch.setenv(name, value)
    command("engagement", "home")
    alone = command("dg", "launch", "--assets", "published/engagement", "--partition", "2026-01-01")
    assert alone.returncode == 1
    assert (
        "Only a whole night is published, and this run is without raw, staging" in alone.stdout + alone.stderr
    )
    assert (warehouse / "engagement.duckdb").read_bytes() == before
