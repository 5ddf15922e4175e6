"""The documentation keeps up with what it documents."""

import json
import re
from pathlib import Path

import pytest

from orchestration import dbt
from warehouse import audit
from warehouse.contract import read_contract

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted([ROOT / "README.md", ROOT / "DECISIONS.md", *(ROOT / "docs").glob("*.md")])


def test_the_raw_zone_is_documented_column_by_column():
    page = (ROOT / "docs" / "raw-zone.md").read_text(encoding="utf-8")
    sections = dict(re.findall(r"^### (\w+)\n(.*?)(?=^### |\Z)", page, flags=re.S | re.M))
    contract = read_contract(ROOT)
    assert sections.keys() == set(contract)
    for name, table in contract.items():
        documented = re.findall(r"^\| (\*{0,3})`(\w+)`\*{0,3} \|", sections[name], flags=re.M)
        assert [column for _, column in documented] == [column.name for column in table.columns], name
        required = {column for stars, column in documented if len(stars) >= 2}
        assert required == {column.name for column in table.columns if column.is_required}, name


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_between_pages_lead_somewhere(page: Path):
    links = re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8"))
    missing = [link for link in links if not (page.parent / link).exists()]
    assert missing == []


def test_tables_that_the_pages_name_exist():
    models = {path.stem for path in (ROOT / "models").rglob("*.sql")}
    written_by_python = {table.name for table in audit.TABLES}
    named = {
        table
        for page in PAGES
        for table in re.findall(r"\b(?:marts|audit)\.(\w+)", page.read_text(encoding="utf-8"))
        if not table.endswith("_")
    }
    assert len(named) > 10
    assert named - models - written_by_python == set()


def test_the_page_of_metrics_names_those_that_there_are():
    page = (ROOT / "docs" / "metrics.md").read_text(encoding="utf-8")
    named = set(
        re.findall(r"`([a-z][a-z0-9_]+)`", page.split("## What there is")[1].split("## How they add up")[0])
    )
    metrics = {metric["name"]: metric["type"] for metric in json.loads(dbt.semantic_manifest())["metrics"]}
    entities = {"customer", "channel", "interaction_type", "campaign"}
    assert named - entities - metrics.keys() == set()
    windows = re.compile(r"(monthly|quarterly|yearly)_")
    made = {
        name for name, kind in metrics.items() if kind in ("ratio", "derived") and not windows.match(name)
    }
    assert made - named == set()
