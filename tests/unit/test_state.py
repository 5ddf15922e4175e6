"""What a night may build on: which build files it carries on, and what it says of those that it does not."""

import shutil
import subprocess
import sys
from datetime import date, datetime
from pathlib import Path

import duckdb
import pytest

from warehouse import audit, state
from warehouse.night import Basis, Night, Warehouse, utc_now

DAY = date(2024, 1, 31)


def decide(warehouse: Warehouse, as_of: date = date(2024, 2, 1), **asked: bool | date) -> Basis:
    arguments: dict[str, object] = {
        "as_of": as_of,
        "business_time_zone": "America/New_York",
        "settings_fingerprint": "settings",
        "is_full_refresh": False,
        **asked,
    }
    return state.basis(warehouse, **arguments)  # type: ignore[arg-type]


def execute(file: Path, *statements: str) -> None:
    with duckdb.connect(str(file)) as connection:
        for statement in statements:
            connection.execute(statement)


@pytest.fixture
def warehouse(tmp_path: Path) -> Warehouse:
    """Build files as a succeeded night, the third one, has left them."""
    place = Warehouse(tmp_path)
    place.prepare()
    night = Night(
        run_id="third",
        as_of=DAY,
        started_at=utc_now(),
        is_full_refresh=False,
        business_time_zone="America/New_York",
        reporting_currency="USD",
        code_version="v1",
        seeds_hash="abc",
        basis=Basis(3),
        settings_fingerprint="settings",
    )
    audit.begin(place.marts_file, night)
    audit.succeed(place.marts_file, night, utc_now(), {"fct_a": "{}"})
    execute(
        place.staging_file,
        "create schema raw",
        "create table raw.night as select cast(3 as bigint) as night_number",
    )
    return place


def test_a_night_builds_on_the_last_one(warehouse: Warehouse):
    # midnight in New York, in winter
    assert decide(warehouse) == Basis(4, 3, DAY, datetime(2024, 2, 1, 5), "on the night of 2024-01-31")


def test_a_warehouse_of_another_version_asks_for_a_full_refresh_in_one_sentence(warehouse: Warehouse):
    execute(warehouse.marts_file, "update audit.runs set schema_version = 0")
    with pytest.raises(state.WarehouseVersionError) as refused:
        decide(warehouse)
    assert str(refused.value) == (
        f"The build files in {warehouse.build} have version 0, this code writes version "
        f"{state.SCHEMA_VERSION}: run the night once with --full-refresh."
    )
    assert decide(warehouse, is_full_refresh=True) == Basis(4, reason="full refresh, as asked")


def test_a_warehouse_of_before_there_were_versions_asks_for_it_too(warehouse: Warehouse):
    for column in ("night_number", "last_night_number", "schema_version", "settings_fingerprint", "basis"):
        execute(warehouse.marts_file, f"alter table audit.runs drop column {column}")
    with pytest.raises(
        state.WarehouseVersionError, match=r"version unknown, this code writes version \d+: run"
    ):
        decide(warehouse)
    assert decide(warehouse, is_full_refresh=True).last_number == 0


def test_a_night_that_was_killed_or_failed_is_not_built_on(warehouse: Warehouse):
    execute(
        warehouse.marts_file,
        "insert into audit.runs by name"
        " select 'fourth' as run_id, 4 as night_number, 'killed' as outcome, date '2024-02-02' as as_of",
    )
    execute(warehouse.staging_file, "update raw.night set night_number = 4")
    basis = decide(warehouse)
    assert (basis.number, basis.last_number, basis.last_as_of) == (5, 3, DAY)


@pytest.mark.parametrize(
    ("asked", "reason"),
    [
        ({"settings_fingerprint": "others"}, "time zones, currency or key have changed"),
        ({"as_of": date(2024, 1, 30)}, "the last night knew more: its day was 2024-01-31"),
        ({"restate_from": date(2024, 1, 31)}, "everything since 2024-01-31 is built again"),
    ],
)
def test_what_cannot_be_carried_on_is_built_anew_and_says_why(
    warehouse: Warehouse, asked: dict[str, date], reason: str
):
    assert decide(warehouse, **asked) == Basis(4, reason=reason)


