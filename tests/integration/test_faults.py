"""What happens to nights from outside: readers keep the last good publication, and the next night mends all.

Kills (kill -9) befall nights at any time; other faults befall one warehouse one after another, with nothing
put right in between but their causes. Two nights at once have a test of their own (`test_concurrency.py`).
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from random import Random

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from differences import assert_same, differences
from faults import AS_OF, Company, Ended, can_mount, small_disk
from nights import PROJECT, night_command

from loaders.sample import generate
from warehouse import lock
from warehouse.night import utc_now
from warehouse.publication import editions

MEGABYTE = 1_000_000
# as many as somebody has the time for: FAULT_KILLS=100 takes about half of a night's time each
KILLS = int(os.environ.get("FAULT_KILLS", "5"))

# a minute for every killed night, beside what everything else may take on a busy machine
pytestmark = [pytest.mark.slow, pytest.mark.timeout(1_500 + 60 * KILLS)]


@dataclass(frozen=True)
class Undisturbed:
    """What nothing has happened to.

    Attributes:
        before: The raw zone with what has arrived since, and the warehouse of the night before that.
        after: The same after another night.
        seconds: How long that night took.
    """

    before: Company
    after: Company
    seconds: float


@pytest.fixture(scope="module")
def undisturbed(
    sample_raw: Path, sample_warehouse: Path, tmp_path_factory: pytest.TempPathFactory
) -> Undisturbed:
    folder = tmp_path_factory.mktemp("undisturbed")
    after = Company(sample_raw, sample_warehouse).copy_to(folder)
    # other rows of the same time
    generate(12, 60, 8, folder / "more")
    for file in (folder / "more").glob("[!_]*/*.*"):
        shutil.copy(file, after.raw / file.parent.name / f"more-{file.name}")
    begun = time.monotonic()
    assert start(after).wait() == 0
    seconds = time.monotonic() - begun
    before = Company(after.raw, sample_warehouse)
    assert differences(before.published, after.published)
    return Undisturbed(before, after, seconds)


def start(company: Company) -> subprocess.Popen[bytes]:
    """Start a night in a process group of its own, as a scheduler would."""
    return subprocess.Popen(
        night_command(company.raw, company.warehouse, AS_OF, "UTC"),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )


def test_killed_at_random_times_and_run_to_the_end(undisturbed: Undisturbed, tmp_path: Path) -> None:
    # one in every part of the night, as many parts as kills, the start of the program included
    chance = Random(4)
    seconds = undisturbed.seconds
    company = undisturbed.before.copy_to(tmp_path / "0")
    before = company.published.read_bytes()
    published = 0
    for part in range(KILLS):
        while True:
            begun = time.monotonic()
            status = killed(company, seconds * (part + chance.random()) / (KILLS + 1))
            if company.published.read_bytes() == before:
                break
            # the machine has become faster than the measured night: from the start again, with less time
            seconds = time.monotonic() - begun
            assert_same(undisturbed.after.published, company.published)
            assert status == 0 or start(company).wait() == 0
            assert_repaired(company, undisturbed)
            published += 1
            assert published <= 2 + KILLS // 10
            company = undisturbed.before.copy_to(tmp_path / str(published))
        assert status == -signal.SIGKILL
    assert start(company).wait() == 0
    assert_repaired(company, undisturbed)


def killed(company: Company, seconds: float) -> int:
    """Start a night and kill it after a time, if it has not ended before; return its exit status."""
    night = start(company)
    try:
        night.wait(seconds)
    except subprocess.TimeoutExpired:
        os.killpg(night.pid, signal.SIGKILL)
    return night.wait()


def assert_repaired(company: Company, undisturbed: Undisturbed) -> None:
    """A night that came to its end leaves what it leaves when nothing has happened before, and no more."""
    assert_same(undisturbed.after.published, company.published)
    assert but_publications(company.files()) == but_publications(undisturbed.after.files())


def but_publications(files: set[str]) -> set[str]:
    """The files of a warehouse whose names do not tell a time."""
    return {file for file in files if not file.startswith("publications/")}


@dataclass(frozen=True)
class Befallen:
    """What was left of a night that something had happened to.

    Attributes:
        ended: How it ended.
        is_published_intact: Whether readers have what they had.
        files: What stands in the warehouse.
        outcome: What the lock file says.
    """

    ended: Ended
    is_published_intact: bool
    files: set[str]
    outcome: str | None


@dataclass(frozen=True)
class History:
    """A warehouse with a hard life.

    Attributes:
        company: The warehouse, after its last night.
        nights: Fault to what was left of its night.
        last: The night after all of them.
    """

    company: Company
    nights: Mapping[str, Befallen]
    last: Ended


@pytest.fixture(scope="module")
def history(undisturbed: Undisturbed, tmp_path_factory: pytest.TempPathFactory) -> Iterator[History]:
    with small_disk(tmp_path_factory.mktemp("faults") / "disk") as disk:
        company = undisturbed.before.copy_to(disk.folder)
        before = company.published.read_bytes()
        nights: dict[str, Befallen] = {}

        def befall(fault: str, ended: Ended) -> None:
            last = lock.last(company.warehouse / "night.lock")
            nights[fault] = Befallen(
                ended, company.published.read_bytes() == before, company.files(), last and last.outcome
            )

        befall("memory", company.night(environment={"ENGAGEMENT_MEMORY_LIMIT": "30MB"}))
        away = company.raw.with_name("away")
        befall("raw zone", company.night(before=lambda: before_dbt(lambda: company.raw.rename(away))))
        away.rename(company.raw)
        damaged = land_no_text(company.raw)
        befall("damaged file", company.night())
        damaged.unlink()
        if disk.is_mounted:
            with disk.filled_but_for(3 * MEGABYTE):
                befall("disk", company.night())
        (company.warehouse / "build" / "spill" / "duckdb_temp_storage_DEFAULT-0.tmp").write_bytes(b"spilled")
        company.published.with_name(f"{company.published.name}.1.publishing").write_bytes(b"half a copy")
        damage_blocks(company.published)
        last = company.night(before=set_clock_back)
        yield History(company, nights, last)


def land_no_text(raw: Path) -> Path:
    """Land a file that looks sound until a column is read whose bytes are no text."""
    file = raw / "store_visits" / "damaged.parquet"
    time_ = [datetime(2025, 12, 1)]
    store = pa.array([b"ann@example.org\xff"], pa.binary())
    pq.write_table(
        pa.table({"visit_id": ["v"], "store_id": store, "entered_at": time_, "loaded_at": time_}), file
    )
    return file


def before_dbt(act: Callable[[], object]) -> None:
    """Do something when everything was looked at and dbt is about to read it; in a night's own process."""
    from orchestration import dbt

    build = dbt.build

    def disturbed(*arguments: object) -> object:
        dbt.build = build
        act()
        return build(*arguments)

    dbt.build = disturbed


