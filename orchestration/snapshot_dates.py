"""Snapshot dates as Dagster's daily partitions: which day, or range of days, a run is for.

Only the published file is partitioned: a partition says that readers were given the warehouse as of that day.
The tables behind it hold all days at once. What does NOT belong here: what a night does with its day
(`orchestration.resources`, `warehouse.state`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

import dagster as dg

from orchestration.settings import FIRST_SNAPSHOT_DATE, Settings, SettingsError

# A range of partitions is one run, for the last of them.
ONE_RUN = dg.BackfillPolicy.single_run()
# How Dagster's own launchers say in a run's tags which partitions it is for.
_DAY = "dagster/partition"
_FIRST_DAY = "dagster/asset_partition_range_start"
_LAST_DAY = "dagster/asset_partition_range_end"


@dataclass(frozen=True)
class SnapshotDates:
    """What a run is for.

    Attributes:
        last: The snapshot date.
        restate_from: First day that is to be built again; None for no day but those that are unknown.
    """

    last: date
    restate_from: date | None = None

    def tags(self) -> dict[str, str]:
        """Return the tags with which Dagster marks a run of these partitions."""
        if self.restate_from is None:
            return {_DAY: self.last.isoformat()}
        return {_FIRST_DAY: self.restate_from.isoformat(), _LAST_DAY: self.last.isoformat()}


def partitions(settings: Settings) -> dg.DailyPartitionsDefinition:
    """Return one partition per business day that has ended.

    Args:
        settings: The business time zone.
    """
    return dg.DailyPartitionsDefinition(
        start_date=FIRST_SNAPSHOT_DATE.isoformat(), timezone=settings.time_zone
    )


def of_run(tags: Mapping[str, str], settings: Settings, as_of: str | None = None) -> SnapshotDates:
    """Return what a run is for: its partitions, else its configuration's day, else the last complete day.

    Args:
        tags: The run's tags.
        settings: The business time zone.
        as_of: Day that the configuration names, `YYYY-MM-DD`.

    Raises:
        SettingsError: The configuration names another day than the partitions, or a range is upside down.
    """
    last = tags.get(_DAY) or tags.get(_LAST_DAY)
    if last is None:
        return SnapshotDates(date.fromisoformat(as_of) if as_of else settings.last_complete_day())
    if as_of not in (None, last):
        raise SettingsError(f"The run is for partition {last}, its configuration for {as_of}; leave one out.")
    first = tags.get(_FIRST_DAY)
    dates = SnapshotDates(date.fromisoformat(last), date.fromisoformat(first) if first else None)
    if dates.restate_from is not None and dates.restate_from > dates.last:
        raise SettingsError(f"The range of partitions {first}...{last} ends before it begins.")
    return dates
