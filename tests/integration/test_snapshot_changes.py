"""Closed snapshots that late data changes are recorded: whose, which columns, and because of which rows."""

import shutil
import subprocess
import sys
from collections.abc import Sequence
from datetime import date
from pathlib import Path

import duckdb
import pytest
from bare_nights import BareWarehouse

from orchestration import dbt
from warehouse import snapshot_changes
from warehouse.night import Night
from warehouse.publication import publish
from warehouse.snapshot_changes import SnapshotModel, UnreadablePublicationError

pytestmark = pytest.mark.slow

HEADER = "order_id,customer_ref,sales_channel,ordered_at,total_amount,loaded_at"
ORDERS = (
    "o1,ada,in_store,2024-01-10T12:00:00Z,10,2024-01-11T00:00:00Z",
    "o2,ada,in_store,2024-02-10T12:00:00Z,10,2024-02-11T00:00:00Z",
    "o3,ada,in_store,2024-04-02T12:00:00Z,10,2024-04-03T00:00:00Z",
    "o4,bob,in_store,2024-01-15T12:00:00Z,10,2024-01-16T00:00:00Z",
    "o5,bob,in_store,2024-04-10T12:00:00Z,10,2024-04-11T00:00:00Z",
)
LATE = "o6,ada,phone,2024-02-20T12:00:00Z,30,2024-04-16T00:00:00Z"
FIRST, SECOND = date(2024, 4, 15), date(2024, 4, 16)


def land(warehouse: BareWarehouse, file: str, rows: Sequence[str], table: str = "orders") -> None:
    folder = warehouse.raw / table
    folder.mkdir(exist_ok=True)
    (folder / file).write_text("\n".join([HEADER, *rows]) + "\n")


def recorded(warehouse: BareWarehouse, night: Night, anew: str | None = None) -> dict[str, int]:
    """Record the changes of a night as its last step does."""
    grains = dbt.snapshot_grains(dbt.project().manifest)
    models = [SnapshotModel(name, key, anew) for name, key in grains.items()]
    return dict(snapshot_changes.record(warehouse.place, night, models))


def rows(warehouse: BareWarehouse, condition: str = "true") -> list[tuple[object, ...]]:
    with duckdb.connect(str(warehouse.place.marts_file), read_only=True) as connection:
        return connection.execute(
            f"""
            select run_id, model_name, customer_id, part, cast(first_snapshot_date as varchar),
                cast(last_snapshot_date as varchar), change, changed_columns, customers, causes
            from audit.snapshot_changes where {condition} order by all
            """
        ).fetchall()