def set_clock_back() -> None:
    """Have a night believe that it is an hour ago."""
    from orchestration import resources
    from orchestration.defs import publish

    for module in (resources, publish):
        module.utc_now = lambda: utc_now() - timedelta(hours=1)


def damage_blocks(file: Path) -> None:
    """Break as many blocks as can be broken without the file failing to open: it shows when they are read."""
    content = bytearray(file.read_bytes())
    broken = 0
    for position in range(12_288 + 1_000, len(content), 262_144):
        content[position] ^= 0xFF
        file.write_bytes(content)
        try:
            with duckdb.connect(str(file), read_only=True) as connection:
                connection.execute("select max(published_at) from audit.runs").fetchall()
            broken += 1
        except duckdb.Error:
            content[position] ^= 0xFF
    file.write_bytes(content)
    assert broken > 10


def test_readers_keep_what_they_had(history: History) -> None:
    assert [fault for fault, night in history.nights.items() if not night.is_published_intact] == []
    assert {night.outcome for night in history.nights.values()} == {"failed"}
    assert not any("Traceback" in night.ended.said for night in history.nights.values())


def test_no_lock_copy_or_spilled_file_is_left(history: History) -> None:
    expected = {
        "build/engagement.duckdb",
        "build/staging.duckdb",
        "engagement.duckdb",
        "hash.key",
        "night.lock",
    }
    for night in history.nights.values():
        # the engine keeps a log that it could not bring into its file for want of room
        logs = {file for file in night.files if file.startswith("build/") and file.endswith(".wal")}
        assert but_publications(night.files) - logs == expected
    after = history.company.files()
    assert but_publications(after) == expected | {"engagement.html"}
    assert len(after) == len(expected) + 3, "two publications, and the report"
    assert lock.running(history.company.warehouse / "night.lock") is None


