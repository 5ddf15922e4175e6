"""The schedule: when it ticks and for which day, and a real daemon that runs a night by itself."""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import dagster as dg
import pytest
from nights import open_published

from loaders.sample import generate
from orchestration.defs.schedules import NIGHTLY, nightly_schedule
from orchestration.settings import Settings

PATIENCE_SECONDS = 600


@pytest.mark.parametrize(
    ("zone", "tick", "as_of"),
    [
        # Winter time, summer time, and the nights when the clock changes.
        ("America/New_York", datetime(2024, 1, 15, 7, tzinfo=UTC), "2024-01-14"),
        ("America/New_York", datetime(2024, 7, 15, 6, tzinfo=UTC), "2024-07-14"),
        ("America/New_York", datetime(2024, 3, 10, 7, tzinfo=UTC), "2024-03-09"),
        ("Europe/Berlin", datetime(2024, 10, 27, 1, tzinfo=UTC), "2024-10-26"),
        ("Asia/Tokyo", datetime(2024, 3, 1, 17, tzinfo=UTC), "2024-03-01"),
    ],
)
def test_a_tick_is_for_the_business_day_that_has_ended(zone: str, tick: datetime, as_of: str):
    schedule = nightly_schedule(Settings(time_zone=zone))
    context = dg.build_schedule_context(scheduled_execution_time=tick)
    request = schedule(context)
    assert isinstance(request, dg.RunRequest)
    assert request.partition_key == as_of
    assert request.tags["as_of"] == as_of


def test_the_schedule_is_on_and_ticks_at_two_in_the_business_time_zone():
    schedule = nightly_schedule(Settings(time_zone="America/New_York"))
    assert (schedule.name, schedule.cron_schedule, schedule.execution_timezone) == (
        NIGHTLY,
        "0 2 * * *",
        "America/New_York",
    )
    assert schedule.default_status is dg.DefaultScheduleStatus.RUNNING


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def answers(address: str, port: int) -> bool:
    """Whether somebody listens there."""
    try:
        socket.create_connection((address, port), timeout=5).close()
    except OSError:
        return False
    return True


@contextmanager
def webhook(port: int) -> Iterator[list[str]]:
    """A server that keeps what is posted to it."""
    received: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            received.append(json.loads(self.rfile.read(int(self.headers["Content-Length"])))["text"])
            self.send_response(200)
            self.end_headers()

    with ThreadingHTTPServer(("127.0.0.1", port), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield received
        server.shutdown()


def content(file: Path) -> bytes:
    """Content of a file, unless the running daemon has removed it meanwhile."""
    try:
        return file.read_bytes()
    except FileNotFoundError:
        return b""


@pytest.mark.slow
def test_a_daemon_tells_of_a_failed_night_and_runs_one_by_itself_and_publishes(tmp_path: Path):
    with webhook(port := free_port()) as told:
        _serve_nights(tmp_path, f"http://127.0.0.1:{port}/hook-s3cr3t", told)


def _serve_nights(tmp_path: Path, address: str, told: list[str]) -> None:
    raw, warehouse, home = tmp_path / "raw", tmp_path / "warehouse", tmp_path / "home"
    yesterday = Settings().last_complete_day()
    environment = os.environ | {
        "DAGSTER_HOME": str(home),
        "ENGAGEMENT_RAW": str(raw),
        "ENGAGEMENT_WAREHOUSE": str(warehouse),
        "ENGAGEMENT_SCHEDULE": "* * * * *",
        "ENGAGEMENT_ALERT_WEBHOOK": address,
    }
    page = free_port()
    with (tmp_path / "serve.log").open("wb") as log:
        server = subprocess.Popen(
            [Path(sys.executable).with_name("engagement"), "serve", "--port", str(page)],
            cwd=tmp_path,
            env=environment,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            # A build server may have started us with the signal ignored, and children inherit that.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        )
    try:
        published = warehouse / "engagement.duckdb"
        end = time.monotonic() + PATIENCE_SECONDS

        def wait_until(is_so: Callable[[], bool]) -> None:
            while not is_so():
                said = (tmp_path / "serve.log").read_text()
                assert server.poll() is None and time.monotonic() < end, said[-5000:]
                time.sleep(0.5)

        # nothing has been landed yet
        wait_until(lambda: bool(told))
        assert f"There is no raw zone {raw}" in told[0] and "started by `dagster, job nightly`" in told[0]
        wait_until(lambda: answers("127.0.0.1", page))
        assert not answers("127.0.0.2", page), "who listens on every address answers there, too"
        generate(60, 60, 7, tmp_path / "landing", end_on=yesterday)
        (tmp_path / "landing").rename(raw)
        wait_until(published.exists)
        files = [path for path in tmp_path.rglob("*") if path.is_file() and raw not in path.parents]
        assert [path for path in files if b"s3cr3t" in content(path)] == [], "secrets stay in memory"
        with open_published(warehouse) as connection:
            outcome, as_of = connection.execute("select outcome, as_of from audit.runs").fetchone()
        assert outcome == "succeeded"
        assert yesterday <= as_of <= Settings().last_complete_day()
        with dg.DagsterInstance.from_config(str(home)) as instance:
            while not (done := instance.get_runs(dg.RunsFilter(statuses=[dg.DagsterRunStatus.SUCCESS]))):
                assert time.monotonic() < end
                time.sleep(0.5)
            assert done[-1].job_name == NIGHTLY
            assert done[-1].tags["dagster/schedule_name"] == NIGHTLY
            assert done[-1].tags["as_of"] == done[-1].tags["dagster/partition"] == as_of.isoformat()
    finally:
        os.killpg(server.pid, signal.SIGINT)
        with suppress(subprocess.TimeoutExpired):
            server.wait(60)
        with suppress(ProcessLookupError):
            os.killpg(server.pid, signal.SIGKILL)
