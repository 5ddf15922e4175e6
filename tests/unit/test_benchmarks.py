"""The benchmark's own arithmetic: how samples are cut, what counts as building, what is compared."""

import argparse
import subprocess
import sys
from dataclasses import replace
from datetime import date, datetime, timedelta
from pathlib import Path

import duckdb
import pandas as pd
import pytest

from benchmarks import report, shards
from benchmarks.__main__ import _names, _number, _numbers, _sections
from benchmarks.arrivals import BATCHES, FIRST, HISTORY, SECOND, Cut, average_day, cut
from benchmarks.contenders import SAMPLE_CONTENDERS
from benchmarks.dataframes import by_lifetimes, by_pandas
from benchmarks.growth import growths
from benchmarks.inputs import Sample
from benchmarks.libraries import Computed, compared
from benchmarks.nights import FULL, NOTHING_NEW, TITLES, Nights
from benchmarks.processes import held_bytes, measure
from benchmarks.report import Result, unequal_rows
from benchmarks.runs import AROUND, BuiltModel, Run, Step, covered_seconds, step_seconds, steps_of
from loaders.sample import DEFAULT_END, generate
from orchestration.settings import PROJECT_ROOT
from warehouse.contract import read_contract

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
    assert step_seconds(SUMMARY) == {
        "raw": 0.9,
        "marts": 1004.5,
        "start (imports, definitions)": 4.3,
        "together": 1009.7,
    }
    assert step_seconds("no table at all") == {}


def test_steps_add_up_to_the_wall_time_and_know_what_was_built_in_them() -> None:
    models = [
        BuiltModel("marts", "fct_visits", MIDNIGHT, 3.0),
        BuiltModel("marts", "fct_touches", MIDNIGHT + timedelta(seconds=2), 2.0),
    ]
    steps = steps_of(SUMMARY, 1011.0, models)
    assert [(step.name, step.building_seconds) for step in steps] == [
        ("raw", 0.0),
        ("marts", 4.0),
        ("start (imports, definitions)", 0.0),
        (AROUND, 0.0),
    ]
    assert sum(step.seconds for step in steps) == pytest.approx(1011.0)
    assert steps[1].outside_seconds == pytest.approx(1000.5)
    assert steps_of("no table at all", 1.0, []) == []


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


def test_sizes_of_growth_are_put_in_order() -> None:
    assert _numbers("20M, 5M") == [5_000_000, 20_000_000]


def test_sections_are_measured_in_their_own_order() -> None:
    assert _sections("libraries,full") == ["full", "libraries"]
    with pytest.raises(argparse.ArgumentTypeError, match="'speed' is none of full, journey"):
        _sections("speed")


def test_the_first_night_is_the_latest_average_day() -> None:
    last_on = date(2025, 12, 31)
    days = [last_on - timedelta(days=back) for back in range(100)]
    rows = dict.fromkeys(days, 200) | {days[0]: 100, days[1]: 180, days[2]: 99, days[7]: 101, days[9]: 100}
    rows |= dict.fromkeys(days[50:], 2)
    rows[date(2031, 1, 1)] = 10_000
    average = sum(rows[day] for day in days) / 100
    assert average == pytest.approx(98, abs=3)
    # the last day has no day after it, and a broken row tells of no day
    assert average_day(rows, last_on, 100) == days[2]
    assert average_day(rows | {days[2]: 180}, last_on, 100) in (days[7], days[9])
    # none is within the tolerance: the closest
    assert average_day({day: 10 + 5 * place for place, day in enumerate(days)}, last_on, 100) == days[49]


def test_growth_is_told_from_one_step_to_the_next() -> None:
    assert growths([2.0, 3.0, 3.0]) == [0.0, 0.5, 0.0]
    assert growths([2.0]) == [0.0]


