"""Staging, from files to tables: small hand-written raw tables and what must come of every row."""

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from warehouse.contract import read_contract
from warehouse.raw_zone import inspect, open_views

PROJECT = Path(__file__).resolve().parents[2]
VARIABLES = {
    "as_of": "2024-12-31",
    "business_time_zone": "America/New_York",
    "reporting_currency": "USD",
    "source_time_zones": {"web_events": "America/New_York"},
}

WEB_EVENTS = """\
event_id,platform,event_name,occurred_at,engaged_seconds,user_agent,email,loaded_at
winter,web,page_view,2024-03-10 01:30:00,1.5,Mozilla/5.0, Ann@Example.COM ,2024-12-30 00:00:00
summer,app,page_view,2024-03-10 03:30:00,,,,2024-12-30 00:00:00
skipped,web,page_view,2024-03-10 02:30:00,,,,2024-12-30 00:00:00
repeated,web,page_view,2024-11-03 01:30:00,,,,2024-12-30 00:00:00
zulu,,page_view,2024-07-01T12:00:00Z,,Mozilla/5.0 (compatible; GoogleBot/2.1),,2024-12-30 00:00:00
offset,,page_view,2024-07-01 12:00:00.250 +0200,,curl/8.0,,2024-12-30 00:00:00
day,,page_view,2024-07-01,,,,2024-12-30 00:00:00
,web,page_view,2024-07-01,,,,2024-12-30 00:00:00
no_time,web,page_view,,,,,2024-12-30 00:00:00
bad_time,web,page_view,yesterday,,,,2024-12-30 00:00:00
no_name,web,  ,2024-07-01,,,,2024-12-30 00:00:00
bad_name,web,pageview,2024-07-01,,,,2024-12-30 00:00:00
bad_platform,tv,page_view,2024-07-01,,,,2024-12-30 00:00:00
negative,web,page_view,2024-07-01,-1,,,2024-12-30 00:00:00
endless,web,page_view,2024-07-01,1e12,,,2024-12-30 00:00:00
infinite,web,page_view,2024-07-01,inf,,,2024-12-30 00:00:00
ancient,web,page_view,1991-08-05,,,,2024-12-30 00:00:00
future,web,page_view,2024-12-31 00:00:01,,,,2024-12-30 00:00:00
edge,web,page_view,2024-12-31 00:00:00,,,,2024-12-30 00:00:00
never_loaded,web,page_view,2024-07-01,,,,
"""

# In another format, to be read beside the first: later and earlier versions of keys.
WEB_VERSIONS: Sequence[Mapping[str, object]] = [
    {"event_id": "changed", "product_id": "new", "loaded_at": "2024-12-30T02:00:00Z"},
    {"event_id": "changed", "product_id": "old", "loaded_at": "2024-12-30T01:00:00Z"},
    {"event_id": "deleted", "product_id": "old", "loaded_at": "2024-12-30T01:00:00Z"},
    {"event_id": "deleted", "is_deleted": True, "loaded_at": "2024-12-30T02:00:00Z"},
    {"event_id": "restored", "is_deleted": True, "loaded_at": "2024-12-30T01:00:00Z"},
    {"event_id": "restored", "product_id": "new", "loaded_at": "2024-12-30T02:00:00Z"},
    {"event_id": "spoilt", "product_id": "old", "loaded_at": "2024-12-30T01:00:00Z"},
    {"event_id": "spoilt", "platform": "tv", "loaded_at": "2024-12-30T02:00:00Z"},
    {"event_id": "only_deleted", "is_deleted": True, "loaded_at": "2024-12-30T01:00:00Z"},
]

ORDERS = """\
order_id,sales_channel,ordered_at,total_amount,currency,is_test,is_auto_renewal,loaded_at
home,online,2024-05-02T03:00:00Z,10.005,USD,no,1,2024-12-30
silent,in_store,2024-05-02T03:00:00Z,0,,false,,2024-12-30
abroad,app,2024-05-02T04:00:00Z,7,EUR,,,2024-12-30
early,app,2024-05-02T03:59:59Z,7,EUR,,,2024-12-30
exotic,phone,2024-05-02T04:00:00Z,7,XAU,,,2024-12-30
negative,online,2024-05-02T04:00:00Z,-0.01,,,,2024-12-30
vast,online,2024-05-02T04:00:00Z,99999999999999,,,,2024-12-30
ancient,online,1989-12-31,1,,,,2024-12-30
maybe,online,2024-05-02T04:00:00Z,1,,perhaps,,2024-12-30
"""

EXCHANGE_RATES = """\
rate_on,currency,rate,loaded_at
2024-05-02,EUR,1.1,2024-12-30
2024-05-03,EUR,one,2024-12-30
soon,EUR,1,2024-12-30
,EUR,1,2024-12-30
"""

