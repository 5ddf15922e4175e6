"""Every row is accounted for in every layer and night; a join that silently drops rows stops the night.

Bugs are planted in the SQL that a night runs, each where rows pass from one layer to the next. What does NOT
belong here: whether the accounts of one layer are right row by row (`test_sample_truth`).
"""

import shutil
import tempfile
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import duckdb
import pytest
from bare_nights import BareWarehouse

pytestmark = pytest.mark.slow

FIRST, SECOND = date(2024, 1, 10), date(2024, 1, 20)
FILES = {
    "orders": (
        "order_id,customer_ref,sales_channel,ordered_at,total_amount,currency,is_test,loaded_at",
        ["o1,ada,in_store,2024-01-05,20,,,2024-01-07", "o2,bob,online,2024-01-08,10,,,2024-01-09"],
        [
            "o3,ada,online,2024-01-12,5,,,2024-01-13",  # sound
            "o4,,online,2024-01-12,5,,,2024-01-13",  # names nobody
            "o5,bob,online,2024-01-12,5,,true,2024-01-13",  # a test
            "o6,bob,online,2024-01-12,-5,,,2024-01-13",  # broken
            "o1,ada,in_store,2024-01-05,20,,,2024-01-06",  # an older version, late
        ],
    ),
    "web_events": (
        "event_id,user_id,event_name,occurred_at,is_deleted,loaded_at",
        ["w1,ada,page_view,2024-01-05,,2024-01-07", "w2,bob,page_view,2024-01-08,,2024-01-09"],
        [
            "w3,bob,page_view,2024-01-12,,2024-01-13",
            "w4,eve,page_view,2024-01-12,,2024-01-13",
            "w1,ada,page_view,2024-01-05,true,2024-01-13",
        ],
    ),
    "message_events": (
        "event_id,customer_ref,message_channel,event_name,occurred_at,loaded_at",
        ["m1,ada,email,sent,2024-01-04,2024-01-07"],
        ["m2,bob,email,sent,2024-01-11,2024-01-13", "m3,bob,email,opened,2024-01-12,2024-01-13"],
    ),
}


def land(raw: Path, file: str, number: int) -> None:
    """Write the rows that arrive for the first night (0) or the second (1)."""
    for table, (header, *arrivals) in FILES.items():
        folder = raw / table
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{file}.csv").write_text("\n".join([header, *arrivals[number]]) + "\n")


@pytest.fixture(scope="module")
def first_night() -> Iterator[BareWarehouse]:
    memory = Path("/dev/shm")  # noqa: S108 - a folder of our own is made in it
    with tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else None) as folder:
        nights = BareWarehouse(Path(folder) / "first")
        land(nights.raw, "first", 0)
        nights.night(FIRST)
        land(nights.raw, "second", 1)
        yield nights


@pytest.fixture
def nights(first_night: BareWarehouse, request: pytest.FixtureRequest) -> Iterator[BareWarehouse]:
    """The second evening: a copy of the warehouse, with files that have arrived."""
    folder = first_night.place.folder.parent.parent / "copy"
    copy = BareWarehouse(folder, raw=first_night.raw)
    shutil.copytree(first_night.place.folder, copy.place.folder, dirs_exist_ok=True)
    yield copy
    shutil.rmtree(folder)


def accounts(nights: BareWarehouse, where: str) -> list[tuple[object, ...]]:
    """Outcomes with their reasons and rows, of some accounts."""
    with duckdb.connect(str(nights.place.marts_file), read_only=True) as connection:
        return connection.execute(
            f"select outcome, reason, row_count from audit.row_accounts where {where} order by all"
        ).fetchall()


def test_accounts_of_every_night_are_kept_with_their_reasons(nights: BareWarehouse) -> None:
    (first,) = {run for (run,) in _runs(nights)}
    orders = f"run_id = '{first}' and source_table = 'orders' and layer = 'staging'"
    assert accounts(nights, orders) == [("in", None, 2), ("out", None, 2)]
    second = nights.night(SECOND, is_tested=True)
    assert second.basis.last_number == 1
    orders = f"run_id = '{second.run_id}' and source_table = 'orders'"
    assert accounts(nights, f"{orders} and layer = 'staging'") == [
        ("in", None, 5),
        ("out", None, 3),
        ("quarantined", "negative_total_amount", 1),
        ("superseded", "later_version", 1),
    ]
    assert accounts(nights, f"{orders} and layer = 'intermediate'") == [
        ("excluded", "no_identifier", 1),
        ("excluded", "test_order", 1),
        ("in", None, 3),
        ("out", None, 1),
    ]
    events = f"run_id = '{second.run_id}' and source_table = 'web_events'"
    assert accounts(nights, f"{events} and layer = 'staging'") == [
        ("deleted", "deleted_at_source", 1),
        ("in", None, 3),
        ("out", None, 2),
    ]
    assert accounts(nights, f"{events} and layer = 'intermediate'") == [("in", None, 2), ("out", None, 2)]
    # A night that builds everything counts everything, and keeps what earlier nights have recorded.
    # One that an older version has recorded lacks a column that is new.
    with duckdb.connect(str(nights.place.marts_file)) as connection:
        connection.execute("alter table audit.row_accounts drop column reason")
    third = nights.night(SECOND, is_full_refresh=True)
    assert {reason for _, reason, _ in accounts(nights, f"run_id = '{second.run_id}'")} == {None}
    assert {run for (run,) in _runs(nights)} == {first, second.run_id, third.run_id}
    orders = f"run_id = '{third.run_id}' and source_table = 'orders' and layer = 'staging'"
    assert ("in", None, 7) in accounts(nights, orders)