def test_shards_are_as_few_as_allowed_and_alike() -> None:
    assert shards.sizes(10) == [10]
    assert shards.sizes(shards.MOST_CUSTOMERS) == [shards.MOST_CUSTOMERS]
    assert shards.sizes(shards.MOST_CUSTOMERS + 1) == [38_501, 38_500]
    assert sum(shards.sizes(385_506)) == 385_506


@pytest.fixture(scope="module")
def parts(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Two shards with the same ids: of the same seed, which is the hardest case."""
    folder = tmp_path_factory.mktemp("parts")
    return [generate(60, 90, 3, folder / name).raw for name in ("0", "1")]


@pytest.fixture(scope="module")
def sample(parts: list[Path], tmp_path_factory: pytest.TempPathFactory) -> Sample:
    raw = tmp_path_factory.mktemp("cut") / "raw"
    made = cut(parts, raw, DEFAULT_END, 90)
    return Sample("two shards", raw, made.first_on + timedelta(days=1), "UTC", made, 90)


def rows_of(raw: Path, table: str, batch: str = "") -> str:
    """SQL that reads a raw table, all its columns as texts."""
    suffix = next((raw / table).iterdir()).suffix
    files = f"'{raw}/{table}/{batch}*{suffix}'"
    if suffix == ".parquet":
        return f"(select columns(*)::varchar from read_parquet({files}, union_by_name = true))"
    if suffix == ".csv":
        return f"read_csv({files}, all_varchar = true)"
    names = [column.name for column in read_contract(PROJECT_ROOT)[table].columns]
    return f"read_json({files}, columns = {dict.fromkeys(names, 'varchar')})"


def test_a_cut_sample_holds_every_row_up_to_its_second_night_once(parts: list[Path], sample: Sample) -> None:
    end = sample.as_of + timedelta(days=1)
    contract = read_contract(PROJECT_ROOT)
    written = 0
    for name, table in contract.items():
        event = f"try_cast({table.event_time or 'loaded_at'} as timestamptz)"
        counts = [
            duckdb.sql(
                f"set TimeZone = 'UTC'; select count(*) from {rows_of(raw, name)} {condition}"
            ).fetchall()
            for raw, condition in (
                (sample.raw, ""),
                (parts[0], f"where coalesce({event} < '{end}'::timestamptz, true)"),
            )
        ]
        shards_read = 1 if name in shards.COMMON_TABLES else 2
        assert counts[0][0][0] == shards_read * counts[1][0][0], name
        written += counts[0][0][0]
    assert written == sum(sample.cut.rows.values())


def test_a_night_holds_its_day_and_late_rows_that_no_version_came_before(sample: Sample) -> None:
    day = sample.cut.first_on
    assert sample.cut.late_rows[HISTORY] == 0
    keys = {
        batch: duckdb.sql(
            f"set TimeZone = 'UTC'; select event_id, occurred_at::timestamptz::date, loaded_at "
            f"from {rows_of(sample.raw, 'web_events', batch)}"
        ).fetchall()
        for batch in BATCHES
    }
    assert {happened_on for _, happened_on, _ in keys[FIRST] if happened_on >= day} == {day}
    assert max(happened_on for _, happened_on, _ in keys[HISTORY] if happened_on.year < 2026) < day
    known = {key for key, _, _ in keys[HISTORY]}
    late = {key for key, happened_on, _ in keys[FIRST] if happened_on < day}
    assert not late & known
    for place, batch in enumerate(BATCHES):
        loaded = [datetime.fromisoformat(loaded_at).replace(tzinfo=None) for _, _, loaded_at in keys[batch]]
        assert loaded == sorted(loaded)
        assert max(loaded) < datetime(day.year, day.month, day.day, 3) + timedelta(days=place)


def test_about_one_late_row_comes_with_a_hundred_of_a_night(tmp_path: Path) -> None:
    raw = generate(1_500, 40, 3, tmp_path / "part", events_per_customer=60).raw
    made = cut([raw], tmp_path / "raw", DEFAULT_END, 40)
    for night in (FIRST, SECOND):
        assert 0.002 < made.late_rows[night] / made.rows[night] < 0.03
    # of the rows up to it; the average is taken over all forty days
    assert 20 <= 1 / made.night_share <= 41


def test_no_id_of_a_shard_is_an_id_of_another(sample: Sample) -> None:
    blocked = set(shards.blocked_values())
    for name, table in read_contract(PROJECT_ROOT).items():
        if name in shards.COMMON_TABLES:
            continue
        for column in {*table.identifiers, *table.key} - {"phone"}:
            found = duckdb.sql(f"select distinct {column} from {rows_of(sample.raw, name)}").fetchall()
            ids = {value for (value,) in found if value is not None}
            renamed = {value for value in ids if "-s1" in value or ".s1@" in value.lower()}
            # both shards have the same ids: each of the first has its like, but for those that are nobody's
            own = {value for value in ids - renamed if value.strip().lower() not in blocked}
            assert {value.replace("-s1", "").replace(".s1", "") for value in renamed} == own, (name, column)


def test_telephones_are_those_of_the_first_shard(parts: list[Path], sample: Sample) -> None:
    phones = [
        set(duckdb.sql(f"select distinct phone from {rows_of(raw, 'customers')}").fetchall())
        for raw in (parts[0], sample.raw)
    ]
    assert phones[0] >= phones[1] > {(None,)}


def test_batches_arrive_as_links_one_after_the_other(sample: Sample, tmp_path: Path) -> None:
    history = sample.land(HISTORY, tmp_path / "raw")
    assert history.as_of == sample.cut.first_on - timedelta(days=1)
    before = set((tmp_path / "raw").rglob("*.*"))
    assert before
    first = sample.land(FIRST, tmp_path / "raw")
    assert first.as_of == sample.cut.first_on
    assert sample.land(SECOND, tmp_path / "raw").as_of == sample.as_of
    arrived = set((tmp_path / "raw").rglob("*.*"))
    assert before < arrived
    assert all(file.stat().st_nlink > 1 for file in arrived)


def nights(days: int, seconds: float) -> Nights:
    made = Cut(
        date(2025, 12, 1), {HISTORY: 9_890, FIRST: 110, SECOND: 100}, {HISTORY: 0, FIRST: 10, SECOND: 1}
    )
    source = Sample("a sample", Path("raw"), date(2025, 12, 2), "UTC", made, days)
    one = replace(run(seconds), building_seconds=seconds / 2, steps=[Step("raw", seconds, seconds / 2)])
    return Nights(source, dict.fromkeys((HISTORY, FIRST, SECOND, NOTHING_NEW), one))


def test_nights_are_shares_of_a_full_build() -> None:
    measured = nights(100, 2.0).against(replace(run(40.0), building_seconds=20.0))
    assert list(measured.runs) == list(TITLES)
    assert measured.engine_share(FIRST) == pytest.approx(0.05)
    assert measured.wall_share(FIRST) == pytest.approx(0.05)
    assert measured.rows_arrived(FULL) == 10_100
    assert measured.rows_arrived(NOTHING_NEW) == 0
    assert measured.source.cut.night_share == pytest.approx(0.01)
    assert report.nights_as_json(measured)["engine_shares"][FIRST] == pytest.approx(0.05)
    assert report.nights_as_json(nights(100, 2.0))["engine_shares"] == {}


def test_growth_of_nights_is_that_of_their_engine_time() -> None:
    told = report.night_growth_as_json([nights(50, 2.0), nights(100, 2.2)])
    assert told["engine_growths"] == pytest.approx([0.0, 0.1])


def test_every_table_has_a_row_for_everything_measured() -> None:
    measured = nights(100, 2.0).against(run(40.0))
    assert report.nights_table(measured).row_count == len(TITLES)
    assert report.night_growth_table([nights(50, 2.0), nights(100, 2.0)]).row_count == 2
    assert report.steps_table("steps", {"a": measured.runs[FIRST], "b": run()}).row_count == 2
    computed = [Computed("pandas", 1.0, 1, 5, {"span_days": 1}), Computed("models", 1.0, None, 5, {})]
    assert report.libraries_table(5, computed).row_count == 2


def test_the_most_that_was_spilled_is_seen(tmp_path: Path) -> None:
    spill = tmp_path / "spill"
    code = (
        f"import pathlib, time; folder = pathlib.Path({str(spill)!r}); folder.mkdir(); "
        "file = folder / 'one'; file.write_bytes(b'x' * 100_000); time.sleep(1); file.unlink()"
    )
    measured = measure([sys.executable, "-c", code], {}, tmp_path, spill)
    assert measured.spill_bytes >= 100_000
    assert held_bytes(spill) == 0
    assert held_bytes(tmp_path / "nowhere") == 0


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The interactions of the test vector in docs/measures.md, and of somebody with a single day."""
    file = tmp_path_factory.mktemp("published") / "engagement.duckdb"
    with duckdb.connect(str(file)) as connection:
        connection.execute("create schema marts")
        connection.execute("""
            create table marts.fct_interactions as
            select * from (values
                ('a', date '2024-01-01', 'order', 'prompted'),
                ('a', date '2024-01-01', 'order', 'unprompted'),
                ('a', date '2024-01-04', 'login', 'unprompted'),
                ('a', date '2024-01-11', 'login', 'unknown'),
                ('a', date '2024-01-20', 'points_expired', 'system'),
                ('b', date '2024-01-21', 'login', 'unknown')
            ) as rows (customer_id, occurred_on, interaction_type, prompt_status)
        """)
        connection.execute("""
            create table marts.fct_engagement_longevity as
            select 'a' as customer_id, true as is_current, 10 as span_days, 20 as tenure_days,
                10 as recency_days, 3 as active_days, 7 as longest_gap_days
        """)
        connection.execute("""
            create table marts.fct_engagement_frequency as
            select 'a' as customer_id, true as is_current, 5.0::double as mean_gap_days,
                2.0::double as sd_gap_days, ln(2)::double as type_entropy
        """)
        connection.execute("""
            create table marts.fct_engagement_proactiveness as
            select 'a' as customer_id, true as is_current, 2 / 3 as proactive_share
        """)
    return file


def test_pandas_computes_what_the_definitions_say(published: Path, tmp_path: Path) -> None:
    found = by_pandas(published, date(2024, 1, 21))
    found.to_parquet(tmp_path / "pandas.parquet")
    assert compared(published, tmp_path / "pandas.parquet") == (2, {})
    alone = found.set_index("customer_id").loc["b"]
    assert (alone["span_days"], alone["active_days"], alone["type_entropy"]) == (0, 1, 0)
    assert pd.isna(alone["mean_gap_days"])
    assert pd.isna(alone["proactive_share"])


def test_lifetimes_says_the_same_in_its_own_words(published: Path, tmp_path: Path) -> None:
    by_lifetimes(published, date(2024, 1, 21)).to_parquet(tmp_path / "lifetimes.parquet")
    assert compared(published, tmp_path / "lifetimes.parquet") == (2, {})


def test_a_library_that_says_something_else_is_named(published: Path, tmp_path: Path) -> None:
    found = by_pandas(published, date(2024, 1, 21))
    found["span_days"] += 1
    found["sd_gap_days"] = float("nan")
    found.to_parquet(tmp_path / "wrong.parquet")
    assert compared(published, tmp_path / "wrong.parquet") == (2, {"span_days": 1, "sd_gap_days": 1})


@pytest.mark.parametrize("module", ["benchmarks", "benchmarks.profile", "benchmarks.arrivals"])
def test_programs_answer_to_help(module: str) -> None:
    command = [sys.executable, "-m", module, "--help"]
    answer = subprocess.run(command, capture_output=True, text=True, cwd=PROJECT_ROOT, check=True)
    assert f"usage: python -m {module}" in answer.stdout
