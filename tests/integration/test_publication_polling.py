"""Readers in another process while nights publish: no failed query, never half a night."""

import json
import multiprocessing
import time
from datetime import UTC, date, datetime, timedelta
from multiprocessing.synchronize import Event
from pathlib import Path

import duckdb
import pytest
from nights import run_night

from warehouse.publication import Edition, editions, publish, put_back

SPAWN = multiprocessing.get_context("spawn")
# Whose night a reader sees, and what its tables say: both must be of the same night.
QUESTION = """
    select
        (select cast(as_of as varchar) from audit.runs where published_at is not null
            order by published_at desc limit 1),
        (select cast(max(snapshot_date) as varchar) from marts.fct_engagement_longevity where is_current),
        (select cast(max(snapshot_date) as varchar) from marts.fct_engagement_volume where is_current)
"""
WRITES = 50


def poll(published: Path, question: str, every_seconds: float, stop: Event, found: Path) -> None:
    """Ask a question as a new reader, again and again; write down the answers and the failures."""
    answers: list[list[object]] = []
    failures: list[str] = []
    asked = 0
    while not stop.is_set():
        if published.exists():
            asked += 1
            try:
                with duckdb.connect(str(published), read_only=True) as connection:
                    answer = list(connection.execute(question).fetchone() or ())
                if answer not in answers:
                    answers.append(answer)
            except duckdb.Error as error:
                failures.append(str(error))
        time.sleep(every_seconds)
    found.write_text(json.dumps({"asked": asked, "answers": answers, "failures": failures}))


class Poller:
    """A reader in another process."""

    def __init__(self, published: Path, question: str, every_seconds: float, found: Path) -> None:
        self.stop = SPAWN.Event()
        self.found = found
        arguments = (published, question, every_seconds, self.stop, found)
        self.process = SPAWN.Process(target=poll, args=arguments)
        self.process.start()

    def finish(self) -> dict[str, list[object]]:
        self.stop.set()
        self.process.join(60)
        return json.loads(self.found.read_text())


@pytest.mark.slow
def test_three_nights_are_seen_whole_by_somebody_who_asks_ten_times_a_second(
    sample_raw: Path, tmp_path: Path
):
    warehouse = tmp_path / "warehouse"
    days = [(date(2025, 12, 29) + timedelta(days=night)).isoformat() for night in range(3)]
    poller = Poller(warehouse / "engagement.duckdb", QUESTION, 0.1, tmp_path / "found.json")
    for day in days:
        run_night(sample_raw, warehouse, day, "UTC")
        time.sleep(1)
    found = poller.finish()
    assert found["failures"] == []
    assert found["answers"] == [[day, day, day] for day in days]
    assert found["asked"] > 100


def test_many_publications_and_rollbacks_are_seen_whole_by_somebody_who_asks_all_the_time(tmp_path: Path):
    build, published, kept = tmp_path / "build.duckdb", tmp_path / "engagement.duckdb", tmp_path / "kept"
    begun = datetime(2024, 1, 1, tzinfo=UTC)
    with duckdb.connect(str(build)) as connection:
        connection.execute(
            "create schema marts; create table marts.numbers as select 0 as number from range(100000)"
        )
        connection.execute("create schema audit; create table audit.runs as select 0 as number")
    publish(build, published, kept, Edition("0", begun.date(), begun), keep=3)
    question = "select min(number), max(number), (select number from audit.runs) from marts.numbers"
    poller = Poller(published, question, 0.0, tmp_path / "found.json")
    for number in range(1, WRITES + 1):
        with duckdb.connect(str(build)) as connection:
            connection.execute("update marts.numbers set number = ?", [number])
            connection.execute("update audit.runs set number = ?", [number])
        edition = Edition(str(number), begun.date(), begun + timedelta(hours=number))
        publish(build, published, kept, edition, keep=3)
        if number % 2:
            put_back(published, kept, editions(kept)[1])
    found = poller.finish()
    assert found["failures"] == []
    assert all(low == high == run for low, high, run in found["answers"])
    assert len(found["answers"]) > 1
