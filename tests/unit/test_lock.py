import multiprocessing
import os
import signal
import threading
import time
from multiprocessing.synchronize import Event
from pathlib import Path

import pytest

from warehouse import lock

SPAWN = multiprocessing.get_context("spawn")


def hold_until(path: Path, taken: Event, enough: Event) -> None:
    with lock.hold(path, run_id="other", command="a night elsewhere", as_of="2024-01-31"):
        taken.set()
        enough.wait(60)


@pytest.fixture
def other_night(tmp_path: Path):
    """Another process that holds the lock of `tmp_path`: the process, and the event that ends it."""
    taken, enough = SPAWN.Event(), SPAWN.Event()
    process = SPAWN.Process(target=hold_until, args=(tmp_path / "night.lock", taken, enough))
    process.start()
    assert taken.wait(60)
    yield process, enough
    # an event waits for its waiters to wake: one that was killed never does
    if process.is_alive():
        enough.set()
        process.join(60)


def hold(path: Path, **more):
    return lock.hold(path / "night.lock", run_id="mine", command="pytest", as_of="2024-02-01", **more)


def test_the_second_writer_hears_who_is_first(tmp_path: Path, other_night):
    process, _ = other_night
    with pytest.raises(lock.WarehouseBusyError) as refused, hold(tmp_path):
        pass
    message = str(refused.value)
    for part in (str(process.pid), "run other", "as of 2024-01-31", "`a night elsewhere`", "since 20"):
        assert part in message
    holder = lock.running(tmp_path / "night.lock")
    assert holder is not None and holder.pid == process.pid and holder.outcome is None


def test_waiting_ends_when_the_first_is_done(tmp_path: Path, other_night):
    _, enough = other_night
    told: list[lock.Holder | None] = []
    threading.Timer(1.0, enough.set).start()
    with hold(tmp_path, wait_seconds=30, on_wait=told.append) as held:
        assert held.holder.run_id == "mine"
    assert len(told) == 1 and told[0] is not None and told[0].run_id == "other"


def test_waiting_has_an_end(tmp_path: Path, other_night):
    begun = time.monotonic()
    with pytest.raises(lock.WarehouseBusyError, match="after 1 s of waiting"), hold(tmp_path, wait_seconds=1):
        pass
    assert 1 <= time.monotonic() - begun < 10


def test_a_killed_night_leaves_no_lock_behind(tmp_path: Path, other_night):
    process, _ = other_night
    os.kill(process.pid, signal.SIGKILL)
    process.join(60)
    assert lock.running(tmp_path / "night.lock") is None
    last = lock.last(tmp_path / "night.lock")
    assert last is not None and last.run_id == "other" and last.until is None
    with hold(tmp_path) as held:
        held.finish("published")
    last = lock.last(tmp_path / "night.lock")
    assert last is not None and last.outcome == "published" and last.until is not None


def test_the_same_process_may_hold_it_twice_and_gives_it_back_once(tmp_path: Path):
    path = tmp_path / "night.lock"
    with hold(tmp_path):
        with lock.hold(path, run_id="inner", command="pytest", as_of="2024-02-02"):
            pass
        running = lock.running(path)
        assert running is not None and running.run_id == "inner"
    assert lock.running(path) is None


def test_an_error_while_holding_it_is_told_as_a_failure(tmp_path: Path):
    with pytest.raises(ZeroDivisionError), hold(tmp_path):
        raise ZeroDivisionError
    last = lock.last(tmp_path / "night.lock")
    assert last is not None and last.outcome == "failed"


def test_a_warehouse_without_nights_has_no_holder(tmp_path: Path):
    assert lock.running(tmp_path / "night.lock") is None
    assert lock.last(tmp_path / "night.lock") is None


def test_asking_for_the_holder_does_not_turn_a_writer_away(tmp_path: Path):
    path = tmp_path / "night.lock"
    path.touch()
    stop = threading.Event()

    def ask() -> None:
        while not stop.is_set():
            lock.running(path)

    asking = threading.Thread(target=ask)
    asking.start()
    try:
        for _ in range(20):
            with hold(tmp_path):
                pass
    finally:
        stop.set()
        asking.join()
