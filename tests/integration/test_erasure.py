"""A person is erased: what is left equals a warehouse that never heard of the person, and nothing names them.

The raw zone written by hand has ada, who is erased, in every way in which a row can name somebody; beside it
stands the same zone as it would be had she never been there. What does NOT belong here: the register's file
(`tests/unit/test_erasures`).
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from bare_nights import HASH_KEY, BareWarehouse
from differences import assert_same
from nights import PROJECT, storage_of

from orchestration import erasing
from warehouse import cleansing, erasures, persons
from warehouse.raw_files import RawZoneError

pytestmark = pytest.mark.slow

FIRST, SECOND, THIRD = date(2024, 1, 31), date(2024, 2, 10), date(2024, 2, 20)
Rows = Sequence[tuple[str, str | None]]

# Header, and rows: as they come, and as they would be without ada (None: not at all).
ZONE: Mapping[str, tuple[str, Rows]] = {
    "customers": (
        "customer_ref,created_at,email,phone,loyalty_id,loaded_at",
        [
            ("ada,2023-12-01,Ada@Example.org,+49 170 5550001,L1,2023-12-02", None),
            ("bob,2023-12-01,bob@example.org,,,2023-12-02",) * 2,
        ],
    ),
    "identity_links": (
        "link_id,left_type,left_value,right_type,right_value,observed_at,loaded_at",
        [
            ("i1,customer_ref,ada,user_id,u-ada,2023-12-03,2023-12-04", None),
            ("i2,customer_ref,ada,handle,instagram/@Ada_L,2023-12-03,2023-12-04", None),
            ("i3,customer_ref,bob,user_id,u-bob,2023-12-03,2023-12-04",) * 2,
            ("i4,customer_ref,bob,email,ada@example.org,2024-01-20,2024-01-21", None),
        ],
    ),
    "web_events": (
        "event_id,anonymous_id,user_id,event_name,occurred_at,loaded_at",
        [
            ("w1,a1,u-ada,page_view,2024-01-05T10:00:00Z,2024-01-07", None),
            ("w2,a1,,page_view,2024-01-05T10:10:00Z,2024-01-07", None),
            # bob at ada's machine: his row stays, and does not tell whose machine it was
            (
                "w3,a1,u-bob,page_view,2024-01-06T10:00:00Z,2024-01-07",
                "w3,,u-bob,page_view,2024-01-06T10:00:00Z,2024-01-07",
            ),
            ("w4,b1,u-bob,page_view,2024-01-08T10:00:00Z,2024-01-09",) * 2,
        ],
    ),
    "orders": (
        "order_id,customer_ref,email,loyalty_id,sales_channel,ordered_at,total_amount,loaded_at",
        [
            ("o1,,ADA@example.org,,online,2024-01-06,20,2024-01-07", None),
            # first said to be bob's, later to be hers: what is left is what was said first
            ("o2,bob,,,in_store,2024-01-07,30,2024-01-08",) * 2,
            ("o2,,,L1,in_store,2024-01-07,30,2024-01-09", None),
            (
                "o3,bob,ada@example.org,,online,2024-01-08,10,2024-01-09",
                "o3,bob,,,online,2024-01-08,10,2024-01-09",
            ),
            ("o4,ada,,,online,2024-01-08,-7,2024-01-09", None),
            (
                "o5,bob,ada@example.org,,online,2024-01-08,-8,2024-01-09",
                "o5,bob,,,online,2024-01-08,-8,2024-01-09",
            ),
        ],
    ),
    "order_returns": (
        "return_id,order_id,returned_at,amount,loaded_at",
        [
            ("r1,o1,2024-01-12,5,2024-01-13", None),
            ("r2,o3,2024-01-12,5,2024-01-13",) * 2,
        ],
    ),
    "support_tickets": (
        "ticket_id,email,handle,created_by,created_at,loaded_at",
        [
            ("t1,ada@example.org,,customer,2024-01-10,2024-01-11", None),
            ("t2,bob@example.org,,customer,2024-01-10,2024-01-11",) * 2,
        ],
    ),
    "support_messages": (
        "message_id,ticket_id,author_role,is_public,sent_at,loaded_at",
        [
            ("m1,t1,customer,true,2024-01-10,2024-01-11", None),
            ("m2,t1,agent,true,2024-01-11,2024-01-12", None),
            ("m3,t2,customer,true,2024-01-10,2024-01-11",) * 2,
        ],
    ),
    "message_events": (
        "event_id,email,message_channel,event_name,occurred_at,loaded_at",
        [
            ("s1,ada@example.org,email,sent,2024-01-04,2024-01-05", None),
            ("s2,ada@example.org,email,clicked,2024-01-05,2024-01-06", None),
            ("s3,bob@example.org,email,sent,2024-01-04,2024-01-05",) * 2,
        ],
    ),
    "referrals": (
        "referral_id,referrer_ref,referred_ref,referred_email,sent_at,loaded_at",
        [
            ("f1,bob,,ada@example.org,2024-01-09,2024-01-10", "f1,bob,,,2024-01-09,2024-01-10"),
            ("f2,ada,cleo,,2024-01-09,2024-01-10", None),
        ],
    ),
    "loyalty_events": (
        "event_id,loyalty_id,event_name,points,occurred_at,loaded_at",
        [("l1,L1,points_earned,3,2024-01-07,2024-01-08", None)],
    ),
    "survey_responses": (
        "response_id,metric,email,score,scale_min,scale_max,responded_at,loaded_at",
        [
            ("v1,nps,ada@example.org,9,0,10,2024-01-15,2024-01-16", None),
            ("v2,nps,bob@example.org,3,0,10,2024-01-15,2024-01-16",) * 2,
        ],
    ),
    "erasure_requests": (
        "request_id,identifier_type,identifier_value,requested_at,loaded_at",
        [("q1,email,Ada@example.org,2024-01-20,2024-01-21", None)],
    ),
}
PASSWORD = "s3cr3tOfNobody"  # noqa: S105 - of nobody
# What arrives with the erasing night, and what comes late, weeks after it.
ARRIVED: Mapping[str, Rows] = {
    "orders": [
        ("o6,bob,,,online,2024-02-05,11,2024-02-06",) * 2,
        ("o7,ada,,,online,2024-02-05,12,2024-02-06", None),
    ],
}
LATE: Mapping[str, Rows] = {
    "orders": [
        ("o8,,ada@EXAMPLE.org,,online,2024-01-09,13,2024-02-15", None),
        ("o9,bob,,,online,2024-01-09,14,2024-02-15",) * 2,
    ],
    "support_tickets": [("t3,,instagram/ada_l,customer,2024-02-12,2024-02-15", None)],
    "support_messages": [
        ("m4,t3,customer,true,2024-02-12,2024-02-15", None),
        ("m5,t1,customer,true,2024-02-12,2024-02-15", None),
    ],
}


def land(raw: Path, file: str, arrivals: Mapping[str, Rows], *, without: bool = False) -> None:
    """Write rows of some tables, with or without ada."""
    for table, rows in arrivals.items():
        (raw / table).mkdir(parents=True, exist_ok=True)
        lines = [row[1] if without else row[0] for row in rows]
        text = "\n".join([ZONE[table][0], *(line for line in lines if line is not None)])
        (raw / table / f"{file}.csv").write_text(text + "\n", encoding="utf-8")


BEGINNING = {table: rows for table, (_, rows) in ZONE.items()}


@dataclass
class Erased:
    """The warehouse after the erasing night, and what was looked up before it."""

    nights: BareWarehouse
    held: Sequence[erasing.Held]


@pytest.fixture(scope="module")
def erased(tmp_path_factory: pytest.TempPathFactory) -> Erased:
    folder = tmp_path_factory.mktemp("erasure")
    nights = BareWarehouse(folder / "with")
    land(nights.raw, "first", BEGINNING)
    nights.night(FIRST)
    held = erasing.look_up(nights.settings, None)
    erasing.record(nights.settings, held)
    land(nights.raw, "second", ARRIVED)
    night = nights.night(SECOND, is_tested=True)
    assert night.basis.last_number == 1
    # what the night said of her before is in its logs until it is published
    assert "staging.stg_orders__orders__changes" in erasing.still_held(nights.settings, held)
    cleansing.cleanse(nights.place, erasures.read(nights.place.erasures, HASH_KEY).tombstones, HASH_KEY)
    return Erased(nights, held)


@pytest.fixture(scope="module")
def never_there(tmp_path_factory: pytest.TempPathFactory) -> BareWarehouse:
    """The warehouse that ada was never in, nor anything that comes late."""
    nights = BareWarehouse(tmp_path_factory.mktemp("erasure") / "without")
    land(nights.raw, "first", BEGINNING, without=True)
    land(nights.raw, "second", ARRIVED, without=True)
    nights.night(SECOND)
    return nights


def query(file: Path, sql: str) -> list[tuple[object, ...]]:
    with duckdb.connect(str(file), read_only=True) as connection:
        return connection.execute(sql).fetchall()


def test_a_request_finds_all_of_the_person(erased: Erased) -> None:
    (held,) = erased.held
    assert set(held.person.identifier_keys) == {
        "customer_ref:ada",
        "user_id:u-ada",
        "email:ada@example.org",
        "phone:491705550001",
        "loyalty_id:L1",
        "handle:instagram/ada_l",
        "anonymous_id:a1",
    }
    assert held.request_ids == ("q1",)
    assert (held.person.unknown, len(held.person.customer_ids)) == (0, 1)
    # bob, seen with her address and at her machine
    assert held.person.conflicts == 2
    named = {(row.table, row.key) for row in held.raw}
    first_words = {
        (table, with_ada.partition(",")[0])
        for table, rows in BEGINNING.items()
        for with_ada, without in rows
        if with_ada != without
    }
    assert named == first_words
    assert held.row_counts["marts.dim_customers"] == 1
    # o1, o2 and, in bob's name, o3
    assert held.row_counts["staging.stg_orders__orders"] == 3
    assert held.row_counts["staging.stg_quarantine__rows"] == 2


def test_the_erasing_night_equals_a_zone_without_the_person(
    erased: Erased, never_there: BareWarehouse
) -> None:
    assert_same(erased.nights.place.marts_file, never_there.place.marts_file)
    assert erasing.still_held(erased.nights.settings, erased.held) == {}


def test_a_raw_file_that_cannot_be_read_whole_is_named(erased: Erased, tmp_path: Path) -> None:
    raw = shutil.copytree(erased.nights.raw, tmp_path / "raw")
    time = [datetime(2024, 2, 1)]
    text = pa.array([b"ada@example.org\xff"], pa.binary())
    content = {"order_id": ["o"], "customer_ref": text, "sales_channel": ["online"], "total_amount": [1]}
    pq.write_table(
        pa.table({**content, "ordered_at": time, "loaded_at": time}), raw / "orders" / "bad.parquet"
    )
    with pytest.raises(RawZoneError, match=r"orders/bad\.parquet: column customer_ref of this file") as told:
        erasing.look_up(replace(erased.nights.settings, raw=raw), [["customer_ref:bob"]])
    assert "ada" not in str(told.value)


def test_erased_rows_are_counted_and_their_content_is_not_kept(erased: Erased) -> None:
    staging, marts = erased.nights.place.staging_file, erased.nights.place.marts_file
    accounts = query(
        marts,
        "select source_table, row_count from audit.row_accounts"
        " where reason = 'erased' and run_id = 'night-2' order by all",
    )
    gone = {
        table: sum(without is None for _, without in [*rows, *ARRIVED.get(table, [])])
        for table, rows in BEGINNING.items()
    }
    assert accounts == sorted((table, count) for table, count in gone.items() if count)
    held_back = "select source_key, quarantine_rule, raw_content from staging.staging.stg_quarantine__rows"
    assert query(staging, held_back) == [("o5", "negative_total_amount", None)]


@pytest.fixture(scope="module")
def late(erased: Erased, tmp_path_factory: pytest.TempPathFactory) -> BareWarehouse:
    """The same warehouse, erased and published, when late rows have come."""
    late = BareWarehouse(tmp_path_factory.mktemp("late"))
    for source, target in ((erased.nights.raw, late.raw), (erased.nights.place.folder, late.place.folder)):
        shutil.copytree(source, target, dirs_exist_ok=True)
    # the erasing night was published
    register = erasures.read(late.place.erasures, HASH_KEY)
    done = register.carried_out("night-2", register.erasures[0].recorded_at)
    erasures.write(late.place.erasures, done, HASH_KEY)
    land(late.raw, "third", LATE)
    night = late.night(THIRD, is_tested=True)
    assert night.basis.last_number == 2
    return late


def test_a_late_row_brings_nobody_back(erased: Erased, late: BareWarehouse) -> None:
    """Nor does what belongs to a row that comes late, or to one that was erased."""
    assert erasing.still_held(late.settings, erased.held) == {}
    messages = query(late.place.staging_file, "select message_id from staging.staging.stg_support__messages")
    assert messages == [("m3",)]


def test_a_full_refresh_brings_nobody_back(late: BareWarehouse, tmp_path: Path) -> None:
    """Even when all that was built is lost; and it stages the same rows."""
    anew = BareWarehouse(tmp_path / "anew", raw=late.raw)
    anew.place.folder.mkdir(parents=True)
    shutil.copy(late.place.erasures, anew.place.erasures)
    anew.night(THIRD)
    assert_same(anew.place.marts_file, late.place.marts_file)
    tables = query(
        anew.place.staging_file,
        "select table_name, string_agg(column_name, ', ' order by column_name) from duckdb_columns()"
        " where schema_name = 'staging'"
        " and not regexp_matches(table_name, '^base_|__(changes|row_accounts)$')"
        " and column_name not in ('changed_in', 'run_id') group by all",
    )
    assert len(tables) > 30
    for table, columns in tables:
        rows = f"select {columns} from staging.staging.{table} order by all"
        assert query(anew.place.staging_file, rows) == query(late.place.staging_file, rows), table


def engagement(*arguments: object, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a command of the project's own code."""
    command = "from orchestration.cli import main; main()"
    return subprocess.run(
        [sys.executable, "-c", command, *map(str, arguments)],
        cwd=PROJECT,
        env={**os.environ, "PYTHONPATH": str(PROJECT), **environment},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture
def company(sample_raw: Path, sample_warehouse: Path, tmp_path: Path) -> Iterator[dict[str, str]]:
    """A published warehouse and settings for it, as in production: with secrets in the environment."""
    warehouse = shutil.copytree(sample_warehouse, tmp_path / "warehouse", symlinks=True)
    key = warehouse / "hash.key"
    hash_key = key.read_text(encoding="ascii").strip()
    key.unlink()
    (warehouse / "build" / "error.log").write_text("somebody@example.org", encoding="utf-8")
    home = tmp_path / "home"
    home.mkdir()
    yield {
        "ENGAGEMENT_RAW": str(sample_raw),
        "ENGAGEMENT_WAREHOUSE": str(warehouse),
        "DAGSTER_HOME": str(home),
        "ENGAGEMENT_PRODUCTION": "true",
        "ENGAGEMENT_HASH_KEY": hash_key,
        # nobody listens there
        "ENGAGEMENT_OPENLINEAGE": f"http://lineage:{PASSWORD}@127.0.0.1:9/api",
        "ENGAGEMENT_ALERT_WEBHOOK": f"http://127.0.0.1:9/{PASSWORD}",
        "ENGAGEMENT_ALERT_SMTP": "smtp://127.0.0.1:9",
        "ENGAGEMENT_ALERT_SMTP_USER": "warehouse",
        "ENGAGEMENT_ALERT_SMTP_PASSWORD": PASSWORD,
        "ENGAGEMENT_ALERT_MAIL_FROM": "warehouse@example.org",
        "ENGAGEMENT_ALERT_MAIL_TO": "oncall@example.org",
        # the page is one of the files that are searched
        "ENGAGEMENT_REPORT": "true",
    }


def occurrences(folders: Sequence[Path], words: Sequence[str]) -> dict[str, set[str]]:
    """Files below folders, with the words that their bytes hold; a database puts texts side by side."""
    pattern = re.compile(b"|".join(re.escape(word).encode() for word in words))
    found = {}
    for folder in folders:
        for path in folder.rglob("*"):
            if path.is_file() and (seen := {word.decode() for word in pattern.findall(path.read_bytes())}):
                found[str(path.relative_to(folder))] = seen
    return found


def test_the_command_erases_a_person_from_every_file(company: dict[str, str], tmp_path: Path) -> None:
    warehouse, home = Path(company["ENGAGEMENT_WAREHOUSE"]), Path(company["DAGSTER_HOME"])
    hash_key = company["ENGAGEMENT_HASH_KEY"]
    with persons.opened(erasing.Warehouse(warehouse)) as connection:
        (asked, *_), *_ = persons.requested(connection)
        person = persons.find(connection, [asked], hash_key)
        as_of = connection.execute("select max(as_of) from engagement.audit.runs").fetchone()
    kind, _, value = asked.partition(":")
    given = f"{kind}={value.upper()}"
    plain = [key.partition(":")[2] for key in person.identifier_keys]
    words = [*plain, *person.hashes]
    before = occurrences([warehouse], words)
    assert set(person.customer_ids) <= before["engagement.duckdb"]
    assert set(plain) <= before["build/staging.duckdb"]

    exported = tmp_path / "person.json"
    told = engagement("export-person", "--identifier", given, "--out", exported, **company)
    assert told.returncode == 0, told.stderr
    assert exported.stat().st_mode & 0o777 == 0o600
    content = json.loads(exported.read_text(encoding="utf-8"))
    assert {entry["value"] for entry in content["identifiers"]} == set(plain)
    assert {row["customer_id"] for row in content["warehouse"]["marts.dim_customers"]} == {
        *person.customer_ids
    }
    assert {row["table"] for row in content["raw_zone"]} >= {"customers", "erasure_requests"}
    told = engagement("export-person", "--identifier", given, "--out", exported, **company)
    assert (told.returncode, "is there already" in told.stderr) == (2, True)

    told = engagement("erase", "--identifier", given, "--list-raw", **company)
    assert told.returncode == 0, told.stderr
    assert f"{len(plain)} identifiers" in told.stdout
    assert "Nothing was changed" in told.stdout
    assert "customers/" in told.stdout
    assert occurrences([warehouse], words) == before

    told = engagement("erase", "--identifier", given, "--yes", **company)
    assert told.returncode == 0, told.stdout[-3000:] + told.stderr[-3000:]
    assert occurrences([warehouse, home], [*words, "somebody@example.org"]) == {}
    assert len(list((warehouse / "publications").iterdir())) == 1
    assert (warehouse / "engagement.duckdb").stat().st_mode & 0o777 == 0o640
    evidence = query(
        warehouse / "engagement.duckdb",
        "select request_ids is not null, erased_at is not null, run_id in (select run_id from audit.runs),"
        " identifiers, sum(row_count) > 10, count(*) > 10 from audit.erasures group by all",
    )
    assert evidence == [(True, True, True, len(plain), True, True)]
    assert query(warehouse / "engagement.duckdb", "select max(as_of) from audit.runs") == [as_of]
    register = erasures.read(warehouse / "erasures.json", hash_key)
    assert (len(register.erasures), register.pending) == (1, ())
    # secrets are written nowhere but into the build file that hashes with the key, its owner's alone
    assert occurrences([warehouse, home], [hash_key, PASSWORD]) == {"build/staging.duckdb": {hash_key}}
    assert (warehouse / "engagement.html").is_file()
    assert "OpenLineage" in told.stdout
    assert not any(secret in told.stdout + told.stderr for secret in (hash_key, PASSWORD))

    told = engagement("rollback", **company)
    assert (told.returncode, "an erasure removes" in told.stderr) == (1, True)
    told = engagement("erase", "--identifier", given, "--yes", **company)
    assert (told.returncode, "Erased before" in told.stderr) == (2, True)


@pytest.mark.parametrize("storage", ["v1.0.0", "v1.3.0"])
def test_a_database_that_is_written_anew_holds_no_bytes_of_what_was_deleted(
    tmp_path: Path, storage: str
) -> None:
    file = tmp_path / "some.duckdb"
    gone, stays = (hashlib.md5(text, usedforsecurity=False).hexdigest() for text in (b"7", b"8"))
    with duckdb.connect(str(file), config={"storage_compatibility_version": storage}) as connection:
        connection.execute(
            "create table people as select md5(cast(i as varchar)) as name from range(300) t(i)"
        )
        connection.execute("create view everybody as from people")
        connection.execute("comment on table people is 'who'")
        connection.execute("checkpoint")
        connection.execute("delete from people where name = ?", [gone])
    assert gone.encode() in file.read_bytes()
    cleansing.rewrite(file)
    assert gone.encode() not in file.read_bytes()
    assert stays.encode() in file.read_bytes()
    assert query(file, "select count(*) from everybody") == [(299,)]
    assert query(file, "select comment from duckdb_tables()") == [("who",)]
    assert storage_of(file) == storage + "+"
    assert [path.name for path in tmp_path.iterdir()] == ["some.duckdb"]
