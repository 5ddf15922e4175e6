"""The same rows in another order, in other files and another format give the same marts."""

import shutil
from pathlib import Path

import duckdb
import pytest
from differences import assert_same
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from nights import SAMPLE_END, run_night

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
    assert_same(sample_warehouse / "engagement.duckdb", warehouse / "engagement.duckdb")
