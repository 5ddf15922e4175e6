"""A history of nights leaves what one full refresh over the same raw zone leaves, bit for bit."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import duckdb
import pytest
from bare_nights import BareWarehouse
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from raw_histories import history, land

pytestmark = pytest.mark.slow

EXAMPLES = int(os.environ.get("EQUIVALENCE_EXAMPLES", "6"))
# Functions of the data; the other audit tables tell of runs.
AUDITED = ("identity_merges", "identity_conflicts", "quarantine")


@contextmanager
def fast_folder() -> Iterator[Path]:
    """A folder in memory where the system has one: a night on few rows is mostly flushes to a disk."""
    memory = Path("/dev/shm")  # noqa: S108 - a folder of our own is made in it
    with tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else None) as folder:
        yield Path(folder)


def differing_rows(one: BareWarehouse, other: BareWarehouse) -> dict[str, list[tuple[object, ...]]]:
    """Rows of every mart that stand in one warehouse only, some of each, with the warehouse in front."""
    found = {}
    with duckdb.connect() as connection:
        connection.execute(f"attach '{one.place.marts_file}' as one (read_only)")
        connection.execute(f"attach '{other.place.marts_file}' as other (read_only)")
        tables = connection.execute(
            "select schema_name, table_name from duckdb_tables() where database_name = 'one'"
            " and (schema_name = 'marts' or table_name in ?) order by all",
            [list(AUDITED)],
        ).fetchall()
        assert len(tables) > 15
        for schema, table in tables:
            names = [
                name
                for (name,) in connection.execute(
                    "select column_name from duckdb_columns() where database_name = 'one'"
                    " and schema_name = ? and table_name = ? and column_name <> 'run_id'",
                    [schema, table],
                ).fetchall()
            ]
            columns = ", ".join(names)
            left, right = (f"select {columns} from {file}.{schema}.{table}" for file in ("one", "other"))
            rows = connection.execute(
                f"select 'one', * from (({left}) except all ({right}))"
                f" union all select 'other', * from (({right}) except all ({left})) limit 6"
            ).fetchall()
            if rows:
                found[f"{schema}.{table}"] = [tuple(names), *rows]
    return found


# As long as its examples take: ten seconds a night, and more of them when asked for.
@pytest.mark.timeout(0)
# The same examples in every run of the suite; more of them, or others, by EQUIVALENCE_EXAMPLES.
@settings(
    max_examples=EXAMPLES,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    database=None,
    derandomize=True,
)
@given(seed=st.integers(0, 2**32))
def test_a_history_of_nights_equals_a_full_refresh(seed: int) -> None:
    arrivals = history(seed)
    with fast_folder() as folder:
        nights = BareWarehouse(folder / "nights")
        ran = []
        for number, arrival in enumerate(arrivals):
            land(arrival, number, nights.raw)
            if any(nights.raw.rglob("*.jsonl")):
                is_last = arrival is arrivals[-1]
                ran.append(nights.night(arrival.as_of, is_tested=is_last))
        if not ran:
            return
        assert all(night.basis.last_number for night in ran[1:])
        refresh = BareWarehouse(folder / "refresh", raw=nights.raw)
        refresh.night(arrivals[-1].as_of)
        assert differing_rows(nights, refresh) == {}


@pytest.mark.parametrize("seed", [11, 12])
def test_a_night_run_twice_changes_nothing(seed: int) -> None:
    arrivals = history(seed)
    with fast_folder() as folder:
        once = BareWarehouse(folder / "once")
        for number, arrival in enumerate(arrivals):
            land(arrival, number, once.raw)
            once.night(arrival.as_of)
        twice = BareWarehouse(folder / "twice", raw=once.raw)
        shutil.copytree(once.place.folder, twice.place.folder, dirs_exist_ok=True)
        assert twice.night(arrivals[-1].as_of).basis.last_number
        assert differing_rows(once, twice) == {}


@pytest.mark.parametrize(("seed", "survived"), [(21, 20), (22, 45), (23, 70), (24, 90)])
def test_a_night_that_was_killed_is_repaired_by_the_next(seed: int, survived: int) -> None:
    arrivals = history(seed)
    with fast_folder() as folder:
        nights = BareWarehouse(folder / "nights")
        for number, arrival in enumerate(arrivals[:-1]):
            land(arrival, number, nights.raw)
            nights.night(arrival.as_of)
        land(arrivals[-1], len(arrivals), nights.raw)
        day = arrivals[-1].as_of + timedelta(days=1)
        built: list[str] = []

        def stop_after(name: str) -> None:
            built.append(name)
            if len(built) > survived:
                raise RuntimeError("killed")

        with pytest.raises(BaseException, match=r"killed|failed"):
            nights.night(day, on_built=stop_after)
        assert len(built) > survived
        assert nights.night(day).basis.last_number
        refresh = BareWarehouse(folder / "refresh", raw=nights.raw)
        refresh.night(day)
        assert differing_rows(nights, refresh) == {}