def test_a_range_of_days_that_are_unknown_is_an_ordinary_night(warehouse: Warehouse):
    assert decide(warehouse, date(2024, 2, 5), restate_from=date(2024, 2, 1)).last_number == 3


def test_build_files_that_do_not_belong_together_are_built_anew(warehouse: Warehouse):
    execute(warehouse.staging_file, "update raw.night set night_number = 2")
    assert decide(warehouse).reason == "the build files do not belong together"
    warehouse.staging_file.unlink()
    assert decide(warehouse).reason == "the build files do not belong together"


@pytest.mark.parametrize("damaged", ["marts_file", "staging_file"])
def test_damaged_build_files_are_built_anew_and_the_audit_is_kept(warehouse: Warehouse, damaged: str):
    shutil.copyfile(warehouse.marts_file, warehouse.published)
    file: Path = getattr(warehouse, damaged)
    file.write_bytes(b"\0" * file.stat().st_size)
    assert decide(warehouse) == Basis(4, reason="the build files were damaged")
    assert not warehouse.staging_file.exists()
    with duckdb.connect(str(warehouse.marts_file), read_only=True) as connection:
        assert connection.execute("select run_id, outcome from audit.runs").fetchall() == [
            ("third", "succeeded")
        ]
    assert decide(warehouse).reason == "the build files do not belong together"


@pytest.mark.parametrize("is_full_refresh", [False, True])
def test_what_was_removed_is_built_anew_and_the_audit_is_kept(warehouse: Warehouse, is_full_refresh: bool):
    warehouse.marts_file.rename(warehouse.published)
    assert decide(warehouse, is_full_refresh=is_full_refresh) == Basis(4, reason="the build files are gone")
    assert not warehouse.staging_file.exists()
    with duckdb.connect(str(warehouse.marts_file), read_only=True) as connection:
        assert connection.execute("select run_id from audit.runs").fetchall() == [("third",)]


def test_damage_that_has_reached_readers_is_a_first_night(warehouse: Warehouse):
    for file in (warehouse.marts_file, warehouse.published):
        file.write_bytes(b"\0" * 20_000)
    assert decide(warehouse) == Basis(1, reason="the build files were damaged")
    assert not warehouse.marts_file.exists()


def test_a_build_file_that_somebody_looks_into_is_not_damaged(warehouse: Warehouse):
    script = (
        f"import duckdb, sys; c = duckdb.connect({str(warehouse.marts_file)!r});"
        "print('open', flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as somebody:
        assert somebody.stdout is not None
        somebody.stdout.readline()
        with pytest.raises(duckdb.IOException, match="lock"):
            decide(warehouse)
        somebody.communicate()
    assert decide(warehouse).last_number == 3


def test_an_empty_folder_is_a_first_night(tmp_path: Path):
    assert decide(Warehouse(tmp_path)) == Basis(1, reason="no earlier night to build on")


def test_audit_tables_of_an_older_version_gain_what_is_new_and_keep_what_they_hold(warehouse: Warehouse):
    execute(
        warehouse.marts_file,
        "drop table audit.snapshot_changes",
        "alter table audit.model_runs drop column restated",
    )
    audit.record_source_loads(warehouse.marts_file, "third", [audit.SourceLoad("orders", 1, 10, 1, None, "")])
    night = Night("fourth", DAY, utc_now(), False, "UTC", "USD", "v2", "abc", Basis(4, 3))
    audit.begin(warehouse.marts_file, night)
    with duckdb.connect(str(warehouse.marts_file), read_only=True) as connection:
        for table in audit.TABLES:
            assert connection.execute(
                "select column_name, comment from duckdb_columns()"
                " where schema_name = 'audit' and table_name = ? order by column_name",
                [table.name],
            ).fetchall() == sorted((column.name, column.comment) for column in table.columns)
        assert connection.execute("select run_id, table_name from audit.source_loads").fetchall() == [
            ("third", "orders")
        ]
