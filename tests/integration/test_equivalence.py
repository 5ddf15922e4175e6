"""Nights that build on one another leave what a full refresh makes of the same raw zone, row for row.

With EQUIVALENCE_EXAMPLES=300 in the environment it looks for longer. A history that fails is printed and
written down; `python tests/integration/histories.py FILE FOLDER` makes it smaller.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
from differences import assert_same
from histories import CONTRACT, FIRST_SNAPSHOT, History, full_refresh, histories, replay, scratch
from hypothesis import HealthCheck, given, settings
from raw_rows import DAY, SKETCHES, Setting, draw_row

DEFAULT_EXAMPLES = 15


# The same histories in every run of the suite; more of them, and others, by EQUIVALENCE_EXAMPLES.
EXAMPLES = int(os.environ.get("EQUIVALENCE_EXAMPLES", DEFAULT_EXAMPLES))
SEARCH = settings(
    max_examples=EXAMPLES,
    derandomize=EXAMPLES == DEFAULT_EXAMPLES,
    deadline=None,
    print_blob=True,
    suppress_health_check=list(HealthCheck),
)


def hold_against_full_refresh(history: History, told: Path) -> None:
    """Insist that a warehouse that lived through a history equals a full refresh; and write it down first."""
    told.write_text(history.as_json(), encoding="utf-8")
    with scratch() as folder:
        lived = replay(history, folder / "lived")
        full = full_refresh(history, folder / "full", lived.raw)
        assert_same(lived.place.marts_file, full.place.marts_file, history)


def test_all_that_the_contract_knows_is_drawn() -> None:
    setting = Setting(1, 4, "UTC", [FIRST_SNAPSHOT, FIRST_SNAPSHOT + DAY])
    assert SKETCHES.keys() == CONTRACT.keys()
    for table in CONTRACT.values():
        rows = [draw_row(setting, table.name, index) for index in range(200)]
        assert {column for row in rows for column in row} == {column.name for column in table.columns}
        # few keys, so that rows correct each other
        assert len({tuple(row.get(key) for key in table.key) for row in rows}) < 100


@pytest.mark.slow
@pytest.mark.timeout(0)
@settings(SEARCH)
@given(history=histories())
def test_nights_equal_a_full_refresh(tmp_path_factory: pytest.TempPathFactory, history: History) -> None:
    hold_against_full_refresh(history, tmp_path_factory.getbasetemp() / "history.json")


@pytest.mark.slow
@pytest.mark.timeout(0)
@settings(SEARCH, max_examples=max(4, EXAMPLES // 4))
@given(history=histories(nights=(2, 4), are_killed=True))
def test_killed_nights_that_are_run_again_equal_a_full_refresh(
    tmp_path_factory: pytest.TempPathFactory, history: History
) -> None:
    hold_against_full_refresh(history, tmp_path_factory.getbasetemp() / "killed-history.json")


@pytest.mark.slow
@settings(SEARCH, max_examples=2)
@given(history=histories(nights=(2, 3)))
def test_a_night_that_is_run_twice_changes_nothing(history: History) -> None:
    with scratch() as folder:
        lived = replay(history, folder / "lived")
        shutil.copy(lived.place.marts_file, folder / "before.duckdb")
        lived.night(history.snapshots[-1])
        assert_same(folder / "before.duckdb", lived.place.marts_file, history)
