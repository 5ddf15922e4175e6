"""Staging, night upon night: whatever arrives, and however, leaves what a full build would have made."""

import json
from collections.abc import Sequence
from pathlib import Path
from random import Random

import duckdb
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from staging_nights import StagingNights

from expectations.runner import CheckResult, run_gate

VISITS = "stg_stores__visits"
HEADERS = {
    "store_visits": "visit_id,store_id,is_deleted,entered_at,loaded_at",
    "orders": "order_id,customer_ref,total_amount,currency,ordered_at,sales_channel,loaded_at",
    "order_returns": "return_id,order_id,amount,currency,returned_at,loaded_at",
    "exchange_rates": "rate_on,currency,rate,is_deleted,loaded_at",
    "web_events": "event_id,event_name,user_agent,occurred_at,loaded_at",
    "social_account_days": "network,account_id,observed_on,followers,is_deleted,loaded_at",
}


def land(raw: Path, file: str, *rows: str) -> Path:
    """Write a file of a raw table, whole, as a loader would."""
    path = raw / f"{file}.csv"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join([HEADERS[path.parent.name], *rows]) + "\n")
    return path


def visit(key: str, store: object = 1, *, loaded: int, deleted: str = "", entered: str = "2024-07-01") -> str:
    """A version of a visit that was loaded on that day of July."""
    return f"{key},{store},{deleted},{entered},2024-07-{loaded:02}"


