"""What is measured on: a generated sample of any size, and a real grocer's year; landed once and kept.

What does NOT belong here: measuring.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from orchestration import dbt
from orchestration.settings import PROJECT_ROOT

DAYS = 1_095
SEED = 7
# Interactions that a sample of this length has per person it is made for: 454,114 of 3,500 people.
INTERACTIONS_PER_CUSTOMER = 129.7
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


def sample(folder: Path, interactions: int) -> Input:
    """Return a sample of about so many interactions over three years; generate it unless it is there.

    A sample is generated again when the generator has changed.

    Args:
        folder: Where samples are kept.
        interactions: Rows of `fct_interactions` that are aimed at, within a few percent.
    """
    customers = max(1, round(interactions / INTERACTIONS_PER_CUSTOMER))
    generator = dbt.fingerprint((PROJECT_ROOT / "loaders").rglob("*.py"), PROJECT_ROOT)[:12]
    raw = folder / f"sample-{customers}x{DAYS}-seed{SEED}-{generator}"
    _land_once(
        raw, ["sample", "--customers", str(customers), "--days", str(DAYS), "--seed", str(SEED), "--out"]
    )
    return Input(
        name=f"Synthetic sample, {customers:,} people, {DAYS:,} days",
        raw=raw,
        as_of=date(2025, 12, 31),
        time_zone="UTC",
    )


def complete_journey(folder: Path) -> Input:
    """Return the grocer's 2017; land it unless it is there."""
    raw = folder / "complete-journey"
    _land_once(raw, ["land", "complete-journey", "--raw"])
    return Input("Complete Journey, 2017", raw, date(2017, 12, 31), "America/New_York")


def _land_once(raw: Path, command: list[str]) -> None:
    """Run a landing command of `engagement` in a process of its own, whose memory is not ours afterwards."""
    complete = raw / "_complete.json"
    if complete.exists():
        return
    shutil.rmtree(raw, ignore_errors=True)
    raw.parent.mkdir(parents=True, exist_ok=True)
    subprocess.run([_ENGAGEMENT, *command, raw], check=True)  # noqa: S603 - our own command
    complete.write_text(json.dumps({"command": command}) + "\n", encoding="utf-8")