IDENTITY_LINKS = """\
link_id,left_type,left_value,right_type,right_value,loaded_at
1,email,Ann@Example.com,phone,+1 (212) 555-0100,2024-12-30
2,handle,Network/@Ann,customer_ref, C1 ,2024-12-30
3,phone,0049 30 1234,phone,none,2024-12-30
4,passport,1,customer_ref,C1,2024-12-30
"""

HANDLES: Mapping[str, Sequence[Mapping[str, object]]] = {
    "social_events": [
        {"event_id": 1, "network": "Insta", "handle": "@Ann", "event_name": "like", "sentiment": 0.5},
        {"event_id": 2, "network": "Insta", "handle": " ", "event_name": "like", "sentiment": -1.5},
    ],
    "reviews": [
        {"review_id": 1, "site": "Stars", "handle": "Ann", "rating": 4},
        {"review_id": 2, "handle": "Ann", "rating": 4},
    ],
    "community_events": [{"event_id": 1, "handle": "@Ann", "event_name": "post"}],
    "support_tickets": [{"ticket_id": 1, "handle": "insta/@Ann"}],
}


def land(raw: Path) -> None:
    """Write the raw zone."""
    for table, content in {
        "web_events": WEB_EVENTS,
        "orders": ORDERS,
        "exchange_rates": EXCHANGE_RATES,
        "identity_links": IDENTITY_LINKS,
    }.items():
        (raw / table).mkdir(parents=True)
        (raw / table / "a.csv").write_text(content)
    versions = [
        {"event_name": "page_view", "occurred_at": "2024-07-01T00:00:00Z", **row} for row in WEB_VERSIONS
    ]
    (raw / "web_events" / "b.jsonl").write_text("\n".join(json.dumps(row) for row in versions))
    for table, given in HANDLES.items():
        (raw / table).mkdir()
        times = dict.fromkeys(("occurred_at", "created_at", "loaded_at"), "2024-07-01T00:00:00Z")
        (raw / table / "a.jsonl").write_text("\n".join(json.dumps({**times, **row}) for row in given))
    noon = datetime(2024, 3, 10, 12, tzinfo=UTC)
    (raw / "message_events").mkdir()
    messages = {
        # Data frames turn ids with gaps into floating point and write a gap as NaN.
        "event_id": [1.0, 2.0, float("nan")],
        "message_channel": ["direct_mail", "email", "email"],
        "event_name": ["sent", "opened", "opened"],
        "is_machine": pa.array([None, 1, 0], pa.int8()),
        "occurred_at": pa.array([datetime(2024, 3, 10, 18, 30)] * 3, pa.timestamp("ns")),
        "is_date_only": [True, False, None],
        "loaded_at": pa.array([noon] * 3, pa.timestamp("ms", tz="UTC")),
    }
    pq.write_table(pa.table(messages), raw / "message_events" / "a.parquet")
    land_visits(raw, "a", "b")


def land_visits(raw: Path, first: str, second: str) -> None:
    """Write store visits whose versions were loaded at the same instant, in two files."""
    (raw / "store_visits").mkdir(exist_ok=True)
    header = "visit_id,store_id,is_deleted,entered_at,loaded_at\n"
    when = "2024-07-01,2024-07-02"
    tied = [f"{key},{store},,{when}" for key in "pqrs" for store in (1, 2)]
    gone = [f"gone,1,,{when}", f"gone,,true,{when}"]
    (raw / "store_visits" / f"{first}.csv").write_text(header + "\n".join([*tied[::2], gone[0]]) + "\n")
    (raw / "store_visits" / f"{second}.csv").write_text(header + "\n".join([*tied[1::2], gone[1]]) + "\n")


class Warehouse:
    """A warehouse in a folder of its own, of which only seeds and staging are built."""

    def __init__(self, folder: Path) -> None:
        self.raw = folder / "raw"
        self._folder = folder
        self._file = folder / "warehouse" / "build" / "staging.duckdb"
        self._file.parent.mkdir(parents=True)

    def open_raw(self) -> None:
        """Put the views over the raw zone."""
        open_views(self._file, inspect(self.raw, read_contract(PROJECT)), "key")

    def dbt(self, command: str, *select: str) -> dict[str, tuple[str, int | None]]:
        """Run dbt in this process; name of every node to its status and number of failures."""
        from dbt.adapters.duckdb.connections import DuckDBConnectionManager
        from dbt.cli.main import dbtRunner

        places = (
            "--project-dir",
            PROJECT,
            "--profiles-dir",
            PROJECT,
            "--target-path",
            self._folder / "target",
        )
        logs = ("--log-path", self._folder / "logs", "--log-level", "none")
        arguments = [command, *places, *logs, "--vars", json.dumps(VARIABLES), "--select", *select]
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("ENGAGEMENT_WAREHOUSE", str(self._folder / "warehouse"))
            result = dbtRunner().invoke([str(argument) for argument in arguments])
        if DuckDBConnectionManager._ENV is not None:
            DuckDBConnectionManager._ENV.close()
            DuckDBConnectionManager._ENV = None
        assert result.exception is None, result.exception
        return {run.node.name: (str(run.status), run.failures) for run in result.result.results}

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        """Answer of a query on the build file."""
        with duckdb.connect() as connection:
            connection.execute(f"attach '{self._file}' as build")
            connection.execute("use build.staging")
            return connection.execute(query).fetchall()