def customer(warehouse: BareWarehouse, orders: int) -> str:
    """Id of the customer who has so many orders."""
    with duckdb.connect(str(warehouse.place.marts_file), read_only=True) as connection:
        row = connection.execute(
            "select customer_id from marts.fct_interactions group by customer_id having count(*) = ?",
            [orders],
        ).fetchone()
    assert row
    return str(row[0])


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a published night as of `FIRST`."""
    folder = tmp_path_factory.mktemp("changes")
    warehouse = BareWarehouse(folder)
    land(warehouse, "first.csv", ORDERS)
    night = warehouse.night(FIRST)
    assert recorded(warehouse, night, night.basis.reason) == {}
    publish(warehouse.place.marts_file, warehouse.place.published)
    return folder


@pytest.fixture
def warehouse(published: Path, tmp_path: Path) -> BareWarehouse:
    shutil.copytree(published, tmp_path / "company")
    company = BareWarehouse(tmp_path / "company")
    company._runs = 1
    return company


def expected(ada: str, run: str, causes: str = "orders: changed_or_late") -> list[tuple[object, ...]]:
    """By hand: what ada's purchase of 20 February changes in what was said at the ends of February and March.

    Her active days were 10 January and 10 February: one gap of 31 days, and a threshold of the population's.
    Now there are gaps of 31 and 10 days, mean 20.5, and a threshold of 3 x 20.5 = 61.5: on 31 March, 50 days
    after the one purchase and 40 after the other, she had lapsed and has not. The longest gap, the months and
    the seven days before either month's end stay as they were, and so do January and bob.
    """
    gaps = "mean_gap_days, sd_gap_days, cv_gap, burstiness, burstiness_adjusted"
    spans = "last_active_on, span_days, recency_days, active_days, active_weeks, active_week_ratio"
    both, february, march = ("2024-02-29", "2024-03-31"), ("2024-02-29",) * 2, ("2024-03-31",) * 2
    changes = [
        # first purchase, reactivation after 31 days, now a third situation: thirds, not halves
        ("context", "first_consideration", *both, "changed", "share"),
        ("context", "post_purchase", *both, "added", None),
        ("context", "reactivation", *both, "changed", "share"),
        ("frequency", None, *february, "changed",
         f"{gaps}, active_days_28, active_days_90, interactions, n_ln_n"),
        ("frequency", None, *march, "changed", f"{gaps}, active_days_90, interactions, n_ln_n"),
        ("longevity", None, *february, "changed", f"{spans}, lapse_threshold_days"),
        ("longevity", None, *march, "changed", f"{spans}, lapse_threshold_days, is_lapsed"),
        ("proactiveness", None, *both, "changed", "unknown"),
        ("volume", "phone", *both, "added", None),
    ]  # fmt: skip
    return [(run, f"fct_engagement_{fact}", ada, *change, 1, causes) for fact, *change in changes]


def test_a_late_order_is_recorded_with_its_customer_columns_and_cause(warehouse: BareWarehouse) -> None:
    land(warehouse, "late.csv", [LATE])
    night = warehouse.night(SECOND)
    assert night.basis.last_number
    assert recorded(warehouse, night) == dict.fromkeys(dbt.snapshot_grains(dbt.project().manifest), 1)
    ada = customer(warehouse, 4)
    assert rows(warehouse) == expected(ada, night.run_id)
    # recording again changes nothing
    recorded(warehouse, night)
    assert rows(warehouse) == expected(ada, night.run_id)


def test_a_quiet_night_records_nothing(warehouse: BareWarehouse) -> None:
    land(warehouse, "new.csv", ["o7,bob,in_store,2024-04-16T12:00:00Z,10,2024-04-16T13:00:00Z"])
    night = warehouse.night(SECOND)
    assert recorded(warehouse, night) == {}
    assert rows(warehouse) == []


def test_a_night_after_a_killed_one_records_what_readers_had(warehouse: BareWarehouse) -> None:
    land(warehouse, "late.csv", [LATE])
    waited_for = set(dbt.snapshot_grains(dbt.project().manifest))

    def stop_after_the_facts(name: str) -> None:
        waited_for.discard(name)
        if not waited_for:
            raise RuntimeError("killed")

    with pytest.raises(BaseException, match=r"killed|failed"):
        warehouse.night(SECOND, on_built=stop_after_the_facts)
    # the killed night has changed the closed snapshots already
    with duckdb.connect(str(warehouse.place.marts_file), read_only=True) as connection:
        assert connection.execute(
            "select count(*) from marts.fct_engagement_volume where channel = 'phone' and not is_current"
        ).fetchone() == (2,)
    night = warehouse.night(SECOND)
    recorded(warehouse, night)
    assert rows(warehouse) == expected(customer(warehouse, 4), night.run_id)


def test_a_deleted_order_takes_away_the_snapshots_that_it_had_begun(warehouse: BareWarehouse) -> None:
    bob = customer(warehouse, 2)
    folder = warehouse.raw / "orders"
    (folder / "gone.csv").write_text(
        f"{HEADER},is_deleted\no4,bob,in_store,2024-01-15T12:00:00Z,10,2024-04-16T00:00:00Z,true\n"
    )
    night = warehouse.night(SECOND)
    recorded(warehouse, night)
    gone = [row for row in rows(warehouse) if row[2] == bob]
    assert [(model, first, last, change) for _, model, _, _, first, last, change, *_ in gone] == [
        (f"fct_engagement_{fact}", "2024-01-31", "2024-03-31", "removed")
        for fact in ("context", "frequency", "longevity", "proactiveness", "volume")
    ]
    assert {row[-1] for row in gone} == {"orders: changed"}


def test_a_full_refresh_names_few_customers_and_counts_many(
    warehouse: BareWarehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    land(warehouse, "late.csv", [LATE])
    night = warehouse.night(SECOND, is_full_refresh=True)
    assert set(recorded(warehouse, night, night.basis.reason).values()) == {1}
    assert rows(warehouse) == expected(customer(warehouse, 4), night.run_id, "full refresh, as asked")
    monkeypatch.setattr(snapshot_changes, "NAMED_AT_MOST", 0)
    assert set(recorded(warehouse, night, night.basis.reason).values()) == {1}
    both = ("2024-02-29", "2024-03-31", "added", None, 1, "full refresh, as asked")
    assert [row for row in rows(warehouse) if row[1] == "fct_engagement_volume"] == [
        (night.run_id, "fct_engagement_volume", None, None, *both)
    ]


def test_somebody_who_writes_to_the_published_file_does_not_stop_a_night(warehouse: BareWarehouse) -> None:
    program = (
        f"import duckdb; held = duckdb.connect({str(warehouse.place.published)!r}); print('held'); input()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as holder:
        assert holder.stdout is not None and holder.stdin is not None
        assert holder.stdout.readline().strip() == "held"
        land(warehouse, "late.csv", [LATE])
        night = warehouse.night(SECOND)
        recorded(warehouse, night)
        holder.stdin.close()
    assert rows(warehouse) == expected(customer(warehouse, 4), night.run_id)
    assert sorted(path.name for path in warehouse.place.build.glob("*.duckdb")) == [
        "engagement.duckdb",
        "staging.duckdb",
    ]


def test_a_damaged_published_file_is_told_from_one_that_is_in_use(warehouse: BareWarehouse) -> None:
    night = warehouse.night(SECOND)
    warehouse.place.published.write_bytes(b"no longer a database" * 1_000)
    with pytest.raises(UnreadablePublicationError, match=r"engagement\.duckdb cannot be read"):
        recorded(warehouse, night)
    assert not (warehouse.place.build / "published.duckdb").exists()
