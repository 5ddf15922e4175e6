"""The report of a night: numbers against SQL of their own, the page in a browser, its place in Dagster."""

import shutil
import stat
from collections import Counter
from collections.abc import Iterator
from datetime import date
from itertools import pairwise
from pathlib import Path

import dagster as dg
import duckdb
import pytest
from bare_nights import BareWarehouse
from browser import Browser, chromium
from html_page import Page
from nights import open_published

from loaders.sample import generate
from orchestration.defs.report import REPORT, report_asset
from report import page, privacy, words
from warehouse import audit
from warehouse.publication import Edition, publish

pytestmark = pytest.mark.slow

AS_OF = date(2025, 12, 31)
SIZES = {"phone": (390, 844), "desktop": (1440, 900)}
SCHEMES = ("light", "dark")


@pytest.fixture(scope="module")
def warehouse(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A published warehouse of half a year of every channel."""
    bare = BareWarehouse(tmp_path_factory.mktemp("report"))
    generate(200, 210, 7, bare.raw)
    night = bare.night(AS_OF)
    checks = [
        audit.CheckRow(
            tool="dbt",
            layer="marts",
            suite="suite",
            table_name="fct_visits",
            expectation="expectation",
            column_name=None,
            kwargs="{}",
            severity="warning",
            is_success=is_success,
            observed=None,
            element_count=None,
            unexpected_count=None,
            exception=None,
        )
        for is_success in (True, True, False)
    ]
    audit.record_step(bare.place.marts_file, night.run_id, checks=checks)
    edition = Edition(night.run_id, AS_OF, published_at=night.started_at)
    publish(bare.place.marts_file, bare.place.published, bare.place.kept, edition)
    return bare.place.folder


@pytest.fixture(scope="module")
def html(warehouse: Path) -> str:
    return page.render(warehouse / "engagement.duckdb")


@pytest.fixture(scope="module")
def shown(html: str) -> Page:
    return Page(html)


@pytest.fixture(scope="module")
def marts(warehouse: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    with open_published(warehouse) as connection:
        yield connection


@pytest.fixture(scope="module")
def file(html: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    written = tmp_path_factory.mktemp("page") / "report.html"
    written.write_text(html, encoding="utf-8")
    return written


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with chromium(tmp_path_factory.mktemp("profile")) as started:
        yield started


@pytest.fixture(params=[(size, scheme) for size in SIZES for scheme in SCHEMES], ids="-".join)
def opened(request: pytest.FixtureRequest, browser: Browser, file: Path) -> Browser:
    size, scheme = request.param
    browser.open(file, *SIZES[size], scheme)
    return browser


def text(value: str) -> str:
    """A number as written by the page, with the blanks that a reader of text sees."""
    return " ".join(value.split())


def test_headline_numbers(shown: Page, marts: duckdb.DuckDBPyConnection):
    customers = marts.sql(
        "select customer_id, recency_days, is_lapsed from marts.fct_engagement_longevity where is_current"
    ).fetchall()
    active = sum(recency < 28 for _, recency, _ in customers)
    lapsed = sum(is_lapsed for *_, is_lapsed in customers)
    assert shown.cards["Customers"][0] == words.count(len(customers))
    assert shown.cards["Active in 28 days"] == (
        text(words.percent(active / len(customers))),
        f"{active} customers",
    )
    assert shown.cards["Lapsed"] == (text(words.percent(lapsed / len(customers))), f"{lapsed} customers")
    # acts one by one, not the facts' totals
    statuses = Counter(
        dict(
            marts.sql(
                "select prompt_status, count(*) from marts.fct_interactions"
                " join marts.customer_engagement using (customer_id) group by all"
            ).fetchall()
        )
    )
    known = statuses["unprompted"] + statuses["prompted"]
    value, note = shown.cards["Of their own accord"]
    assert value == text(words.percent(statuses["unprompted"] / known))
    assert note.startswith(f"of {known:,} acts")


def test_tiers_and_stages(shown: Page, marts: duckdb.DuckDBPyConnection):
    rows = marts.sql(
        "select tier, journey_stage, revenue_365, is_lapsed from marts.customer_engagement"
    ).fetchall()
    for caption, position in (("Customers by tier", 0), ("Customers by stage of the journey", 1)):
        counts = Counter(str(row[position]) for row in rows)
        table = shown.records(caption)
        told = {name: row for name, row in table.items() if row["Customers"] != privacy.NOT_SHOWN}
        assert told
        for name, row in told.items():
            assert row["Customers"] == words.count(counts[name.lower()])
            assert row["Share"] == text(words.percent(counts[name.lower()] / len(rows), 1))
    nobody = [float(row[2]) for row in rows if row[0] == "none"]
    worth = shown.records("Tiers and what they are worth")["None"]
    assert worth["Revenue each, 365 days (USD)"] == words.decimal(sum(nobody) / len(nobody))


def test_no_number_is_about_fewer_than_five_customers(shown: Page):
    counted = [
        int(cell.replace(",", ""))
        for rows in shown.tables.values()
        for column, heading in enumerate(rows[0])
        if heading in ("Customers", "Respondents")
        for cell in (row[column] for row in rows[1:])
        if cell.replace(",", "").isdigit()
    ]
    assert len(counted) > 50
    assert [number for number in counted if 0 < number < privacy.LEAST] == []
    assert privacy.NOT_SHOWN in shown.text


def test_spreads_hold_every_customer_in_the_right_class(shown: Page, marts: duckdb.DuckDBPyConnection):
    spans = [
        row[0]
        for row in marts.sql(
            "select span_days from marts.fct_engagement_longevity where is_current"
        ).fetchall()
    ]
    bounds = {
        "0": (0, 0),
        "1-7": (1, 7),
        "8-30": (8, 30),
        "31-90": (31, 90),
        "91-180": (91, 180),
        "181-365": (181, 365),
    }
    table = shown.records("Longevity: from first to last active day")
    assert len(table) == 7
    for label, (low, high) in bounds.items():
        number = table[words.span(label)]["Customers"]
        assert number in (privacy.NOT_SHOWN, words.count(sum(low <= span <= high for span in spans)))
    volumes = [
        row[0]
        for row in marts.sql(
            "select count(*) from marts.fct_interactions join marts.customer_engagement using (customer_id)"
            " where prompt_status <> 'system' group by customer_id"
        ).fetchall()
    ]
    number = shown.records("Volume: interactions to date")[words.span("21-50")]["Customers"]
    assert number == words.count(sum(21 <= volume <= 50 for volume in volumes))


def test_months_are_those_of_the_acts(shown: Page, marts: duckdb.DuckDBPyConnection):
    acts = marts.sql(
        "select strftime(occurred_on, '%b %Y'), count(distinct customer_id),"
        " count(*) filter (where prompt_status = 'unprompted'),"
        " count(*) filter (where prompt_status = 'prompted')"
        " from marts.fct_interactions where prompt_status <> 'system' group by 1"
    ).fetchall()
    assert len(acts) >= 7
    active, shares = shown.records("Active customers"), shown.records("Share of acts of their own accord")
    assert active.keys() == shares.keys() == {month for month, *_ in acts}
    for month, customers, unprompted, prompted in acts:
        assert active[month]["Active"] in (words.count(customers), privacy.NOT_SHOWN)
        if customers >= privacy.LEAST:
            assert shares[month]["Unprompted"] == words.count(unprompted)
            assert shares[month]["Share"] == text(words.percent(unprompted / (unprompted + prompted), 1))
    sold = marts.sql("select sum(revenue) from marts.fct_interactions").fetchone()
    months = shown.records("Revenue (USD)")
    told = [float(row["Revenue (USD)"].replace(",", "").replace("\u2212", "-")) for row in months.values()]
    assert sold is not None
    assert sum(told) == pytest.approx(float(sold[0]), abs=0.01 * len(told))


def test_channels_are_those_of_the_acts(shown: Page, marts: duckdb.DuckDBPyConnection):
    acts = marts.sql(
        "select channel_name, count(distinct customer_id), count(*),"
        " count(*) filter (where prompt_status = 'unprompted'),"
        " count(*) filter (where prompt_status = 'prompted')"
        " from marts.fct_interactions join marts.dim_channels using (channel)"
        f" where prompt_status <> 'system' and occurred_on > date '{AS_OF}' - 90 group by all"
    ).fetchall()
    table = shown.records("All channels, 90 days")
    told = 0
    for channel, customers, number, unprompted, prompted in acts:
        row = table[channel]
        if customers < privacy.LEAST:
            assert row["Interactions"] == row["Own accord"] == privacy.NOT_SHOWN
        else:
            told += 1
            assert (row["Customers"], row["Interactions"]) == (words.count(customers), words.count(number))
            assert row["Own accord"] == text(words.percent(unprompted / (unprompted + prompted)))
    assert told > 3
    touches = marts.sql(
        "select channel_name, count(*), count(*) filter (where is_answered) from marts.fct_touches"
        f" join marts.dim_channels using (channel) where touched_on > date '{AS_OF}' - 90 group by all"
        f" having count(distinct customer_id) >= {privacy.LEAST}"
    ).fetchall()
    assert touches
    for channel, number, answered in touches:
        assert table[channel]["Touches"] == words.count(number)
        assert table[channel]["Answered"] == text(words.percent(answered / number))


def test_cohorts_are_those_of_the_acts(shown: Page, marts: duckdb.DuckDBPyConnection):
    acts = marts.sql(
        "select customer_id, occurred_on from marts.fct_interactions where prompt_status <> 'system'"
    ).fetchall()
    months: dict[str, set[int]] = {}
    for customer, day in acts:
        months.setdefault(customer, set()).add(12 * day.year + day.month)
    caption = "Share of a cohort that is active, by months since the first"
    compared = 0
    for cohort, row in shown.records(caption).items():
        first = next(
            month
            for month in range(12 * 2025, 12 * 2027)
            if words.month(date((month - 1) // 12, (month - 1) % 12 + 1, 1)) == cohort
        )
        members = [active for active in months.values() if min(active) == first]
        assert row["Customers"] in (words.count(len(members)), privacy.NOT_SHOWN)
        for heading, cell in row.items():
            if heading.startswith("+") and cell.endswith("%"):
                active = sum(first + int(heading) in member for member in members)
                assert active >= privacy.LEAST
                assert cell == text(words.percent(active / len(members)))
                compared += 1
    assert compared > 10


def test_outcomes_are_those_of_the_latest_month_with_a_window(shown: Page, marts: duckdb.DuckDBPyConnection):
    rows = marts.sql(
        "select customer_id, active_days_90, revenue::double from marts.fct_customer_outcomes"
        " where snapshot_date = (select max(snapshot_date) from marts.fct_customer_outcomes)"
    ).fetchall()
    days = [row[1] for row in rows]
    mean = sum(row[2] for row in rows) / len(rows)
    # the mid-rank percentile decides the fifth
    ranks = {
        day: (sum(other < day for other in days) + (days.count(day) + 1) / 2 - 0.5) / len(days)
        for day in days
    }
    highest = [revenue for _, day, revenue in rows if ranks[day] > 0.8]
    [caption] = [name for name in shown.tables if name.startswith("Revenue in the window, lift")]
    cell = shown.records(caption)["Active days in 90"]["Fifth 5"]
    assert cell == text(words.signed_percent(sum(highest) / len(highest) / mean - 1))
    spearman = marts.sql(
        "select corr(x, y) from (select"
        " 2 * rank() over (order by active_days_90) + count(*) over (partition by active_days_90) as x,"
        " 2 * rank() over (order by revenue) + count(*) over (partition by revenue) as y"
        " from marts.fct_customer_outcomes"
        " where snapshot_date = (select max(snapshot_date) from marts.fct_customer_outcomes))"
    ).fetchone()
    assert spearman is not None
    row = shown.records("Revenue in the window")["Active days in 90"]
    assert row["Spearman"] == words.signed(spearman[0], 3)


def test_checks_freshness_and_run(shown: Page, marts: duckdb.DuckDBPyConnection):
    assert "2 of 3 checks of the night hold." in shown.text
    assert shown.tables["Checks that did not hold"][1][0] == "fct_visits"
    run = {row[0]: row[1] for row in shown.tables["The published run"][1:]}
    assert run["Run"] == "night-1"
    assert run["Last business day known"] == "2025-12-31 (UTC)"
    held_back = marts.sql("select count(*) from audit.quarantine").fetchone()
    assert held_back is not None
    assert sum(int(row[2]) for row in shown.tables["Raw rows held back"][1:]) == held_back[0]


def test_nobody_is_named(html: str, marts: duckdb.DuckDBPyConnection):
    names = marts.sql(
        "select customer_id from marts.dim_customers union all select email_hash from marts.dim_customers"
        " union all select interaction_id from marts.fct_interactions"
        " union all select source_key from audit.quarantine"
    ).fetchall()
    assert len(names) > 1000
    assert [name for (name,) in names if name is not None and len(name) >= 8 and name in html] == []


def test_the_page_asks_for_nothing_and_complains_of_nothing(opened: Browser, file: Path):
    assert opened.complaints() == []
    assert {url for url in opened.requests() if not url.startswith("data:")} == {file.as_uri()}


OVERFLOW = """
    return [document.documentElement.scrollWidth, window.innerWidth,
        [...document.querySelectorAll('main *')].filter(element => !element.closest('.scroll, .unseen')
            && element.getBoundingClientRect().right > window.innerWidth + 1)
            .map(element => element.outerHTML.slice(0, 80))]
"""


def test_nothing_has_to_be_scrolled_sideways(opened: Browser):
    for prepare in ("", "document.querySelectorAll('details').forEach(one => { one.open = true })"):
        opened.run(prepare)
        page_width, window_width, wide = opened.run(OVERFLOW)
        assert (page_width <= window_width, wide) == (True, [])


CHARTS = """
    return [...document.querySelectorAll('svg.chart')].map(chart => {
        const box = chart.getBoundingClientRect();
        const marks = [...chart.querySelectorAll('path[fill], path[stroke], line, text')].filter(mark => {
            const at = mark.getBoundingClientRect();
            return (at.width > 0 || at.height > 0) && getComputedStyle(mark).display !== 'none';
        });
        const outside = [...chart.querySelectorAll('text')].filter(text => {
            const at = text.getBoundingClientRect();
            return at.width > 0 && (at.left < box.left - 12 || at.right > box.right + 12);
        }).map(text => text.textContent);
        const letters = [...chart.querySelectorAll('text')].map(text =>
            parseFloat(getComputedStyle(text).fontSize) * box.width / chart.viewBox.baseVal.width);
        return {name: chart.getAttribute('aria-labelledby'), width: box.width, height: box.height,
            marks: marks.length, outside: outside, smallest: Math.min(...letters)};
    })
"""


def test_every_chart_is_there_to_be_seen(opened: Browser):
    charts = opened.run(CHARTS)
    assert len(charts) >= 18
    for chart in charts:
        assert chart["width"] >= 300 and chart["height"] >= 40, chart
        assert chart["marks"] > 3, chart
        assert chart["outside"] == [], chart
        # letters of a size that can be read
        assert chart["smallest"] >= 9.5, chart


CONTRAST = """
    const canvas = document.createElement('canvas');
    canvas.width = canvas.height = 1;
    const brush = canvas.getContext('2d', {willReadFrequently: true});
    const read = (colour, under) => {
        brush.clearRect(0, 0, 1, 1);
        if (under) { brush.fillStyle = under; brush.fillRect(0, 0, 1, 1); }
        brush.fillStyle = colour;
        brush.fillRect(0, 0, 1, 1);
        return [...brush.getImageData(0, 0, 1, 1).data];
    };
    const light = colour => {
        const [r, g, b] = colour.map(part => part / 255).map(part =>
            part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4);
        return 0.2126 * r + 0.7152 * g + 0.0722 * b;
    };
    const behind = element => {
        for (let at = element; at; at = at.parentElement) {
            const colour = getComputedStyle(at).backgroundColor;
            if (read(colour)[3] === 255) return colour;
        }
        return 'white';
    };
    const seen = [];
    const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    while (walker.nextNode()) {
        const text = walker.currentNode;
        const holder = text.parentElement;
        if (!text.textContent.trim() || holder.closest('title, desc, .unseen')) continue;
        const style = getComputedStyle(holder);
        const ground = behind(holder);
        const colour = holder.closest('svg') ? style.fill : style.color;
        const [one, two] = [light(read(colour, ground)), light(read(ground))];
        const ratio = (Math.max(one, two) + 0.05) / (Math.min(one, two) + 0.05);
        seen.push([ratio, text.textContent.trim().slice(0, 40), holder.tagName]);
    }
    return seen;
"""


def test_all_text_stands_out_from_its_ground(opened: Browser):
    opened.run("document.querySelectorAll('details').forEach(one => { one.open = true })")
    ratios = opened.run(CONTRAST)
    assert len(ratios) > 500
    # WCAG 2.2, level AA
    assert [entry for entry in ratios if entry[0] < 4.5] == []


STRUCTURE = """
    const all = selector => [...document.querySelectorAll(selector)];
    const named = element => (element.getAttribute('aria-labelledby') || '').split(' ').every(id =>
        id && document.getElementById(id) && document.getElementById(id).textContent.trim());
    const ids = all('[id]').map(element => element.id);
    return {
        language: document.documentElement.lang, title: document.title,
        headings: all('h1, h2, h3, h4').map(heading => Number(heading.tagName[1])),
        landmarks: ['body > header', 'header > nav', 'body > main', 'body > footer']
            .map(place => all(place).length),
        repeated: ids.filter((id, at) => ids.indexOf(id) !== at),
        unnamed: all('svg, section, [role=region]').filter(element => !named(element)).length,
        images: all('svg').filter(image => image.getAttribute('role') !== 'img'
            || !image.querySelector('title').textContent
            || image.querySelector('desc').textContent.length < 30).length,
        untabled: all('figure').filter(figure => !figure.querySelector('details table tbody tr')).length,
        tables: all('table').filter(table => !table.caption || !table.querySelector('thead th[scope=col]')
            || table.querySelector('tbody tr > :first-child:not(th[scope=row])')).length,
        unreachable: all('.scroll').filter(region => region.tabIndex !== 0).length,
        dead: all('a[href^="#"]').filter(link => !document.querySelector(link.getAttribute('href'))).length,
        scripts: all('script, iframe, object, embed, img, link[rel=stylesheet]').length,
    };
"""


def test_the_page_can_be_used_without_seeing_it(opened: Browser):
    found = opened.run(STRUCTURE)
    assert (found["language"], found["title"]) == ("en", "Engagement report, 2025-12-31")
    levels = found["headings"]
    assert levels[0] == 1 and levels.count(1) == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))
    assert found["landmarks"] == [1, 1, 1, 1]
    assert found["repeated"] == []
    for fault in ("unnamed", "images", "untabled", "tables", "unreachable", "dead", "scripts"):
        assert found[fault] == 0, fault


def test_the_page_can_be_used_with_a_keyboard(opened: Browser):
    from selenium.webdriver.common.action_chains import ActionChains
    from selenium.webdriver.common.keys import Keys

    ActionChains(opened.driver).send_keys(Keys.TAB).perform()
    assert opened.run("return document.activeElement.className") == "skip"
    assert opened.run("return document.activeElement.getBoundingClientRect().left >= 0")
    assert (
        opened.run(
            "const first = document.querySelector('summary'); first.focus(); return first.parentElement.open"
        )
        is False
    )
    ActionChains(opened.driver).send_keys(Keys.ENTER).perform()
    assert opened.run("return document.querySelector('details').open") is True
    assert opened.run("return getComputedStyle(document.activeElement).outlineStyle") == "solid"


def test_light_and_dark_are_two_pages(browser: Browser, file: Path):
    grounds = []
    for scheme in SCHEMES:
        browser.open(file, *SIZES["desktop"], scheme)
        grounds.append(browser.run("return getComputedStyle(document.body).backgroundColor"))
    assert len(set(grounds)) == 2


def emptied(warehouse: Path, folder: Path, tables: str) -> Page:
    """The page of a copy of the published file in which some tables have no rows."""
    copy = folder / "engagement.duckdb"
    shutil.copyfile(warehouse / "engagement.duckdb", copy)
    with duckdb.connect(str(copy)) as connection:
        names = connection.execute(
            "select table_name from duckdb_tables()"
            " where schema_name = 'marts' and regexp_matches(table_name, ?)",
            [tables],
        ).fetchall()
        assert names
        for (name,) in names:
            connection.execute(f"delete from marts.{name}")
    return Page(page.render(copy))


def test_a_warehouse_without_customers_has_a_page_that_says_so(warehouse: Path, tmp_path: Path):
    shown = emptied(warehouse, tmp_path, ".*")
    for sentence in (
        "Nobody has been active within the time that customers are followed.",
        "Too few customers to tell them apart.",
        "Too few customers to be spread.",
        "No month has any activity yet.",
        "Nothing happened on any channel in the 90 days until 2025-12-31.",
        "There are no cohorts yet.",
        "No closed month has a whole window after it in which outcomes differ.",
        "No survey has been answered.",
    ):
        assert sentence in shown.text
    assert "The published run" in shown.tables


def test_what_was_never_landed_is_missing_and_the_rest_is_there(warehouse: Path, tmp_path: Path):
    shown = emptied(warehouse, tmp_path, "survey|touches|outcomes|survival")
    assert "No survey has been answered." in shown.text
    assert "No closed month has a whole window" in shown.text
    assert "Survival: customers not yet lapsed" not in shown.text
    assert {"Customers by tier", "All channels, 90 days"} <= shown.tables.keys()


def materialize(
    warehouse: Path, monkeypatch: pytest.MonkeyPatch, wanted: str = "true"
) -> dg.ExecuteInProcessResult:
    monkeypatch.setenv("ENGAGEMENT_WAREHOUSE", str(warehouse))
    monkeypatch.setenv("ENGAGEMENT_REPORT", wanted)
    return dg.materialize([report_asset], selection=[REPORT], instance=dg.DagsterInstance.ephemeral())


def test_dagster_writes_it_beside_the_published_file(
    warehouse: Path, html: str, monkeypatch: pytest.MonkeyPatch
):
    outcome = materialize(warehouse, monkeypatch)
    written = warehouse / "engagement.html"
    assert outcome.asset_materializations_for_node("report")[0].metadata["size_bytes"].value == len(
        html.encode()
    )
    assert written.read_text(encoding="utf-8") == html
    assert stat.S_IMODE(written.stat().st_mode) == 0o640


def test_a_report_that_fails_does_not_fail_the_night(warehouse: Path, monkeypatch: pytest.MonkeyPatch):
    def fail(*_: object) -> int:
        raise ValueError("no ink")

    monkeypatch.setattr(page, "write", fail)
    outcome = materialize(warehouse, monkeypatch)
    assert outcome.success
    assert outcome.asset_materializations_for_node("report") == []


def test_a_report_that_nobody_wants_is_not_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    outcome = materialize(tmp_path, monkeypatch, wanted="false")
    assert outcome.success
    assert outcome.asset_materializations_for_node("report") == []
    assert list(tmp_path.iterdir()) == []