def _runs(nights: BareWarehouse) -> list[tuple[str]]:
    with duckdb.connect(str(nights.place.marts_file), read_only=True) as connection:
        return connection.execute("select distinct run_id from audit.row_accounts").fetchall()


def test_the_published_quarantine_says_what_has_been_mended(nights: BareWarehouse) -> None:
    """And holds no content of rows: that stays where readers cannot open it."""
    header, *_ = FILES["orders"]
    broken = ["o6", "o7", "o8"]
    rows = [f"{key},bob,online,2024-01-12,-5,,,2024-01-13" for key in broken[1:]]
    rows += ["o6,bob,online,2024-01-12,5,,,2024-01-14", "o7,bob,online,2024-01-12,5,,,2024-01-12"]
    raw = shutil.copytree(nights.raw, nights.place.folder.parent / "raw", dirs_exist_ok=True)
    (raw / "orders" / "third.csv").write_text("\n".join([header, *rows]) + "\n")
    customers = raw / "customers" / "third.csv"
    customers.parent.mkdir()
    customers.write_text("customer_ref,created_at,email,loaded_at\nzoe,never,zoe@example.com,2024-01-13\n")
    mended = BareWarehouse(nights.place.folder.parent, raw=raw)
    night = mended.night(SECOND)
    query = "select source_key, quarantine_rule, is_mended, run_id, source_file from audit.quarantine"
    with duckdb.connect(str(nights.place.marts_file), read_only=True) as connection:
        assert connection.execute(f"{query} order by all").fetchall() == [
            ("o6", "negative_total_amount", True, night.run_id, "orders/second.csv"),
            # a sound version of it is there, but older
            ("o7", "negative_total_amount", False, night.run_id, "orders/third.csv"),
            ("o8", "negative_total_amount", False, night.run_id, "orders/third.csv"),
            (None, "unreadable_created_at", False, night.run_id, "customers/third.csv"),
        ]
    assert b"zoe@example.com" not in nights.place.marts_file.read_bytes()
    assert b"zoe@example.com" in nights.place.staging_file.read_bytes()
    assert nights.place.build.stat().st_mode & 0o077 == 0


def stopped(nights: BareWarehouse, **planted: tuple[str, str]) -> list[str]:
    """Run a night with bugs, which must stop it; the sentences that the person on call reads."""
    with pytest.raises(AssertionError) as caught:
        nights.night(SECOND, is_tested=True, planted=planted)
    return [line for line in str(caught.value).splitlines() if "rows in, but" in line]


def test_a_join_that_drops_rows_before_staging_stops_there(nights: BareWarehouse) -> None:
    """A left join that became an inner one, and a filter that forgot about nulls."""
    told = stopped(
        nights,
        base_orders__orders=("left join first_rates", "inner join first_rates"),
        stg_messages__events=("from latest", "from latest where customer_ref not like 'b%'"),
    )
    nothing = "0 accounted for (0 out, 0 quarantined, 0 superseded, 0 deleted, 0 erased)"
    assert told == [f"message_events: 2 rows in, but {nothing}", f"orders: 5 rows in, but {nothing}"]
    assert accounts(nights, "layer <> 'staging' and run_id <> 'night-1'") == []


def test_a_join_that_drops_rows_later_stops_the_night_before_publication(nights: BareWarehouse) -> None:
    """In a conformer, where customers are found, and into a mart."""
    told = stopped(
        nights,
        int_web__interactions=(
            "on events.event_name = types.event_name",
            "on events.event_name = types.event_name and events.user_id <> 'bob'",
        ),
        int_touches__identified=(
            "inner join assignments on",
            "inner join assignments on touches.source_key <> 'm2' and",
        ),
        fct_interactions=("from interactions", "from interactions where order_id <> 'none'"),
    )
    rest = "0 quarantined, 0 superseded, 0 deleted, 0 excluded)"
    assert f"web_events (intermediate): 2 rows in, but 1 accounted for (1 out, {rest}" in told
    assert f"message_events (intermediate): 2 rows in, but 1 accounted for (1 out, {rest}" in told
    assert f"web_events (marts): 2 rows in, but 0 accounted for (0 out, {rest}" in told
