"""One broken row per layer stops a whole night there: nothing further is built, nothing is published.

The nights are real: the command `engagement nightly` over CSV files. For the marts, where data that could
break them is stopped earlier, a bug is planted in a copy of the project.
"""

import hashlib
import shutil
import subprocess
from pathlib import Path

import duckdb
import pytest
from nights import PROJECT, copy_project, try_night

AS_OF = "2024-01-31"

# A small company: a few lines of each table suffice to show the flow.
ORDERS = """order_id,customer_ref,sales_channel,ordered_at,total_amount,loaded_at
o1,ada,in_store,2024-01-05T10:20:00Z,20.50,2024-01-07T00:00:00Z
o2,bob,online,2024-01-08T10:20:00Z,10,2024-01-09T00:00:00Z
"""
TICKETS = """ticket_id,customer_ref,created_by,created_at,solved_at,loaded_at
t1,ada,customer,2024-01-05T10:00:00Z,2024-01-06T10:00:00Z,2024-01-07T00:00:00Z
"""
# What came in since: an order, so that a layer that was built can be told from one that was not.
NEWS = """order_id,customer_ref,sales_channel,ordered_at,total_amount,loaded_at
o3,ada,online,2024-01-20T10:20:00Z,5,2024-01-21T00:00:00Z
"""

pytestmark = pytest.mark.slow


def night(raw: Path, warehouse: Path, project: Path = PROJECT) -> subprocess.CompletedProcess[str]:
    return try_night(raw, warehouse, AS_OF, project)


def land(raw: Path, table: str, file: str, text: str) -> None:
    """Write a file of the raw zone."""
    path = raw / table / file
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def orders_in(warehouse: Path, file: str, table: str, key: str) -> int:
    """Orders that a table holds."""
    with duckdb.connect(str(warehouse / file), read_only=True) as connection:
        condition = "" if key == "order_id" else " and source_table = 'orders'"
        row = connection.execute(
            f"select count(*) from {table} where {key} is not null{condition}"
        ).fetchone()
    assert row
    return int(row[0])


def built(warehouse: Path) -> dict[str, int]:
    """Orders in each layer, the published one last."""
    staging, marts = "build/staging.duckdb", "build/engagement.duckdb"
    identified = "staging.intermediate.int_interactions__identified"
    return {
        "staging": orders_in(warehouse, staging, "staging.staging.stg_orders__orders", "order_id"),
        "intermediate": orders_in(warehouse, staging, identified, "source_key"),
        "marts": orders_in(warehouse, marts, "marts.fct_interactions", "source_key"),
        "published": orders_in(warehouse, "engagement.duckdb", "marts.fct_interactions", "source_key"),
    }


def failed_checks(warehouse: Path) -> list[tuple[object, ...]]:
    """What the audit keeps of checks that did not hold."""
    with duckdb.connect(str(warehouse / "build" / "engagement.duckdb"), read_only=True) as connection:
        return connection.execute(
            "select layer, table_name, expectation, column_name, unexpected_count from audit.check_results "
            "where tool = 'great_expectations' and not is_success"
        ).fetchall()


