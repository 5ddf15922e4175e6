"""The period that a sample covers and the two home zones of its people.

Instants are int64 microseconds since 1970-01-01 UTC everywhere in this package. Who acts when belongs in
the modules of the channels.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np

from loaders.sample.arrays import Bools, Floats, Ints

SECOND = 1_000_000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
DAY = 24 * HOUR

ZONES = ("America/New_York", "Europe/Berlin")
BATCH = 6 * HOUR
BATCH_DELAY = 10 * MINUTE
LOADING_AFTER_END = 2 * HOUR

_MARGIN = 40 * DAY
_HOURLY_ACTIVITY = (
    *(1.2, 0.7, 0.4, 0.3, 0.3, 0.5, 1.2, 2.4, 3.6, 4.4, 5.0, 5.4),
    *(5.8, 5.6, 5.2, 5.0, 5.2, 5.6, 6.4, 7.2, 7.6, 7.0, 5.0, 2.6),
)


def micros(moment: datetime) -> int:
    """Microseconds since the epoch of an aware moment."""
    return int((moment - datetime(1970, 1, 1, tzinfo=UTC)) / timedelta(microseconds=1))


@dataclass(frozen=True)
class Transition:
    """One change of the clocks.

    Attributes:
        zone: Index in ``ZONES``.
        at: The instant of the change, in microseconds.
        step: By how much wall clocks jump, in microseconds; negative in autumn, when an hour repeats.
    """

    zone: int
    at: int
    step: int


class Clock:
    """Start and end of the sample, and wall clocks within it.

    Attributes:
        start: First instant, midnight UTC.
        end: First instant after the last day, midnight UTC; nothing happens from then on.
        load_end: Last instant at which anything is loaded.
    """

    def __init__(self, days: int, end_on: date) -> None:
        """Set the period to ``days`` UTC days of which ``end_on`` is the last."""
        midnight = datetime(end_on.year, end_on.month, end_on.day, tzinfo=UTC) + timedelta(days=1)
        self.days = days
        self.end = micros(midnight)
        self.start = self.end - days * DAY
        self.load_end = self.end + LOADING_AFTER_END
        self._first = self.start - _MARGIN
        hours = range((self.end - self.start + 2 * _MARGIN) // HOUR)
        begin = midnight - timedelta(days=days) - timedelta(microseconds=_MARGIN)
        self._offsets = np.array([_offsets(ZoneInfo(name), begin, hours) for name in ZONES], dtype=np.int64)
        shares = np.cumsum(np.array((0.0, *_HOURLY_ACTIVITY)))
        self._day_shares: Floats = shares / shares[-1]

    def offset(self, instants: Ints, zones: Ints) -> Ints:
        """East-positive UTC offset in microseconds of each instant in its zone."""
        hours = np.clip((instants - self._first) // HOUR, 0, self._offsets.shape[1] - 1)
        found: Ints = self._offsets[zones, hours]
        return found

    def from_local(self, local: Ints, zones: Ints) -> Ints:
        """Instants of wall-clock readings; of a repeated hour the one that the offset before it gives."""
        return local - self.offset(local - self.offset(local, zones), zones)

    def in_waking_hours(self, instants: Ints, zones: Ints, shares: Floats) -> Ints:
        """Move instants within their local day to a plausible hour.

        Args:
            instants: Instants whose local date is kept where the period allows it.
            zones: Home zone of each.
            shares: Uniform numbers in [0, 1), read through the day's activity profile.
        """
        local_days = (instants + self.offset(instants, zones)) // DAY
        time_of_day = (np.interp(shares, self._day_shares, np.arange(25)) * HOUR).astype(np.int64)
        moved = self.from_local(local_days * DAY + time_of_day, zones)
        return np.where((moved >= self.start) & (moved < self.end), moved, instants)

    def batch(self, instants: Ints) -> Ints:
        """Regular loading time of rows known at the instants: the batch that follows, within six hours."""
        return np.minimum((instants // BATCH + 1) * BATCH + BATCH_DELAY, self.load_end)

    def within(self, instants: Ints) -> Bools:
        """Which instants lie in the period."""
        return (instants >= self.start) & (instants < self.end)

    def transitions(self) -> Sequence[Transition]:
        """Changes of the clocks within the period that leave an hour of data on both sides."""
        found = []
        for zone in range(len(ZONES)):
            steps = np.diff(self._offsets[zone])
            for hour in np.flatnonzero(steps):
                at = self._first + (int(hour) + 1) * HOUR
                if self.start + 2 * HOUR <= at <= self.end - 2 * HOUR:
                    found.append(Transition(zone, at, int(steps[hour])))
        return found


def _offsets(zone: ZoneInfo, begin: datetime, hours: range) -> list[int]:
    """Offset in microseconds at the start of every hour; zones with changes at half hours would not fit."""
    found: list[int] = []
    for day in range(0, len(hours), 24):
        moments = [begin + timedelta(hours=day), begin + timedelta(hours=day + 24)]
        first, last = (_offset(zone, moment) for moment in moments)
        if first == last:
            found.extend([first] * 24)
        else:
            found.extend(_offset(zone, moments[0] + timedelta(hours=hour)) for hour in range(24))
    return found[: len(hours)]


def _offset(zone: ZoneInfo, moment: datetime) -> int:
    shift = moment.astimezone(zone).utcoffset()
    assert shift is not None  # noqa: S101  a ZoneInfo always has an offset
    return int(shift / timedelta(microseconds=1))
