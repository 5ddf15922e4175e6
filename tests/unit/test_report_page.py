"""The report without a night: small groups, words, what is escaped, and what is said of what is missing."""

import re
import stat
import subprocess
import sys
from datetime import date
from pathlib import Path

import duckdb
import pytest
from hypothesis import given
from hypothesis import strategies as st

from report import charts, page, privacy, words
from report.sections import SECTIONS

ENGAGEMENT = Path(sys.executable).with_name("engagement")
HOSTILE = """<img src=x onerror=alert(1)></svg><script>alert("1")</script>'; drop table marts.x; --"""

RUN = """
    create schema audit;
    create schema marts;
    create table audit.runs as select
        'run-1' as run_id, date '2025-12-31' as as_of, 'USD' as reporting_currency,
        'UTC' as business_time_zone,
        timestamp '2026-01-01 02:00:00' as published_at;
"""
SURVEYS = """
    create table marts.fct_survey_scores as select
        $name as survey_id, 'nps' as metric, '0.0 to 10.0, higher is better' as scale,
        'quarter' as window_unit,
        window_start_on, 20 as respondents, 12 as promoters, 3 as detractors, null::bigint as satisfied,
        150.0 as score_sum, 40 as invitations, 18 as answered_invitations
    from (values (date '2025-07-01'), (date '2025-10-01')) as windows (window_start_on)
"""


@pytest.fixture
def published(tmp_path: Path) -> Path:
    """A published file with one run, one survey with a hostile name, and nothing else."""
    file = tmp_path / "warehouse" / "engagement.duckdb"
    file.parent.mkdir()
    with duckdb.connect(str(file)) as connection:
        connection.execute(RUN)
        connection.execute(SURVEYS, {"name": HOSTILE})
    return file


def run(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [ENGAGEMENT, "report", *map(str, arguments)], capture_output=True, text=True, timeout=120, check=False
    )


@pytest.mark.parametrize(
    ("parts", "hide"),
    [
        ([10, 20, 30], [False, False, False]),
        ([0, 20], [False, False]),
        # the smallest other part goes with a single one, or it would be known by subtraction
        ([3, 20, 10], [True, False, True]),
        ([3, 4, 10], [True, True, False]),
        ([1, 1, 10, 7], [True, True, False, True]),
        ([3, 0], [True, False]),
        ([], []),
    ],
)
def test_small_parts_and_what_would_tell_them_are_hidden(parts: list[int], hide: list[bool]):
    assert privacy.hidden(parts) == hide


@given(st.lists(st.integers(0, 12), max_size=8))
def test_nothing_shown_is_small_and_nothing_hidden_can_be_found_by_subtraction(parts: list[int]):
    hide = privacy.hidden(parts)
    shown = [part for part, is_hidden in zip(parts, hide, strict=True) if not is_hidden]
    unseen = [part for part, is_hidden in zip(parts, hide, strict=True) if is_hidden]
    assert not any(privacy.is_small(part) for part in shown)
    if unseen and any(shown):
        assert len(unseen) > 1 and sum(unseen) >= privacy.LEAST


def test_how_numbers_are_written():
    space, minus = "\u00a0", "\u2212"
    assert words.count(1234567) == "1,234,567"
    assert [words.short(value) for value in (9999, 12345, 1_234_567, 2.5e9)] == [
        "9,999",
        f"12{space}k",
        f"1.2{space}m",
        f"2.5{space}bn",
    ]
    assert words.percent(0.4567) == f"46{space}%"
    assert words.percent(0.4567, 1) == f"45.7{space}%"
    assert words.signed_percent(-0.4567) == f"{minus}46{space}%"
    assert words.signed(0.123, 2) == "+0.12"
    assert (words.share(1, 0), words.share(None, 1), words.share(1, 4)) == (None, None, 0.25)
    assert words.percent(None) == words.count(None) == words.NOTHING
    assert (words.month(date(2025, 3, 31)), words.quarter(date(2025, 3, 31))) == ("Mar 2025", "2025 Q1")


def test_names_in_a_drawing_are_text():
    drawing = charts.bars("key", HOSTILE, HOSTILE, [charts.Bar(HOSTILE, 1.0, HOSTILE)])
    assert "<script" not in drawing and "<img" not in drawing
    assert drawing.count("</svg>") == 1
    assert "&lt;script&gt;" in drawing


def test_drawings_of_one_page_do_not_share_names():
    points = [charts.Point(day, 1 - day / 10, 0.1, 0.9) for day in range(5)]
    first = charts.curve("first", "one", "one", points, "days")
    second = charts.curve("second", "two", "two", points, "days")
    assert set(re.findall(r'id="([^"]+)"', first)).isdisjoint(re.findall(r'id="([^"]+)"', second))


