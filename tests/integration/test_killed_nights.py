"""Nights that are killed (kill -9) at any time: readers keep the last one, and the next run mends all."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from pathlib import Path
from random import Random

import pytest
from differences import assert_same, differences
from nights import SAMPLE_END, night_command

from loaders.sample import generate

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1_800)]

# as many as somebody has the time for: FAULT_KILLS=100 takes about half of a night's time each
KILLS = int(os.environ.get("FAULT_KILLS", "5"))


@pytest.fixture
def arrived(sample_raw: Path, tmp_path: Path) -> Path:
    """The raw zone of the published night, and what has arrived since: other rows of the same time."""
    raw = tmp_path / "raw"
    shutil.copytree(sample_raw, raw)
    generate(12, 60, 8, tmp_path / "more")
    for file in (tmp_path / "more").glob("[!_]*/*.*"):
        shutil.copy(file, raw / file.parent.name / f"more-{file.name}")
    return raw


def _start(raw: Path, warehouse: Path) -> subprocess.Popen[bytes]:
    """Start a night in a process group of its own, as a scheduler would."""
    return subprocess.Popen(
        night_command(raw, warehouse, SAMPLE_END, "UTC"),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )


def test_killed_at_random_times_and_run_to_the_end(
    arrived: Path, sample_warehouse: Path, tmp_path: Path
) -> None:
    undisturbed, killed = tmp_path / "undisturbed", tmp_path / "killed"
    shutil.copytree(sample_warehouse, undisturbed)
    shutil.copytree(sample_warehouse, killed)
    begun = time.monotonic()
    assert _start(arrived, undisturbed).wait() == 0
    seconds = time.monotonic() - begun
    published = killed / "engagement.duckdb"
    before = sample_warehouse / "engagement.duckdb"
    assert differences(before, undisturbed / "engagement.duckdb")

    # one in every part of the night, as many parts as kills, the start of the program included
    chance = Random(4)
    for part in range(KILLS):
        night = _start(arrived, killed)
        try:
            night.wait(seconds * (part + chance.random()) / (KILLS + 1))
        except subprocess.TimeoutExpired:
            os.killpg(night.pid, signal.SIGKILL)
        assert night.wait() == -signal.SIGKILL
        assert published.read_bytes() == before.read_bytes(), "readers see the last published night"
    assert _start(arrived, killed).wait() == 0
    assert_same(undisturbed / "engagement.duckdb", published)
    assert _files(killed) == _files(undisturbed), "no lock, copy or spilled file is left"


def _files(warehouse: Path) -> set[Path]:
    """Every file of a warehouse but what dbt compiled and the publications, whose names tell their time."""
    return {
        path.relative_to(warehouse)
        for path in warehouse.rglob("*")
        if path.is_file() and not {"dbt", "publications"}.intersection(path.relative_to(warehouse).parts)
    }
