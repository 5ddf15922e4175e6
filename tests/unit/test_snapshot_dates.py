"""For which day a run is: its partitions, its configuration, or the last day that has ended."""

from datetime import date, datetime
from zoneinfo import ZoneInfo

import dagster as dg
import pytest

from orchestration.settings import FIRST_SNAPSHOT_DATE, Settings, SettingsError
from orchestration.snapshot_dates import SnapshotDates, of_run, partitions

RANGE = {
    "dagster/asset_partition_range_start": "2025-12-01",
    "dagster/asset_partition_range_end": "2025-12-31",
}


def test_a_run_of_one_partition_is_for_its_day():
    assert of_run({"dagster/partition": "2025-12-31"}, Settings()) == SnapshotDates(date(2025, 12, 31))


def test_a_run_of_a_range_is_for_its_last_day_and_restates_from_its_first():
    assert of_run(RANGE, Settings()) == SnapshotDates(date(2025, 12, 31), date(2025, 12, 1))


def test_without_a_partition_the_configuration_says_the_day():
    assert of_run({"as_of": "x"}, Settings(), "2025-11-30") == SnapshotDates(date(2025, 11, 30))


def test_without_either_it_is_the_last_complete_day_of_the_business():
    settings = Settings(time_zone="Pacific/Kiritimati")
    before = settings.last_complete_day()
    assert before <= of_run({}, settings).last <= settings.last_complete_day()


@pytest.mark.parametrize("tags", [{"dagster/partition": "2025-12-31"}, RANGE])
def test_a_configuration_for_another_day_is_refused(tags: dict[str, str]):
    assert of_run(tags, Settings(), "2025-12-31").last == date(2025, 12, 31)
    with pytest.raises(SettingsError, match=r"partition 2025-12-31, its configuration for 2025-12-30"):
        of_run(tags, Settings(), "2025-12-30")


def test_a_range_upside_down_is_refused():
    upside_down = dict(zip(RANGE, reversed(RANGE.values()), strict=True))
    with pytest.raises(SettingsError, match="ends before it begins"):
        of_run(upside_down, Settings())


@pytest.mark.parametrize(
    "dates", [SnapshotDates(date(2025, 2, 28)), SnapshotDates(date(2025, 2, 28), date(2025, 1, 31))]
)
def test_what_the_command_line_tags_is_what_a_run_reads(dates: SnapshotDates):
    assert of_run(dates.tags(), Settings()) == dates


def test_a_day_is_a_partition_once_it_has_ended_in_the_business_time_zone():
    days = partitions(Settings(time_zone="America/New_York"))
    assert days.get_first_partition_key() == FIRST_SNAPSHOT_DATE.isoformat()
    # The night in which clocks go forward: midnight in New York is 05:00 UTC before, 04:00 after.
    for moment, last in [
        (datetime(2024, 3, 10, 4, 59, tzinfo=ZoneInfo("UTC")), "2024-03-08"),
        (datetime(2024, 3, 10, 5, 0, tzinfo=ZoneInfo("UTC")), "2024-03-09"),
        (datetime(2024, 3, 11, 4, 0, tzinfo=ZoneInfo("UTC")), "2024-03-10"),
    ]:
        with dg.partition_loading_context(effective_dt=moment):
            assert days.get_last_partition_key() == last