def test_a_value_that_is_not_shown_has_no_bar():
    drawn = charts.bars(
        "key", "title", "text", [charts.Bar("a", None, "not shown"), charts.Bar("b", 7.0, "7")]
    )
    assert "not shown" in drawn


def test_a_hostile_name_is_shown_as_it_is_and_does_nothing(published: Path):
    shown = page.render(published)
    assert "<script" not in shown and "<img" not in shown
    assert "&lt;img src=x onerror=alert(1)&gt;" in shown
    assert "drop table marts.x" in shown
    with duckdb.connect(str(published), read_only=True) as connection:
        assert connection.execute("select count(*) from marts.fct_survey_scores").fetchone() == (2,)


def test_the_policy_of_the_page_forbids_scripts_and_networks(published: Path):
    shown = page.render(published)
    assert "default-src 'none'" in shown
    assert re.findall(r"(?:src|href)=\"(?!#|data:)([^\"]*)\"", shown) == []
    assert "url(" not in shown.replace("url(#", "")


def test_what_the_file_does_not_have_is_said_section_by_section(published: Path):
    shown = page.render(published)
    for key, (title, _) in SECTIONS.items():
        assert f'<section id="{key}"' in shown and f">{title}</h2>" in shown
    assert shown.count("This published file has nothing to show here.") == len(SECTIONS) - 1
    # 12 promoters and 3 detractors of 20: 45, with a standard error of 100 sqrt((0.75 - 0.45^2) / 20) = 16.55
    assert "+45 ± 32" in shown


def test_the_page_is_written_whole_and_not_for_everybody(published: Path, tmp_path: Path):
    out = tmp_path / "page.html"
    out.write_text("the page of yesterday")
    # a process that is no more was killed while it wrote
    (tmp_path / ".page.html.99999999.writing").write_text("half a")
    reported = run("--warehouse", published.parent, "--out", out)
    assert (reported.returncode, reported.stderr) == (0, "")
    assert out.read_text(encoding="utf-8").endswith("</html>\n")
    assert stat.S_IMODE(out.stat().st_mode) == 0o640
    assert sorted(path.name for path in tmp_path.iterdir()) == ["page.html", "warehouse"]


def test_without_out_it_stands_beside_the_published_file(published: Path):
    assert run("--warehouse", published.parent).returncode == 0
    assert (published.parent / "engagement.html").is_file()


def test_a_page_that_cannot_be_drawn_leaves_the_old_one(published: Path, monkeypatch: pytest.MonkeyPatch):
    out = published.with_suffix(".html")
    out.write_text("the page of yesterday")

    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", fail)
    with pytest.raises(page.ReportError, match="cannot be written: No space left on device"):
        page.write(published, out)
    assert out.read_text() == "the page of yesterday"
    assert sorted(path.name for path in out.parent.iterdir()) == ["engagement.duckdb", "engagement.html"]


def test_a_warehouse_without_publication_is_status_1_and_one_sentence(tmp_path: Path):
    for folder in (tmp_path, tmp_path / "nowhere"):
        refused = run("--warehouse", folder, "--out", tmp_path / "page.html")
        assert refused.returncode == 1
        assert refused.stderr == f"engagement: Nothing is published in {folder}; run a night first.\n"
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_cannot_be_read_is_status_1_and_one_sentence(tmp_path: Path):
    (tmp_path / "engagement.duckdb").write_bytes(b"no database" * 1000)
    refused = run("--warehouse", tmp_path)
    assert refused.returncode == 1
    assert "cannot be read" in refused.stderr
    assert refused.stderr.count("\n") == 1 and "Traceback" not in refused.stderr


def test_a_file_without_a_published_run_is_status_1(tmp_path: Path):
    file = tmp_path / "engagement.duckdb"
    with duckdb.connect(str(file)) as connection:
        connection.execute(RUN)
        connection.execute("update audit.runs set published_at = null")
    refused = run("--warehouse", tmp_path)
    assert refused.returncode == 1
    assert refused.stderr == f"engagement: {file}: The published file names no published run.\n"


def test_a_folder_that_does_not_exist_or_is_the_page_is_refused(published: Path, tmp_path: Path):
    refused = run("--warehouse", published.parent, "--out", tmp_path / "nowhere" / "page.html")
    assert refused.returncode == 1
    assert "cannot be written" in refused.stderr and "Traceback" not in refused.stderr
    assert run("--warehouse", published.parent, "--out", tmp_path).returncode == 2
