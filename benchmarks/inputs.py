"""What is measured on: a generated sample of any size, and a real grocer's year; landed once and kept.

A sample stands cut into a history and two nights, see `benchmarks.arrivals`. What does NOT belong here:
measuring.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

from benchmarks import shards
from benchmarks.arrivals import BATCHES, Cut
from loaders.sample import DEFAULT_END
from orchestration import dbt
from orchestration.settings import PROJECT_ROOT

DAYS = 1_095
SEED = 7
# Interactions that a sample of this length has per person it is made for: 454,114 of 3,500 people.
INTERACTIONS_PER_CUSTOMER = 129.7
_CUTTERS = [Path(__file__).with_name(f"{module}.py") for module in ("arrivals", "shards")]
_ENGAGEMENT = Path(sys.executable).with_name("engagement")


@dataclass(frozen=True)
class Input:
    """A raw zone, and how its night is run.

    Attributes:
        name: For people.
        raw: The raw zone.
        as_of: Snapshot date.
        time_zone: Business time zone (IANA name).
    """

    name: str
    raw: Path
    as_of: date
    time_zone: str


@dataclass(frozen=True)
class Sample(Input):
    """A generated raw zone, all of it, and the batches that it arrived in.

    Attributes:
        cut: How many rows every batch has, and the day of the first night; `as_of` is that of the second.
        days: Days of history before the second night.
    """

    cut: Cut
    days: int

    def as_of_batch(self, batch: str) -> date:
        """Return the snapshot date of the night that reads a batch."""
        return self.cut.first_on + timedelta(days=BATCHES.index(batch) - 1)

    def land(self, batch: str, raw: Path) -> Input:
        """Let a batch arrive in a raw zone of its own; return the night that reads it.

        The files are linked, not copied: what costs time is not the loader's part.
        """
        for file in self.raw.glob(f"*/{batch}*"):
            target = raw / file.parent.name / file.name
            target.parent.mkdir(parents=True, exist_ok=True)
            target.hardlink_to(file)
        return Input(self.name, raw, self.as_of_batch(batch), self.time_zone)


def customers_of(interactions: int) -> int:
    """Return how many people bring about so many interactions in three years."""
    return max(1, round(interactions / INTERACTIONS_PER_CUSTOMER))


def sample(folder: Path, customers: int, days: int = DAYS) -> Sample:
    """Return a sample of some people; generate it unless it is there.

    A sample is generated again when the generator, or what cuts it, has changed.

    Args:
        folder: Where samples are kept.
        customers: People.
        days: Length. The rows per day do not depend on it.
    """
    sources = [*(PROJECT_ROOT / "loaders").rglob("*.py"), *_CUTTERS]
    place = folder / f"sample-{customers}x{days}-seed{SEED}-{dbt.fingerprint(sources, PROJECT_ROOT)[:12]}"
    summary = place / "cut.json"
    if not summary.exists():
        shutil.rmtree(place, ignore_errors=True)
        _generate(place, summary, customers, days)
    told = json.loads(summary.read_text(encoding="utf-8"))
    cut = Cut(date.fromisoformat(told["first_on"]), told["rows"], told["late_rows"])
    first_on = DEFAULT_END - timedelta(days=days - 1)
    known = (cut.first_on - first_on).days + 2
    return Sample(
        name=f"Synthetic sample, {customers:,} people, {known:,} days",
        raw=place / "raw",
        as_of=cut.first_on + timedelta(days=1),
        time_zone="UTC",
        cut=cut,
        days=known,
    )


def _generate(place: Path, summary: Path, customers: int, days: int) -> None:
    """Generate shards one after the other, cut them, and keep only what was cut.

    Each command has a process of its own, whose memory is not ours afterwards.
    """
    parts = []
    for shard, people in enumerate(shards.sizes(customers)):
        parts.append(place / "parts" / str(shard))
        options = ["--customers", people, "--days", days, "--seed", SEED + shard, "--out", parts[-1]]
        _call([_ENGAGEMENT, "sample", *options])
    options = ["--parts", *parts, "--raw", place / "raw", "--last-on", DEFAULT_END, "--days", days]
    _call([sys.executable, "-m", "benchmarks.arrivals", *options, "--summary", summary])
    shutil.rmtree(place / "parts")


def complete_journey(folder: Path) -> Input:
    """Return the grocer's 2017; land it unless it is there."""
    raw = folder / "complete-journey"
    complete = raw / "_complete.json"
    if not complete.exists():
        shutil.rmtree(raw, ignore_errors=True)
        raw.parent.mkdir(parents=True, exist_ok=True)
        command = ["land", "complete-journey", "--raw", raw]
        _call([_ENGAGEMENT, *command])
        complete.write_text(json.dumps({"command": command[:-1]}) + "\n", encoding="utf-8")
    return Input("Complete Journey, 2017", raw, date(2017, 12, 31), "America/New_York")


def _call(command: list[object]) -> None:
    subprocess.run([str(part) for part in command], check=True, cwd=PROJECT_ROOT)  # noqa: S603 - our own
