"""What a night does not need is not loaded, and whoever needs it all the same gets all of it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from expectations.put_off import put_off

_PROJECT = Path(__file__).resolve().parents[2]


def _printed(program: str) -> str:
    ran = subprocess.run(
        [sys.executable, "-c", program], cwd=_PROJECT, capture_output=True, text=True, check=False
    )
    assert ran.returncode == 0, ran.stderr
    return ran.stdout.strip()


def test_a_gate_loads_neither_statistics_nor_charts():
    assert (
        _printed(
            "import expectations.session, sys;"
            "print(sorted({'scipy.stats', 'altair', 'great_expectations'} & set(sys.modules)))"
        )
        == "['great_expectations']"
    )


def test_who_needs_them_finds_them():
    # of Great Expectations, the expectation that imports both
    assert (
        _printed(
            "import expectations.session;"
            "from great_expectations.expectations.core import"
            " expect_column_kl_divergence_to_be_less_than as imported;"
            "import scipy.stats, altair;"
            "print(imported.stats.entropy is scipy.stats.entropy, imported.alt.Chart is altair.Chart)"
        )
        == "True True"
    )


def test_what_is_loaded_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "put_off_here.py").write_text("value = object()\n")
    import put_off_here

    with put_off("put_off_here"):
        assert sys.modules["put_off_here"] is put_off_here


def test_a_module_is_loaded_when_something_of_it_is_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "put_off_there.py").write_text("value = object()\n")
    with put_off("put_off_there"):
        import put_off_there as early
    assert "put_off_there" not in sys.modules
    value = early.value
    import put_off_there as late

    assert value is late.value
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        _ = early.nothing


def test_a_module_that_is_not_there_is_told_when_it_is_used():
    with put_off("not_installed_at_all"):
        import not_installed_at_all as absent
    with pytest.raises(ModuleNotFoundError, match="not_installed_at_all"):
        _ = absent.anything
