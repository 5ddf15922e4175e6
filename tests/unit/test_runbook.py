"""The runbook knows every exit status, alert and gate, and what it says to type can be typed."""

import re
from pathlib import Path

import pytest
from click import Command, Group
from click.testing import CliRunner

from expectations import runner
from expectations.suite import LAYERS
from orchestration import alerts, cli
from orchestration.alerts import Kind

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "runbook.md").read_text(encoding="utf-8")
SECTIONS = dict(re.findall(r"^### ([^\n]+)\n(.*?)(?=^##+ |\Z)", PAGE, flags=re.S | re.M))


def test_every_exit_status_has_a_section() -> None:
    source = (ROOT / "orchestration" / "cli.py").read_text(encoding="utf-8")
    statuses = {int(number) for number in re.findall(r"^[A-Z]\w+ = (\d+)$", source, flags=re.M)}
    assert statuses == {cli.NOT_PUBLISHED, cli.WRONG_USAGE}
    assert {f"Exit status {status}" for status in statuses | {0}} <= SECTIONS.keys()


@pytest.mark.parametrize("kind", Kind)
def test_every_alert_has_a_section(kind: Kind) -> None:
    assert kind.value in SECTIONS


def test_every_section_that_an_alert_names_exists() -> None:
    assert {section for _, section in alerts.SECTIONS} <= SECTIONS.keys()
    assert (ROOT / alerts.RUNBOOK).is_file()


def test_an_alert_opens_every_fault_and_every_gate() -> None:
    faults = re.findall(r"^### (.+)$", PAGE.partition("\n## Gates\n")[2], flags=re.M)
    assert len(faults) > 10
    assert set(faults) <= {section for _, section in alerts.SECTIONS}


@pytest.mark.parametrize("layer", LAYERS)
def test_every_gate_has_a_section_and_every_suite_a_line(layer: str) -> None:
    named = set(re.findall(rf"`({layer}_\w+)`", SECTIONS[f"Gate {layer}"]))
    assert named == {suite for _, suite in runner.checks(layer)}  # type: ignore[arg-type]


@pytest.mark.parametrize("section", SECTIONS)
def test_every_section_says_what_it_means_how_to_look_and_what_to_do(section: str) -> None:
    for part in ("**Means**", "**Look**", "**Do**"):
        assert SECTIONS[section].count(part) == 1


def test_links_within_the_page_lead_somewhere() -> None:
    headings = re.findall(r"^#+ (.+)$", PAGE, flags=re.M)
    anchors = {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}
    assert set(re.findall(r"\]\(#([^)]+)\)", PAGE)) <= anchors


def commands() -> set[str]:
    return set(re.findall(r"(?:`|^ {4})(engagement [a-z][^`\n]*)", PAGE, flags=re.M))


@pytest.mark.parametrize("line", sorted(commands()))
def test_every_command_exists_with_its_options(line: str) -> None:
    _, name, *words = line.split()
    assert isinstance(cli.main, Group)
    command = cli.main.commands[name]
    assert isinstance(command, Command)
    known = {option for parameter in command.params for option in parameter.opts}
    assert {word for word in words if word.startswith("--")} <= known
    assert CliRunner().invoke(cli.main, [name, "--help"]).exit_code == 0


def test_the_page_was_read() -> None:
    assert len(SECTIONS) > 15 and len(commands()) >= 5
