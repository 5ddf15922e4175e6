"""The same rows in another order, in other files and another format give the same marts."""

import shutil
from pathlib import Path

import duckdb
import pytest
from conftest import SAMPLE_END
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from nights import run_night

pytestmark = pytest.mark.slow


def _shuffle(raw: Path, out: Path, seed: int, files: int) -> None:
    """Deal the rows of every Parquet table to new files, in an order that the seed gives; copy the rest."""
    for folder in (path for path in raw.iterdir() if path.is_dir() and not path.name.startswith("_")):
        target = out / folder.name
        target.mkdir(parents=True)
        if not list(folder.glob("*.parquet")):
            shutil.copytree(folder, target, dirs_exist_ok=True)
            continue
        with duckdb.connect() as connection:
            connection.execute("set threads = 1; set TimeZone = 'UTC'")
            connection.execute(
                f"create table dealt as select *, row_number() over () as place"
                f" from read_parquet('{folder}/*.parquet', union_by_name = true)"
            )
            for file in range(files):
                connection.execute(
                    f"copy (select * exclude (place) from dealt where hash(place, {seed}) % {files} = {file}"
                    f" order by hash(place, {seed + 1})) to '{target}/{files - file}.parquet'"
                )


def _differences(one: Path, other: Path) -> dict[str, int]:
    """Count the rows of every mart that stand in one file only; floating point to twelve digits."""
    with duckdb.connect() as connection:
        connection.execute(f"attach '{one / 'engagement.duckdb'}' as one (read_only)")
        connection.execute(f"attach '{other / 'engagement.duckdb'}' as other (read_only)")
        columns: dict[str, list[str]] = {}
        for table, column, kind in connection.execute(
            "select table_name, column_name, data_type from duckdb_columns()"
            " where schema_name = 'marts' and database_name = 'one' order by all"
        ).fetchall():
            shown = f"format('{{:.11e}}', {column})" if kind == "DOUBLE" else column
            columns.setdefault(table, []).append(shown)
        found = {}
        for table, shown in columns.items():
            left, right = (
                f"select {', '.join(shown)} from {file}.marts.{table}" for file in ("one", "other")
            )
            row = connection.execute(
                f"select count(*) from (({left} except all {right}) union all ({right} except all {left}))"
            ).fetchone()
            assert row is not None
            found[table] = row[0]
    return found


@settings(max_examples=2, deadline=None, suppress_health_check=list(HealthCheck))
@given(seed=st.integers(0, 1_000_000), files=st.integers(1, 4))
def test_the_order_of_arrival_does_not_matter(
    sample_raw: Path, sample_warehouse: Path, tmp_path_factory: pytest.TempPathFactory, seed: int, files: int
) -> None:
    folder = tmp_path_factory.mktemp("dealt")
    _shuffle(sample_raw, folder / "raw", seed, files)
    warehouse = folder / "warehouse"
    warehouse.mkdir()
    # the same private key, or every customer_id would differ
    shutil.copy(sample_warehouse / "hash.key", warehouse)
    run_night(folder / "raw", warehouse, SAMPLE_END, "UTC")
    differences = _differences(sample_warehouse, warehouse)
    assert len(differences) > 10
    assert {table: rows for table, rows in differences.items() if rows} == {}