@pytest.fixture(scope="module")
def warehouse(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Warehouse]:
    built = Warehouse(tmp_path_factory.mktemp("staging"))
    land(built.raw)
    built.open_raw()
    outcome = built.dbt("build", "resource_type:seed", "path:models/staging")
    assert {name: status for name, (status, _) in outcome.items() if status not in {"success", "pass"}} == {}
    yield built


def test_times_are_utc_on_both_sides_of_clock_changes(warehouse: Warehouse) -> None:
    times = dict(warehouse.rows("select event_id, occurred_at from stg_web__events where product_id is null"))
    assert times == {
        "winter": datetime(2024, 3, 10, 6, 30),
        "summer": datetime(2024, 3, 10, 7, 30),
        "skipped": datetime(2024, 3, 10, 7, 30),
        "repeated": datetime(2024, 11, 3, 6, 30),
        "zulu": datetime(2024, 7, 1, 12),
        "offset": datetime(2024, 7, 1, 10, 0, 0, 250_000),
        "day": datetime(2024, 7, 1, 4),
        "edge": datetime(2024, 12, 31, 5),
    }


def test_a_date_only_row_is_the_start_of_its_business_day(warehouse: Warehouse) -> None:
    assert warehouse.rows(
        "select event_id, is_machine, is_date_only, occurred_at, loaded_at "
        "from stg_messages__events order by 1"
    ) == [
        ("1", None, True, datetime(2024, 3, 10, 5), datetime(2024, 3, 10, 12)),
        ("2", True, False, datetime(2024, 3, 10, 18, 30), datetime(2024, 3, 10, 12)),
    ]


def test_the_latest_sound_version_of_a_key_holds(warehouse: Warehouse) -> None:
    assert warehouse.rows(
        "select event_id, product_id, source_file "
        "from stg_web__events where product_id is not null order by 1"
    ) == [
        ("changed", "new", "web_events/b.jsonl"),
        ("restored", "new", "web_events/b.jsonl"),
        ("spoilt", "old", "web_events/b.jsonl"),
    ]


def test_every_broken_rule_is_named(warehouse: Warehouse) -> None:
    assert sorted(
        warehouse.rows("select source_table, source_key, quarantine_rule from stg_quarantine__rows")
    ) == [
        ("exchange_rates", "2024-05-03|EUR", "unreadable_rate"),
        ("exchange_rates", "|EUR", "missing_rate_on"),
        ("exchange_rates", "|EUR", "unreadable_rate_on"),
        ("identity_links", "3", "missing_right_value"),
        ("identity_links", "4", "unknown_left_type"),
        ("message_events", "", "missing_event_id"),
        ("orders", "ancient", "impossible_time"),
        ("orders", "early", "no_exchange_rate"),
        ("orders", "exotic", "no_exchange_rate"),
        ("orders", "maybe", "unreadable_is_test"),
        ("orders", "negative", "negative_total_amount"),
        ("orders", "vast", "out_of_range_total_amount"),
        ("social_events", "2", "out_of_range_sentiment"),
        ("web_events", "", "missing_event_id"),
        ("web_events", "ancient", "impossible_time"),
        ("web_events", "bad_name", "unknown_event_name"),
        ("web_events", "bad_platform", "unknown_platform"),
        ("web_events", "bad_time", "unreadable_occurred_at"),
        ("web_events", "endless", "out_of_range_engaged_seconds"),
        ("web_events", "future", "impossible_time"),
        ("web_events", "infinite", "unreadable_engaged_seconds"),
        ("web_events", "negative", "negative_engaged_seconds"),
        ("web_events", "never_loaded", "missing_loaded_at"),
        ("web_events", "no_name", "missing_event_name"),
        ("web_events", "no_time", "missing_occurred_at"),
        ("web_events", "spoilt", "unknown_platform"),
    ]


