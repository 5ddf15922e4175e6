"""Never two writers: the second night is told who is first, or waits; a killed one is no obstacle."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from nights import open_published

from warehouse import lock

pytestmark = pytest.mark.slow

ENGAGEMENT = Path(sys.executable).with_name("engagement")
PATIENCE_SECONDS = 300


def command(raw: Path, warehouse: Path, *more: str) -> list[str]:
    named = [f"--raw={raw}", f"--warehouse={warehouse}", "--as-of=2025-12-31"]
    return [str(ENGAGEMENT), "nightly", *named, *more]


@contextmanager
def started(raw: Path, warehouse: Path, log: Path, *more: str) -> Iterator[subprocess.Popen[bytes]]:
    """A night in a process of its own, ended with the test."""
    with log.open("wb") as output:
        process = subprocess.Popen(command(raw, warehouse, *more), stdout=output, stderr=subprocess.STDOUT)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def wait_for(text: str, log: Path, process: subprocess.Popen[bytes]) -> None:
    """Wait until a night has said something."""
    end = time.monotonic() + PATIENCE_SECONDS
    while text not in log.read_text():
        assert process.poll() is None and time.monotonic() < end, log.read_text()
        time.sleep(0.1)


def test_a_second_night_is_refused_or_waits_and_a_killed_one_leaves_no_lock(sample_raw: Path, tmp_path: Path):
    warehouse = tmp_path / "warehouse"
    first_log, patient_log = tmp_path / "first.log", tmp_path / "patient.log"
    with started(sample_raw, warehouse, first_log) as first:
        # In the midst of writing: the raw views stand, dbt has begun.
        wait_for("gate_raw", first_log, first)

        begun = time.monotonic()
        refused = subprocess.run(command(sample_raw, warehouse), capture_output=True, text=True, check=False)
        assert refused.returncode == 1
        assert time.monotonic() - begun < 10
        assert f"process {first.pid}" in refused.stderr
        assert "as of 2025-12-31" in refused.stderr and "Traceback" not in refused.stderr

        with started(sample_raw, warehouse, patient_log, f"--wait={PATIENCE_SECONDS}") as patient:
            wait_for("Waiting for", patient_log, patient)
            assert f"process {first.pid}" in patient_log.read_text()
            os.kill(first.pid, signal.SIGKILL)
            first.wait()
            assert patient.wait(PATIENCE_SECONDS) == 0, patient_log.read_text()

    assert lock.running(warehouse / "night.lock") is None
    with open_published(warehouse) as connection:
        outcomes = connection.execute("select outcome from audit.runs order by started_at").fetchall()
    assert outcomes == [("killed",), ("succeeded",)]
    assert not list(warehouse.glob("*.publishing*"))
