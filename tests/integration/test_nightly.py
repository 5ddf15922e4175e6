"""A whole night from the command line: what it publishes, says and leaves behind, and when it refuses."""

import shutil
import subprocess
import sys
from pathlib import Path

import duckdb
import pyarrow.parquet as pq
import pytest
from nights import open_published, run_night, storage_of

from warehouse import lock, state
from warehouse.night import Warehouse
from warehouse.raw_files import FILES_AT_ONCE

pytestmark = pytest.mark.slow

ENGAGEMENT = Path(sys.executable).with_name("engagement")
AS_OF = "2025-12-31"
FACTS = ("longevity", "proactiveness", "frequency", "context", "volume")


def engagement(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([ENGAGEMENT, *map(str, arguments)], capture_output=True, text=True, check=False)


def nightly(raw: Path, warehouse: Path, *more: str) -> subprocess.CompletedProcess[str]:
    return engagement("nightly", "--raw", raw, "--warehouse", warehouse, "--as-of", AS_OF, *more)


def contents(connection: duckdb.DuckDBPyConnection) -> dict[str, tuple[int, int]]:
    """Rows of every mart and a number that changes with any value; floating point to twelve digits."""
    columns: dict[str, list[str]] = {}
    for table, column, kind in connection.execute(
        "select table_name, column_name, data_type from duckdb_columns() where schema_name = 'marts'"
        " order by table_name, column_index"
    ).fetchall():
        shown = f"format('{{:.11e}}', {column})" if kind == "DOUBLE" else column
        columns.setdefault(table, []).append(shown)
    return {
        table: connection.execute(
            f"select count(*), coalesce(sum(hash({', '.join(shown)})::hugeint), 0) from marts.{table}"
        ).fetchone()
        for table, shown in columns.items()
    }


def files(folder: Path) -> dict[str, tuple[int, int]]:
    """Every file but the lock, with size and time of change."""
    return {
        str(path.relative_to(folder)): (path.stat().st_size, path.stat().st_mtime_ns)
        for path in folder.rglob("*")
        if path.is_file() and path.name != "night.lock"
    }


def test_a_night_publishes_marts_and_audit_and_nothing_else(sample_warehouse: Path):
    with open_published(sample_warehouse) as connection:
        schemas = connection.execute(
            "select distinct schema_name from duckdb_tables() union select schema_name from duckdb_views()"
            " where not internal"
        ).fetchall()
        assert sorted(name for (name,) in schemas) == ["audit", "marts"]
        for fact in FACTS:
            table = f"marts.fct_engagement_{fact}"
            assert connection.execute(f"select count(*) > 0 from {table} where is_current").fetchone() == (
                True,
            )
    assert sorted(path.name for path in sample_warehouse.iterdir()) == [
        "build",
        "engagement.duckdb",
        "hash.key",
        "night.lock",
        "publications",
    ]
    # only our own DuckDB reads what is built on the way
    assert storage_of(sample_warehouse / "engagement.duckdb") == "v1.0.0+"
    assert storage_of(sample_warehouse / "build" / "staging.duckdb") == "v1.3.0+"


def test_a_night_leaves_its_audit_with_readers(sample_warehouse: Path):
    with open_published(sample_warehouse) as connection:
        run_id, as_of, outcome, failure = connection.execute(
            "select run_id, cast(as_of as varchar), outcome, failure from audit.runs"
        ).fetchone()
        assert (as_of, outcome, failure) == (AS_OF, "succeeded", None)
        incomplete = " or ".join(
            f"{column} is null"
            for column in (
                "started_at",
                "ended_at",
                "published_at",
                "code_version",
                "seeds_hash",
                "dbt_version",
                "duckdb_version",
                "dagster_version",
                "great_expectations_version",
                "settings_fingerprint",
                "basis",
            )
        )
        assert connection.execute(f"select count(*) from audit.runs where {incomplete}").fetchone() == (0,)
        for table in ("model_runs", "check_results", "source_loads", "row_accounts"):
            statement = f"select count(*) > 0, bool_and(run_id = '{run_id}') from audit.{table}"
            assert connection.execute(statement).fetchone() == (True, True)
        tools = connection.execute("select distinct tool from audit.check_results order by tool").fetchall()
        assert tools == [("dbt",), ("great_expectations",)]
        assert connection.execute(
            "select count(*) from audit.check_results where not is_success and severity = 'error'"
        ).fetchone() == (0,)


def test_the_hash_key_stays_at_home(sample_warehouse: Path):
    key = (sample_warehouse / "hash.key").read_text().strip()
    assert key.encode() not in (sample_warehouse / "engagement.duckdb").read_bytes()


def test_status_says_what_is_published(sample_warehouse: Path):
    status = engagement("status", "--warehouse", sample_warehouse)
    assert status.returncode == 0
    with open_published(sample_warehouse) as connection:
        (run_id,) = connection.execute("select run_id from audit.runs").fetchone()
    for part in (
        str(sample_warehouse / "engagement.duckdb"),
        AS_OF,
        run_id,
        "0 min ago",
        "great expectations",
    ):
        assert part in status.stdout or part == "0 min ago"


def test_a_second_night_says_the_same_and_shows_it(sample_raw: Path, sample_warehouse: Path, tmp_path: Path):
    warehouse = tmp_path / "warehouse"
    shutil.copytree(sample_warehouse, warehouse)
    again = nightly(sample_raw, warehouse)
    assert again.returncode == 0, again.stderr
    with open_published(sample_warehouse) as first, open_published(warehouse) as second:
        assert contents(second) == contents(first)
        assert second.execute("select count(*) from audit.runs where outcome = 'succeeded'").fetchone() == (
            2,
        )
    for part in ("Rows per layer", "Checks", "Time per step", f"Published {warehouse / 'engagement.duckdb'}"):
        assert part in again.stdout
    for fact in FACTS:
        assert f"fct_engagement_{fact}" in again.stdout
    assert "access_mode=read_only" in again.stdout
    # Progress came before the summary, step by step.
    progress = again.stdout.split("Rows per layer")[0]
    steps = ["raw", "gate_raw", "staging", "gate_staging", "intermediate", "marts", "gate_marts", "published"]
    places = [progress.index(f" s  {step} ") for step in steps]
    assert places == sorted(places)


def test_a_raw_table_that_lacks_a_column_is_status_2_and_nothing_is_written(
    sample_raw: Path, sample_warehouse: Path, tmp_path: Path
):
    raw, warehouse = tmp_path / "raw", tmp_path / "warehouse"
    shutil.copytree(sample_raw, raw)
    shutil.copytree(sample_warehouse, warehouse)
    before = files(warehouse)
    (raw / "orders" / "later.csv").write_text("order_id,sales_channel,ordered_at,loaded_at\n")
    refused = nightly(raw, warehouse)
    assert refused.returncode == 2
    for part in ("orders", "total_amount", "later.csv", "Nothing was written"):
        assert part in refused.stderr
    assert "Traceback" not in refused.stderr
    assert files(warehouse) == before
    last = lock.last(warehouse / "night.lock")
    assert last is not None and last.outcome == "failed" and "total_amount" in (last.message or "")
    status = engagement("status", "--warehouse", warehouse)
    assert status.returncode == 0 and "total_amount" in status.stdout


def test_a_first_night_on_a_broken_raw_zone_leaves_no_warehouse(tmp_path: Path):
    (tmp_path / "raw" / "orders").mkdir(parents=True)
    (tmp_path / "raw" / "orders" / "broken.parquet").write_bytes(b"no parquet")
    refused = nightly(tmp_path / "raw", tmp_path / "warehouse")
    assert refused.returncode == 2
    assert "broken.parquet" in refused.stderr
    assert [path.name for path in (tmp_path / "warehouse").iterdir()] == ["night.lock"]


def test_a_full_refresh_over_very_many_small_files_says_the_same(
    sample_raw: Path, sample_warehouse: Path, tmp_path: Path
):
    raw, warehouse = tmp_path / "raw", tmp_path / "warehouse"
    shutil.copytree(sample_warehouse, warehouse)
    shutil.copytree(sample_raw, raw)
    cut_into_files(raw / "web_events", FILES_AT_ONCE + 1)
    refreshed = nightly(raw, warehouse, "--full-refresh")
    assert refreshed.returncode == 0, refreshed.stderr
    assert not Warehouse(warehouse).gathered.exists()
    with open_published(sample_warehouse) as first, open_published(warehouse) as second:
        assert contents(second) == contents(first)
        assert second.execute("select is_full_refresh from audit.runs order by started_at").fetchall() == [
            (False,),
            (True,),
        ]


def cut_into_files(folder: Path, count: int) -> None:
    """Put a table's only file into many: a row in each, and nothing in those that are left."""
    (file,) = folder.glob("*.parquet")
    whole = pq.read_table(file)
    assert 0 < whole.num_rows < count
    file.unlink()
    for number in range(count):
        pq.write_table(whole.slice(number, 1), folder / f"{number}.parquet")


def test_an_earlier_day_is_published_over_a_later_one(
    sample_raw: Path, sample_warehouse: Path, tmp_path: Path
):
    warehouse = tmp_path / "warehouse"
    shutil.copytree(sample_warehouse, warehouse)
    run_night(sample_raw, warehouse, "2025-12-15", "UTC")
    status = engagement("status", "--warehouse", warehouse)
    assert "2025-12-15" in status.stdout


def test_a_warehouse_of_another_version_is_refused_in_one_sentence_and_a_full_refresh_mends_it(
    sample_raw: Path, sample_warehouse: Path, tmp_path: Path
):
    warehouse = tmp_path / "warehouse"
    shutil.copytree(sample_warehouse, warehouse)
    with duckdb.connect(str(warehouse / "build" / "engagement.duckdb")) as connection:
        connection.execute("update audit.runs set schema_version = 0")
    before = (warehouse / "engagement.duckdb").read_bytes()
    refused = nightly(sample_raw, warehouse)
    assert refused.returncode == 1
    assert refused.stderr.splitlines()[0] == (
        f"engagement: The build files in {warehouse / 'build'} have version 0, this code writes version "
        f"{state.SCHEMA_VERSION}: run the night once with --full-refresh."
    )
    assert "Traceback" not in refused.stderr
    assert (warehouse / "engagement.duckdb").read_bytes() == before
    mended = nightly(sample_raw, warehouse, "--full-refresh")
    assert mended.returncode == 0, mended.stderr
    with open_published(sample_warehouse) as first, open_published(warehouse) as second:
        assert contents(second) == contents(first)
        # the same data: no closed snapshot says anything else
        assert second.execute("select count(*) from audit.snapshot_changes").fetchone() == (0,)
