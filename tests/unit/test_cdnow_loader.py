"""CDNOW as raw orders: one per line of the file, with unique keys and days that survive every time zone."""

import sys
from datetime import date
from pathlib import Path
from typing import Any

import duckdb
import pytest

from loaders import cdnow
from loaders.write import LandingError, LandingSummary


def rows_of(summary: LandingSummary, query: str) -> list[tuple[Any, ...]]:
    """Run a query over the landed orders, as relation `orders`."""
    with duckdb.connect() as connection:
        connection.execute("set TimeZone = 'UTC'")
        connection.read_parquet(str(summary.file("orders"))).create_view("orders")
        return connection.execute(query).fetchall()


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> LandingSummary:
    return cdnow.land(tmp_path_factory.mktemp("raw"))


def test_the_sample_is_every_line_of_its_file(sample: LandingSummary) -> None:
    assert sample.rows == {"orders": 6_919}
    [(keys, customers, first, last)] = rows_of(
        sample,
        """
        select
            count(distinct order_id),
            count(distinct customer_ref),
            cast(min(ordered_at) as varchar),
            cast(max(ordered_at) as varchar)
        from orders
        """,
    )
    assert (keys, customers) == (6_919, 2_357)
    assert (first, last) == ("1997-01-01 12:00:00+00", "1998-06-30 12:00:00+00")


def test_the_first_line_arrives_as_written(sample: LandingSummary) -> None:
    assert rows_of(
        sample,
        """
        select
            order_id,
            customer_ref,
            sales_channel,
            cast(ordered_at as varchar),
            cast(total_amount as varchar),
            currency,
            cast(loaded_at as varchar)
        from orders
        limit 1
        """,
    ) == [
        (
            "00004|1997-01-01|1",
            "00004",
            "online",
            "1997-01-01 12:00:00+00",
            "29.33",
            "USD",
            "1997-01-02 02:00:00+00",
        )
    ]


def test_orders_of_one_customer_and_day_are_numbered(sample: LandingSummary) -> None:
    [(repeats,)] = rows_of(sample, "select count(*) from orders where not ends_with(order_id, '|1')")
    assert repeats == 223


@pytest.mark.parametrize("time_zone", ["Etc/GMT+12", "America/New_York", "UTC", "Asia/Tokyo", "Etc/GMT-11"])
def test_the_day_is_the_same_in_every_business_time_zone(sample: LandingSummary, time_zone: str) -> None:
    assert (
        rows_of(
            sample,
            f"""
        select order_id
        from orders
        where
            cast(ordered_at at time zone '{time_zone}' as date)
            <> cast(split_part(order_id, '|', 2) as date)
        """,
        )
        == []
    )


def test_through_cuts_after_that_day(tmp_path: Path) -> None:
    summary = cdnow.land(tmp_path, through=date(1997, 9, 30))
    assert summary.rows == {"orders": 4_960}
    assert rows_of(summary, "select max(cast(ordered_at as date)) from orders") == [(date(1997, 9, 30),)]


def test_the_master_file_has_a_heading_and_no_second_number(tmp_path: Path) -> None:
    summary = cdnow.land(tmp_path, cut="master")
    assert summary.rows == {"orders": 69_659}
    assert rows_of(summary, "select count(distinct order_id), count(distinct customer_ref) from orders") == [
        (69_659, 23_570)
    ]


def test_the_sample_is_part_of_the_master_file(sample: LandingSummary, tmp_path: Path) -> None:
    master = cdnow.land(tmp_path, cut="master").file("orders")
    query = f"""
        select customer_ref, ordered_at, total_amount from orders
        except all select customer_ref, ordered_at, total_amount from read_parquet('{master}')
    """
    assert rows_of(sample, query) == []


def test_landing_twice_writes_the_same_file(sample: LandingSummary, tmp_path: Path) -> None:
    assert cdnow.land(tmp_path).file("orders").read_bytes() == sample.file("orders").read_bytes()


def test_a_missing_package_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(
        LandingError, match=r"lifetimes is not installed: install .* development requirements"
    ):
        cdnow.land(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_the_datasets_module_is_not_run(sample: LandingSummary) -> None:
    assert "lifetimes.datasets" not in sys.modules
