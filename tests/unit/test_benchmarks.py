"""The benchmark's own arithmetic: what counts as building, and what a night says about its steps."""

import argparse
from datetime import datetime, timedelta

import pytest

from benchmarks.__main__ import _names, _number
from benchmarks.contenders import SAMPLE_CONTENDERS
from benchmarks.report import Result, unequal_rows

MIDNIGHT = datetime(2025, 1, 1)
SUMMARY = """
Rows per layer
  layer     tables   rows
  raw            1      2

Time per step  (3.0 s of building models, some of it side by side)

  step                             seconds
 ──────────────────────────────────────────
  raw                                  0.9
  marts                            1,004.5
  start (imports, definitions)         4.3
  together                         1,009.7

Longevity
  757     116.5
"""


def run(seconds: float = 1.0, rows: int = 1) -> Run:
    return Run(
        seconds=seconds,
        cpu_seconds=1.0,
        peak_bytes=1,
        building_seconds=0.25,
        parts=[],
        rows={"fct_touches": rows},
    )


def test_models_built_side_by_side_count_once() -> None:
    started = {0: 10.0, 4: 2.0, 8: 4.0, 20: 1.0}
    intervals = [(MIDNIGHT + timedelta(seconds=start), seconds) for start, seconds in started.items()]
    assert covered_seconds(intervals) == pytest.approx(13.0)
    assert covered_seconds(reversed(intervals)) == pytest.approx(13.0)
    assert covered_seconds([]) == 0


def test_steps_are_read_from_the_summary_of_a_night() -> None:
    assert steps_in(SUMMARY) == {
        "raw": 0.9,
        "marts": 1004.5,
        "start (imports, definitions)": 4.3,
        "together": 1009.7,
    }
    assert steps_in("no table at all") == {}


def test_the_median_run_stands_for_all() -> None:
    result = Result(SAMPLE_CONTENDERS[0], [run(3.0), run(1.0), run(2.0)])
    assert result.seconds == 2.0
    assert result.typical.seconds == 2.0
    assert result.typical.outside_seconds == 1.75


def test_unequal_numbers_of_rows_are_named() -> None:
    results = [
        Result(contender, [run(rows=rows)])
        for contender, rows in zip(SAMPLE_CONTENDERS, (5, 6), strict=False)
    ]
    assert unequal_rows(results) == {"fct_touches": [5, 6]}
    assert unequal_rows(results[:1]) == {}


@pytest.mark.parametrize(
    ("text", "number"), [("200k", 200_000), ("5M", 5_000_000), ("1.5M", 1_500_000), ("7_000", 7_000)]
)
def test_sizes_are_read(text: str, number: int) -> None:
    assert _number(text) == number


@pytest.mark.parametrize("text", ["", "0", "five", "5G", "-1"])
def test_a_size_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match="is no size"):
        _number(text)


def test_an_unknown_contender_is_refused() -> None:
    assert _names("night, handwritten") == ["night", "handwritten"]
    with pytest.raises(argparse.ArgumentTypeError, match="'nigth' is none of"):
        _names("nigth")