def test_the_quarantine_keeps_what_stood_in_a_row(warehouse: Warehouse) -> None:
    """As delivered: not trimmed, not cast, gaps as gaps; in the types of the file."""
    content = {
        f"{table} {rule}": {name: value for name, value in json.loads(raw).items() if value is not None}
        for table, rule, raw, run in warehouse.rows(
            "select source_table, quarantine_rule, raw_content, run_id from stg_quarantine__rows"
        )
        if run == "manual"
    }
    assert content["web_events unreadable_occurred_at"] == {
        "event_id": "bad_time",
        "platform": "web",
        "event_name": "page_view",
        "occurred_at": "yesterday",
        "loaded_at": "2024-12-30 00:00:00",
    }
    assert content["web_events missing_event_name"]["event_name"] == "  "
    assert content["social_events out_of_range_sentiment"]["sentiment"] == "-1.5"
    assert content["message_events missing_event_id"]["is_machine"] == 0


def test_every_row_is_accounted_for(warehouse: Warehouse) -> None:
    accounts = {table: counts for table, *counts in warehouse.rows("from stg_quarantine__row_accounts")}
    assert set(accounts) == set(read_contract(PROJECT))
    # In, out, quarantined, superseded, deleted, erased.
    assert accounts["web_events"] == [29, 11, 13, 3, 2, 0]
    assert accounts["orders"] == [9, 3, 6, 0, 0, 0]
    assert accounts["store_visits"] == [10, 4, 0, 5, 1, 0]
    assert accounts["referrals"] == [0, 0, 0, 0, 0, 0]


def test_bots_are_told_by_their_user_agent(warehouse: Warehouse) -> None:
    assert warehouse.rows("select event_id from stg_web__events where is_bot order by 1") == [
        ("offset",),
        ("zulu",),
    ]
    assert warehouse.rows("select count(*) from stg_web__events where is_bot is null") == [(0,)]


def test_values_are_cast_to_the_types_of_the_contract(warehouse: Warehouse) -> None:
    assert warehouse.rows(
        "select order_id, total_amount, currency, is_test, is_auto_renewal from stg_orders__orders order by 1"
    ) == [
        ("abroad", Decimal(7), "EUR", None, None),
        ("home", Decimal("10.005"), "USD", False, True),
        ("silent", Decimal(0), None, False, None),
    ]
    assert warehouse.rows("select rate_on, rate from stg_finance__exchange_rates") == [
        (date(2024, 5, 2), 1.1)
    ]


def test_identifiers_are_normalised(warehouse: Warehouse) -> None:
    assert warehouse.rows("select email from stg_web__events where event_id = 'winter'") == [
        ("ann@example.com",)
    ]
    assert warehouse.rows("select left_value, right_value from stg_identity__links order by link_id") == [
        ("ann@example.com", "12125550100"),
        ("network/ann", "C1"),
    ]
    handles = {
        "social__events": [("insta/ann",)],
        "reviews__reviews": [("reviews/ann",), ("stars/ann",)],
        "community__events": [("community/ann",)],
        "support__tickets": [("insta/ann",)],
    }
    for model, expected in handles.items():
        assert warehouse.rows(f"select handle from stg_{model} order by 1") == expected


def test_absent_tables_are_empty_and_have_the_types_of_the_contract(warehouse: Warehouse) -> None:
    types = dict(
        warehouse.rows(
            "select column_name, data_type from duckdb_columns() "
            "where database_name = 'build' and table_name = 'stg_promotions__promotions'"
        )
    )
    assert types["starts_at"] == "TIMESTAMP" and types["discount_rate"] == "DOUBLE"
    assert warehouse.rows("from stg_promotions__promotions") == []


def test_ties_do_not_depend_on_the_order_of_files(warehouse: Warehouse) -> None:
    """A deletion wins; else the same content wins, whichever file it came in."""
    query = "select visit_id, store_id from stg_stores__visits order by 1"
    first = warehouse.rows(query)
    assert [key for key, _ in first] == ["p", "q", "r", "s"]
    assert {store for _, store in first} == {"1", "2"}, "the hash should not favour one file by accident"
    land_visits(warehouse.raw, "b", "a")
    warehouse.open_raw()
    warehouse.dbt("run", "base_stores__visits", "stg_stores__visits")
    assert warehouse.rows(query) == first


def test_generic_tests_find_what_they_look_for(warehouse: Warehouse) -> None:
    """A repeated key, a missing value and an account that does not balance, planted into built tables."""
    warehouse.rows(
        "insert into stg_stores__visits by name select * from stg_stores__visits where visit_id = 'p'"
    )
    warehouse.rows("update stg_stores__visits set entered_at = null where visit_id = 'q'")
    warehouse.rows(
        "update stg_quarantine__row_accounts set rows_out = rows_out + 1 where source_table = 'orders'"
    )
    outcome = warehouse.dbt("test", "stg_stores__visits", "stg_quarantine__row_accounts")
    failures = {name.partition("_stg_")[0]: outcome[name] for name in outcome}
    assert failures == {"unique_and_complete": ("fail", 2), "accounts_balance": ("fail", 1)}