def scopes_of(warehouse: Path, table: str, column: str) -> list[object]:
    """Which rows of a table the gates of a column looked at, night by night."""
    with duckdb.connect(str(warehouse / "build" / "engagement.duckdb"), read_only=True) as connection:
        found = connection.execute(
            "select scope from audit.check_results where tool = 'great_expectations' "
            "and table_name = ? and column_name = ? order by checked_at",
            [table, column],
        ).fetchall()
    return [scope for (scope,) in found]


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a raw zone and the warehouse of a night that went well."""
    folder = tmp_path_factory.mktemp("published")
    land(folder / "raw", "orders", "first.csv", ORDERS)
    land(folder / "raw", "support_tickets", "first.csv", TICKETS)
    first = night(folder / "raw", folder / "warehouse")
    assert first.returncode == 0, first.stdout[-3000:] + first.stderr[-3000:]
    assert built(folder / "warehouse") == dict.fromkeys(("staging", "intermediate", "marts", "published"), 2)
    return folder


@pytest.fixture
def company(published: Path, tmp_path: Path) -> Path:
    """The day after that night: a copy, with one more order in the raw zone."""
    shutil.copytree(published, tmp_path / "company")
    land(tmp_path / "company" / "raw", "orders", "second.csv", NEWS)
    return tmp_path / "company"


def stopped(company: Path, project: Path = PROJECT) -> str:
    """Run a night that must not publish; return what it said to the person."""
    file = company / "warehouse" / "engagement.duckdb"
    before = hashlib.sha256(file.read_bytes()).hexdigest(), file.stat().st_mtime_ns
    ended = night(company / "raw", company / "warehouse", project)
    assert ended.returncode == 1, ended.stdout[-3000:] + ended.stderr[-3000:]
    assert (hashlib.sha256(file.read_bytes()).hexdigest(), file.stat().st_mtime_ns) == before
    return ended.stderr


def test_a_raw_row_without_its_load_time_stops_before_staging_until_it_is_mended(company: Path) -> None:
    land(
        company / "raw", "orders", "third.csv", NEWS.replace("o3", "o4").replace(",2024-01-21T00:00:00Z", ",")
    )
    said = stopped(company)
    assert (
        "raw.orders: expect_loaded_at_in_every_row (column loaded_at): 1 row, for example "
        '[{"source_file": "orders/third.csv", "loaded_at": null}]'
    ) in said
    assert built(company / "warehouse") == {"staging": 2, "intermediate": 2, "marts": 2, "published": 2}
    assert failed_checks(company / "warehouse") == [
        ("raw", "orders", "expect_loaded_at_in_every_row", "loaded_at", 1)
    ]
    land(company / "raw", "orders", "third.csv", NEWS.replace("o3", "o4"))
    mended = night(company / "raw", company / "warehouse")
    assert mended.returncode == 0, mended.stdout[-3000:] + mended.stderr[-3000:]
    assert built(company / "warehouse") == dict.fromkeys(("staging", "intermediate", "marts", "published"), 4)


def test_a_ticket_solved_before_it_was_created_stops_before_intermediate(company: Path) -> None:
    land(
        company / "raw",
        "support_tickets",
        "second.csv",
        TICKETS.replace("-06T10", "-04T10").replace("t1", "t2"),
    )
    said = stopped(company)
    assert (
        "staging.stg_support__tickets: expect_column_pair_values_a_to_be_greater_than_b "
        "(column solved_at, created_at): 1 of 2 rows, for example "
        '[["2024-01-04 10:00:00", "2024-01-05 10:00:00"]]'
    ) in said
    assert built(company / "warehouse") == {"staging": 3, "intermediate": 2, "marts": 2, "published": 2}
    assert failed_checks(company / "warehouse") == [
        (
            "staging",
            "stg_support__tickets",
            "expect_column_pair_values_a_to_be_greater_than_b",
            "solved_at, created_at",
            1,
        )
    ]


def test_a_row_that_a_mart_loses_stops_before_publication(company: Path, tmp_path: Path) -> None:
    project = copy_project(tmp_path / "project")
    mart = project / "models" / "marts" / "interactions" / "fct_interactions.sql"
    source = '(select * from {{ ref("int_contexts__staged") }})'
    text = mart.read_text()
    assert source in text
    mart.write_text(text.replace(source, source[:-1] + " where coalesce(revenue, 10) > 5)"))
    said = stopped(company, project)
    assert (
        "marts.fct_interactions: expect_as_many_rows_as_were_identified (column interaction_id): 1 of 3 rows"
    ) in said
    assert built(company / "warehouse") == {"staging": 3, "intermediate": 3, "marts": 2, "published": 2}
    assert (
        "marts", "fct_interactions", "expect_as_many_rows_as_were_identified", "interaction_id", 1,
    ) in failed_checks(company / "warehouse")  # fmt: skip


def test_a_bug_that_bites_after_the_first_night_stops_the_night_that_writes_it(tmp_path: Path) -> None:
    """That night looks at what it has written; the mart is not built anew, since the bug was there before."""
    project = copy_project(tmp_path / "project")
    mart = project / "models" / "marts" / "interactions" / "fct_interactions.sql"
    source = '(select * from {{ ref("int_contexts__staged") }})'
    text = mart.read_text()
    assert source in text
    bug = "case when revenue = 5 then cast(-1 as double) else engaged_seconds end as engaged_seconds"
    mart.write_text(text.replace(source, source.replace("*", f"* replace ({bug})")))
    company = tmp_path / "company"
    land(company / "raw", "orders", "first.csv", ORDERS)
    land(company / "raw", "support_tickets", "first.csv", TICKETS)
    first = night(company / "raw", company / "warehouse", project)
    assert first.returncode == 0, first.stdout[-3000:] + first.stderr[-3000:]
    land(company / "raw", "orders", "second.csv", NEWS)
    said = stopped(company, project)
    assert "marts.fct_interactions: expect_column_values_to_be_between (column engaged_seconds): 1 of" in said
    assert scopes_of(company / "warehouse", "fct_interactions", "engaged_seconds") == ["all", "tonight"]
