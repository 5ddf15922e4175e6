"""A real grocer's 2017 in weekly nights: after 52 of them, what one full refresh of the year makes.

Every week brings its own files; one order in fifty comes five weeks late. Nights without Great Expectations
and publication, so that the year takes minutes.
"""

from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path

import duckdb
import pytest
from bare_nights import BareWarehouse
from differences import assert_same
from histories import scratch

from loaders import complete_journey

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1_800)]

TIME_ZONE = "America/New_York"
WEEKS = 52
# The year has a day more than 52 weeks: the last one has eight.
SNAPSHOTS = [date(2017, 1, 7) + timedelta(weeks=week) for week in range(WEEKS - 1)] + [date(2017, 12, 31)]
# Table to the day that its rows are about; campaigns and customers are known from the start.
DAYS = {
    "orders": f"cast(timezone('{TIME_ZONE}', ordered_at) as date)",
    "message_events": "cast(occurred_at as date)",
    "coupon_redemptions": "cast(redeemed_at as date)",
    "campaigns": "date '2017-01-01'",
    "customers": "date '2017-01-01'",
}


def _cut(landed: Path, into: Path) -> None:
    """Deal the rows of every table to files by the week in which they arrive."""
    with duckdb.connect() as connection:
        connection.execute("set TimeZone = 'UTC'")
        for table, day in DAYS.items():
            late = "if(hash(order_id) % 50 = 0, 5, 0)" if table == "orders" else "0"
            week = f"greatest(0, ({day} - date '2017-01-01') // 7) + {late}"
            connection.execute(
                f"create or replace table dealt as select *, least({week}, {WEEKS - 1}) as week"
                f" from read_parquet('{landed}/{table}/*.parquet')"
            )
            (into / table).mkdir(parents=True)
            weeks = connection.execute("select distinct week from dealt order by week").fetchall()
            for (number,) in weeks:
                connection.execute(
                    f"copy (select * exclude (week) from dealt where week = {number})"
                    f" to '{into}/{table}/{number:02}.parquet'"
                )


def _weekly_files(dealt: Path) -> Iterator[list[Path]]:
    for week in range(WEEKS):
        yield sorted(dealt.glob(f"*/{week:02}.parquet"))


def test_a_year_of_weekly_nights_equals_a_full_refresh() -> None:
    with scratch() as folder:
        complete_journey.land(folder / "landed")
        _cut(folder / "landed", folder / "dealt")
        lived = BareWarehouse(folder / "lived", TIME_ZONE)
        for as_of, files in zip(SNAPSHOTS, _weekly_files(folder / "dealt"), strict=True):
            for file in files:
                target = lived.raw / file.parent.name
                target.mkdir(exist_ok=True)
                file.rename(target / file.name)
            night = lived.night(as_of)
            assert bool(night.basis.last_number) == (as_of > SNAPSHOTS[0])
        assert not list((folder / "dealt").rglob("*.parquet"))
        full = BareWarehouse(folder / "full", TIME_ZONE, lived.raw)
        full.night(SNAPSHOTS[-1], is_full_refresh=True)
        assert_same(lived.place.marts_file, full.place.marts_file)