# Models of the tables above; those of others stay empty, as the warehouse that nights start from has them.
STAGED = ("stores__visits", "orders__orders", "orders__returns", "finance__exchange_rates", "web__events")
SELECT = [
    *(f"{kind}_{name}" for name in (*STAGED, "social__account_days") for kind in ("base", "stg")),
    "stg_finance__first_rates",
    "stg_quarantine__rows",
    "stg_quarantine__row_accounts",
]
SELECT_VISITS = ["base_stores__visits", VISITS]


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A build file with all of staging over a raw zone without rows."""
    folder = tmp_path_factory.mktemp("built")
    land(folder / "raw", "store_visits/empty")
    nights = StagingNights(folder / "warehouse", folder / "raw")
    nights.night(is_tested=True)
    return nights.file


class Nights:
    """Nights over one raw zone, each held against a full build of everything that had arrived by then."""

    def __init__(self, folder: Path, built: Path) -> None:
        self.raw = folder / "raw"
        self.nights = StagingNights(folder / "nights", self.raw, built)
        self._folder = folder
        self._built = built
        self._fulls = 0

    def night(self, restated: Sequence[str] = ()) -> None:
        """Run a night, and hold it against a full build."""
        self.nights.night(select=SELECT, restated=restated)
        self.compare()

    def compare(self) -> None:
        """Insist that what stands there is what a full build makes, and that its rows are accounted for."""
        self._fulls += 1
        full = StagingNights(self._folder / f"full-{self._fulls}", self.raw, self._built)
        full.night(select=SELECT)
        expected, found = full.content(), self.nights.content()
        assert found.keys() == expected.keys()
        for table, rows in expected.items():
            assert found[table] == rows, table
        unbalanced = """
            from stg_quarantine__row_accounts
            where
                rows_in <> rows_out + rows_quarantined + rows_superseded + rows_deleted + rows_erased
                or least(rows_out, rows_quarantined, rows_superseded, rows_deleted) < 0
                or rows_erased <> 0
        """
        assert self.nights.rows(unbalanced) == full.rows(unbalanced) == []

    def visits(self) -> dict[str, str]:
        """Key to store, of the live rows."""
        return dict(self.nights.rows(f"select visit_id, store_id from {VISITS}"))

    def accounts(self, table: str) -> tuple[int, ...]:
        """In, out, quarantined, superseded, deleted: of the rows that the night read."""
        ((_, *counts),) = self.nights.rows(
            f"select * exclude (rows_erased) from stg_quarantine__row_accounts where source_table = '{table}'"
        )
        return tuple(counts)

    def changed(self, table: str, key: str, *columns: str) -> list[tuple[object, ...]]:
        """What rows said before a night that is not published yet, or was last, changed or removed them."""
        names = ", ".join([key, *columns])
        return self.nights.rows(f"select {names} from stg_{table}__changes order by all")


@pytest.fixture
def history(tmp_path: Path, built: Path) -> Nights:
    """A first night with visits that are as they should be."""
    nights = Nights(tmp_path, built)
    land(nights.raw, "store_visits/a", *(visit(key, loaded=2) for key in "abcdefgh"))
    nights.night()
    return nights


def test_new_corrected_late_and_deleted_rows(history: Nights) -> None:
    land(
        history.raw,
        "store_visits/b",
        visit("new", loaded=3),
        visit("a", 2, loaded=3),  # corrected
        visit("b", 2, loaded=1),  # an older version comes late
        visit("c", deleted="true", loaded=3),
        visit("unknown", deleted="true", loaded=3),
        visit("d", deleted="true", loaded=1),  # deleted, and restored by the version that is stored
        visit("e", loaded=2),  # the same again
        visit("f", entered="", loaded=3),  # broken: the sound version stays
    )
    history.night()
    assert history.visits() == dict.fromkeys(["new", *"bdefgh"], "1") | {"a": "2"}
    assert history.changed("stores__visits", "visit_id", "store_id") == [("a", "1"), ("c", "1")]
    assert history.accounts("store_visits") == (8, 2, 1, 3, 2)

    # Older versions of what is deleted do not bring it back; a later one does.
    land(
        history.raw,
        "store_visits/c",
        visit("c", 3, loaded=2),
        visit("unknown", 3, loaded=2),
        visit("f", 2, loaded=4),
    )
    history.night()
    assert history.visits().keys() == {"new", *"abdefgh"}
    assert history.changed("stores__visits", "visit_id", "store_id") == [("f", "1")]
    assert history.accounts("store_visits") == (3, 1, 0, 2, 0)
    land(history.raw, "store_visits/d", visit("c", 4, loaded=5), visit("unknown", 4, loaded=5))
    history.night()
    assert history.visits()["c"] == history.visits()["unknown"] == "4"
    assert history.changed("stores__visits", "visit_id") == [], "a key that was not live has not changed"


def test_versions_loaded_at_the_same_instant_in_several_files(history: Nights) -> None:
    """Neither the night nor the file in which a version comes decides, but what it says."""
    stores = range(2, 6)
    for store, name in zip(stores, ["0", "z", "1", "y"], strict=True):
        land(
            history.raw,
            f"store_visits/{name}",
            *(visit(key, store, loaded=2) for key in "abcdefgh"),
            visit(f"gone_{store}", deleted="true", loaded=9),
        )
        history.night()
    assert len(set(history.visits().values())) > 1, "the hash should not favour one version by accident"
    # The same file under another name is no news, but the first of equals by name is kept.
    land(history.raw, "store_visits/#copy", *(visit(key, loaded=2) for key in "abcdefgh"))
    land(history.raw, "store_visits/zz", visit("a", deleted="true", loaded=2))
    history.night()
    assert "a" not in history.visits()


def test_a_night_without_news_changes_nothing(history: Nights) -> None:
    before = history.nights.rows(f"from {VISITS} order by all")
    for _ in range(2):
        history.night()
        assert history.nights.rows(f"from {VISITS} order by all") == before
        assert history.accounts("store_visits") == (0, 0, 0, 0, 0)
        assert history.changed("stores__visits", "visit_id") == []


def test_a_file_that_changed_and_one_that_went_away(history: Nights) -> None:
    """Their table is read whole; rows that are no longer there go, deletions too, quarantine too."""
    land(
        history.raw,
        "store_visits/b",
        visit("a", 2, loaded=3),
        visit("b", deleted="true", loaded=3),
        visit("i", entered="", loaded=3),
        visit("j", loaded=3),
    )
    history.night()
    path = land(history.raw, "store_visits/b", visit("j", 7, loaded=3), visit("k", 7, loaded=3))
    history.night()
    assert history.nights.zone.reread_tables == ("store_visits",)
    assert history.visits() == dict.fromkeys("abcdefgh", "1") | {"j": "7", "k": "7"}
    assert history.changed("stores__visits", "visit_id", "store_id") == [("a", "2"), ("j", "1")]
    assert history.accounts("store_visits") == (10, 10, 0, 0, 0)
    (unchanged,) = history.nights.rows(f"select count(*) from {VISITS} where changed_in = 1")
    assert unchanged == (6,), "rows that are as they were are not written again"
    path.unlink()
    history.night()
    assert history.changed("stores__visits", "visit_id", "store_id") == [("j", "7"), ("k", "7")]
    history.night()
    assert history.nights.zone.reread_tables == ()


def test_a_killed_night_does_not_forget_what_changed_or_went_away(history: Nights) -> None:
    """It has noted the files already; the next night reads their table whole all the same."""
    path = land(history.raw, "store_visits/b", visit("i", loaded=3), visit("j", entered="", loaded=3))
    land(history.raw, "orders/a", "o,c,1,,2024-07-01,online,2024-07-02")
    history.night()
    (history.raw / "orders" / "a.csv").unlink()
    land(history.raw, "store_visits/b", visit("k", loaded=3))
    history.nights.look()
    history.nights.look()
    history.night()
    assert history.nights.zone.reread_tables == ("orders", "store_visits")
    assert history.visits().keys() == {*"abcdefghk"}
    # A file that came and changed before any night was published was never stored as it was.
    path = land(history.raw, "store_visits/c", visit("l", loaded=3), visit("a", deleted="true", loaded=3))
    history.nights.night(select=SELECT_VISITS, is_published=False)
    assert "l" in history.visits()
    path.unlink()
    history.nights.night(select=SELECT_VISITS, is_published=False)
    assert history.visits().keys() == {*"abcdefghk"}
    history.night()
    history.night()
    assert history.nights.zone.reread_tables == ()


def test_a_night_that_was_killed_is_repaired(history: Nights) -> None:
    """Once and again, half way through staging; what it changed is told until a night is published."""
    land(history.raw, "store_visits/b", visit("a", 2, loaded=3), visit("new", loaded=3))
    history.nights.night(select=SELECT_VISITS, is_published=False)
    first = history.nights.rows(f"from {VISITS} order by all")
    history.nights.night(select=SELECT_VISITS, is_published=False)
    assert history.nights.rows(f"from {VISITS} order by all") == first
    land(history.raw, "store_visits/c", visit("a", 3, loaded=4), visit("b", deleted="true", loaded=4))
    history.night()
    assert history.changed("stores__visits", "visit_id", "store_id") == [("a", "1"), ("a", "2"), ("b", "1")]
    assert history.accounts("store_visits") == (4, 2, 0, 1, 1)
    history.night()
    assert history.changed("stores__visits", "visit_id") == []


def test_a_full_build_that_was_killed_before_its_last_statement_is_repaired(history: Nights) -> None:
    """Deletions leave the table only after it is committed."""
    land(history.raw, "store_visits/b", visit("c", deleted="true", loaded=3))
    history.night()
    with duckdb.connect(str(history.nights.file)) as connection:
        connection.execute(
            f"insert into staging.staging.{VISITS} by name"
            f" select * replace ('c' as visit_id, true as is_deleted) from staging.staging.{VISITS} limit 1"
        )
    land(history.raw, "store_visits/c", visit("new", loaded=4))
    history.night()
    assert history.visits().keys() == {"new", *"abdefgh"}


def test_quarantined_rows_stay_until_they_are_mended(history: Nights) -> None:
    held_back = "select source_table, source_key, quarantine_rule, source_file from stg_quarantine__rows"
    land(history.raw, "store_visits/b", visit("i", entered="", loaded=3))
    land(
        history.raw, "web_events/a", "w,pageview,,2024-07-01,2024-07-02", "v,page_view,,2024-07-01,2024-07-02"
    )
    history.night()
    history.night()
    rows = [
        ("store_visits", "i", "missing_entered_at", "store_visits/b.csv"),
        ("web_events", "w", "unknown_event_name", "web_events/a.csv"),
    ]
    assert sorted(history.nights.rows(held_back)) == rows
    land(history.raw, "store_visits/c", visit("i", loaded=4))
    history.night()
    assert history.visits()["i"] == "1"
    # A row of the log stays in quarantine, although a later version of its key is sound.
    assert sorted(history.nights.rows(held_back)) == rows
    # A rule of one table changed: its rows are judged again, those of others stay.
    history.night(restated=("base_web__events", "stg_web__events", "stg_quarantine__row_accounts"))
    assert sorted(history.nights.rows(held_back)) == rows
    # So it is when the quarantine itself is built anew, from all rows of all tables.
    bases = [name for name in SELECT if name.startswith("base_")]
    history.night(restated=[*bases, "stg_quarantine__rows"])
    assert sorted(history.nights.rows(held_back)) == rows


def test_events_come_back_when_the_taxonomy_learns_their_name(history: Nights) -> None:
    land(
        history.raw,
        "web_events/a",
        "w,page_viewed,,2024-07-01,2024-07-02",
        "v,other,,2024-07-01,2024-07-02",
        "u,page_view,,2024-07-01,2024-07-02",
    )
    history.night()
    assert history.nights.rows("select event_id from stg_web__events") == [("u",)]
    with duckdb.connect(str(history.nights.file)) as connection:
        connection.execute(
            "insert into seeds.interaction_types by name "
            "select * replace ('page_viewed' as event_name) from seeds.interaction_types "
            "where source_table = 'web_events' and event_name = 'page_view'"
        )
    # what a changed seed comes to: orchestration.restatement
    history.nights.night(select=SELECT, restated=("base_web__events", "stg_web__events"))
    assert history.nights.rows("select event_id from stg_web__events order by 1") == [("u",), ("w",)]
    assert history.nights.rows("select source_key from stg_quarantine__rows") == [("v",)]
    assert history.accounts("web_events") == (3, 2, 1, 0, 0)


def test_amounts_come_back_when_their_exchange_rate_arrives(tmp_path: Path, built: Path) -> None:
    """And go when it is taken back; in the very first night that builds on another, too."""
    history = Nights(tmp_path, built)
    order = "{},c,1,{},2024-07-0{},online,2024-07-09"
    land(
        history.raw,
        "orders/a",
        order.format("usd", "USD", 1),
        order.format("early", "EUR", 1),
        order.format("late", "EUR", 5),
        order.format("other", "SEK", 5),
    )
    land(history.raw, "order_returns/a", "r,late,1,EUR,2024-07-06,2024-07-09")
    history.night()
    orders = "select order_id from stg_orders__orders order by 1"
    returns = "select return_id from stg_orders__returns"
    assert history.nights.rows(orders) == [("usd",)]
    land(history.raw, "exchange_rates/a", "2024-07-04,EUR,1.1,,2024-07-09")
    history.night()
    assert history.nights.rows(orders) == [("late",), ("usd",)]
    assert history.nights.rows(returns) == [("r",)]
    assert history.accounts("orders") == (4, 2, 2, 0, 0)
    land(history.raw, "exchange_rates/b", "2024-06-30,EUR,1.1,,2024-07-09", "2024-07-04,EUR,1.2,,2024-07-10")
    history.nights.night(select=("+stg_finance__first_rates",), is_published=False)
    history.night()
    assert history.nights.rows(orders) == [("early",), ("late",), ("usd",)]
    assert history.changed("finance__exchange_rates", "currency", "rate") == [("EUR", 1.1)]
    land(history.raw, "exchange_rates/c", "2024-07-11,EUR,1.3,,2024-07-12")
    history.night()
    assert history.accounts("orders") == (0, 0, 0, 0, 0), "only a first rate is news to what is held back"
    land(
        history.raw,
        "exchange_rates/d",
        "2024-06-30,EUR,0,true,2024-07-13",
        "2024-07-04,EUR,0,true,2024-07-13",
    )
    history.night()
    assert history.nights.rows(orders) == [("usd",)]
    assert history.changed("orders__orders", "order_id") == [("early",), ("late",)]


def test_rows_as_they_really_come_are_staged_or_held_back(history: Nights) -> None:
    """Offsets that differ from row to row, line breaks, NUL bytes, long texts and the same file twice."""
    long = "x" * 3_000_000
    file = (
        visit("paris", loaded=3, entered="2024-07-01 12:00:00+02:00"),
        visit("utc", loaded=3, entered="2024-07-01T12:00:00Z"),
        visit("india", loaded=3, entered="2024-07-01 12:00:00 +0530"),
        visit("lines", '"a\nb"', loaded=3),
        visit("nul\0", "s\0t", loaded=3),
        visit("long", long, loaded=3),
        visit("broken\0", long, loaded=3, entered="?"),
    )
    land(history.raw, "store_visits/b", *file)
    land(history.raw, "store_visits/c", *file)
    history.night()
    assert history.accounts("store_visits") == (14, 6, 2, 6, 0)
    query = f"select visit_id, entered_at::varchar, store_id from {VISITS} where visit_id not in ?"
    assert history.nights.rows(query.replace("?", str(tuple("abcdefgh")) + " order by 1")) == [
        ("india", "2024-07-01 06:30:00", "1"),
        ("lines", "2024-07-01 00:00:00", "a\nb"),
        ("long", "2024-07-01 00:00:00", long),
        ("nul\0", "2024-07-01 00:00:00", "s\0t"),
        ("paris", "2024-07-01 10:00:00", "1"),
        ("utc", "2024-07-01 12:00:00", "1"),
    ]
    ((key, content), _) = history.nights.rows("select source_key, raw_content from stg_quarantine__rows")
    assert key == "broken\0"
    assert (json.loads(content)["visit_id"], json.loads(content)["store_id"]) == ("broken\0", long)


def test_a_feed_that_mostly_ends_in_quarantine_stops_at_the_gate(history: Nights) -> None:
    """Night after night, until it is mended: the files of a night that stopped have not been read."""
    bad = [visit(f"x{number}", loaded=3, entered="?") for number in range(21)]
    land(history.raw, "store_visits/b", *bad, *(visit(f"y{number}", loaded=3) for number in range(9)))
    for _ in range(2):
        history.nights.night(select=SELECT, is_published=False)
        (stopped,) = failed_expectations(history)
        assert (stopped.table_name, stopped.expectation) == (
            "stg_quarantine__row_accounts",
            "expect_few_rows_in_quarantine",
        )
        assert (stopped.unexpected_count, stopped.element_count) == (21, 30)
        assert stopped.severity == "critical"
        (sentence,) = stopped.sentences
        assert sentence.startswith(
            "store_visits: 21 of 30 rows (70.0 %) are in quarantine, more than 5.0 % "
            "(unreadable_entered_at: 21): mend the loader"
        )
    land(history.raw, "store_visits/b", *(row.replace("?", "2024-07-01") for row in bad))
    history.night()
    assert failed_expectations(history) == []


def failed_expectations(history: Nights) -> list[CheckResult]:
    """What the gate of staging finds."""
    return [result for result in run_gate("staging", history.nights.folder) if not result.success]


def test_keys_of_several_columns_and_bots(history: Nights) -> None:
    day = "insta,brand,2024-07-0{},{},{},2024-07-{:02}"
    land(history.raw, "social_account_days/a", *(day.format(number, 10, "", 9) for number in range(1, 5)))
    land(history.raw, "web_events/a", "w,page_view,curl/8.0,2024-07-01,2024-07-02")
    history.night()
    land(
        history.raw,
        "social_account_days/b",
        day.format(1, 11, "", 10),
        day.format(2, 11, "", 8),
        day.format(3, 0, "true", 10),
        day.format(5, 10, "", 10),
    )
    land(
        history.raw,
        "web_events/b",
        "w,page_view,Mozilla/5.0,2024-07-01,2024-07-03",
        "x,page_view,curl/8.0,2024-07-01,2024-07-03",
        "y,page_view,,2024-07-01,2024-07-03",
    )
    history.night()
    assert history.nights.rows("select event_id, is_bot from stg_web__events order by 1") == [
        ("w", False),
        ("x", True),
        ("y", False),
    ]
    assert history.changed("web__events", "event_id", "is_bot") == [("w", True)]
    assert history.changed(
        "social__account_days", "network", "account_id", "day(observed_on)", "followers"
    ) == [
        ("insta", "brand", 1, 10),
        ("insta", "brand", 3, 10),
    ]


def test_identities_are_hashed_by_their_leading_identifier(history: Nights) -> None:
    land(
        history.raw, "orders/a", "1,Ann,1,,2024-07-01,online,2024-07-02", "2,,1,,2024-07-01,online,2024-07-02"
    )
    history.night()
    assert history.nights.rows(
        "select order_id, identity_hash is not distinct from hash('customer_ref:Ann') "
        "from stg_orders__orders order by 1"
    ) == [("1", True), ("2", False)]
    assert history.nights.rows("select identity_hash from stg_orders__orders where order_id = '2'") == [
        (None,)
    ]


def test_tests_of_staging_read_what_the_night_wrote(history: Nights) -> None:
    """A fault among rows of earlier nights was theirs to find; one among tonight's fails."""
    land(history.raw, "store_visits/b", visit("new", loaded=3))
    outcome = history.nights.night(is_tested=True)
    assert {status for name, status in outcome.items() if "unique_and_complete" in name} == {"pass"}
    with duckdb.connect(str(history.nights.file)) as connection:
        connection.execute(f"update staging.staging.{VISITS} set entered_at = null where visit_id = 'a'")
    history.nights.test(VISITS)
    with duckdb.connect(str(history.nights.file)) as connection:
        connection.execute(f"update staging.staging.{VISITS} set entered_at = null where visit_id = 'new'")
    with pytest.raises(AssertionError, match="unique_and_complete"):
        history.nights.test(VISITS)