def test_the_next_night_leaves_what_an_undisturbed_one_leaves(
    history: History, undisturbed: Undisturbed
) -> None:
    assert history.last.status == 0, history.last.said[-3_000:]
    assert "changes of closed snapshots cannot be told" in history.last.said
    assert_same(undisturbed.after.published, history.company.published)


def test_too_little_memory_is_said_with_the_name_of_the_setting(history: History) -> None:
    ended = history.nights["memory"].ended
    assert ended.status == 1
    assert "Out of Memory Error" in ended.said
    assert (
        "The engine had 30MB of memory for 2 models at a time: raise ENGAGEMENT_MEMORY_LIMIT, or set "
        "ENGAGEMENT_THREADS=1, and run the night again."
    ) in ended.said
    assert "Possible solutions" not in ended.said


def test_a_raw_zone_that_goes_away_is_said(history: History) -> None:
    ended = history.nights["raw zone"].ended
    assert ended.status == 1
    assert "No files found that match the pattern" in ended.said
    assert "readers see what they saw" in ended.said


def test_a_raw_file_that_is_damaged_inside_is_named_and_not_quoted(history: History) -> None:
    ended = history.nights["damaged file"].ended
    assert ended.status == 2
    assert (
        "store_visits/damaged.parquet: column store_id of this file of raw table store_visits cannot be read"
    ) in ended.said
    assert "readers see what they saw" in ended.said and "Nothing was written" not in ended.said
    with duckdb.connect(str(history.company.published), read_only=True) as connection:
        (message,) = connection.execute(
            "select message from audit.model_runs"
            " where model_name = 'stg_stores__visits' and status = 'error' and message like '%Parquet%'"
        ).fetchone()
    assert "value (hidden) is not valid" in message
    assert "ann@example" not in ended.said


@pytest.mark.skipif(not can_mount(), reason="a small disk is a tmpfs of its own, which only root can mount")
def test_a_full_disk_is_said(history: History) -> None:
    ended = history.nights["disk"].ended
    assert ended.status == 1
    assert "No space left on device" in ended.said
    assert (
        f"The disk of {history.company.warehouse} is full: make room and run the night again." in ended.said
    )


def test_publications_keep_their_order_when_the_clock_was_set_back(history: History) -> None:
    latest, first = editions(history.company.warehouse / "publications")
    assert latest.published_at - first.published_at == timedelta(microseconds=1)
    with duckdb.connect(str(history.company.published), read_only=True) as connection:
        assert connection.execute(
            "select run_id from audit.runs where published_at is not null order by published_at desc"
        ).fetchall() == [(latest.run_id,), (first.run_id,)]


def test_the_queries_of_the_runbook_can_be_asked(history: History) -> None:
    page = (PROJECT / "docs" / "runbook.md").read_text(encoding="utf-8")
    asked = re.findall(r'duckdb -readonly <warehouse>/(\S+) \\\n +"([^"]+)"', page)
    assert len(asked) >= 5
    for file, query in asked:
        with duckdb.connect(str(history.company.warehouse / file), read_only=True) as connection:
            connection.execute(query).fetchall()