# What a loader may land: a version of one of a few keys, sound or broken, alive or deleted.
VERSIONS = st.tuples(
    st.sampled_from("abc"),
    st.integers(1, 3),
    st.sampled_from(["", "", "true"]),
    st.sampled_from(["2024-07-01", "2024-07-01", ""]),
    st.integers(2, 4),
)


@settings(
    max_examples=6,
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(st.lists(st.lists(VERSIONS, max_size=6), min_size=2, max_size=4), st.randoms(use_true_random=False))
def test_any_versions_in_any_files_over_any_nights(
    built: Path,
    tmp_path_factory: pytest.TempPathFactory,
    arrivals: list[list[tuple[str, int, str, str, int]]],
    random: Random,
) -> None:
    """Files come in any order, with versions in any order; some change and some go away again."""
    folder = tmp_path_factory.mktemp("any")
    raw = folder / "raw"
    land(raw, "store_visits/base")
    nights = StagingNights(folder / "nights", raw, built)
    nights.night(select=SELECT_VISITS)
    for versions in arrivals:
        file = f"store_visits/{random.randrange(4)}"
        if random.random() < 0.2:
            (raw / f"{file}.csv").unlink(missing_ok=True)
        else:
            rows = [
                visit(key, store, deleted=deleted, entered=entered, loaded=day)
                for key, store, deleted, entered, day in versions
            ]
            land(raw, file, *rows)
        nights.night(select=SELECT_VISITS, is_published=random.random() < 0.7)
    nights.night(select=SELECT_VISITS)
    full = StagingNights(folder / "full", raw, built)
    full.night(select=SELECT_VISITS)
    assert nights.content() == full.content()
