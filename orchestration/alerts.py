"""What is wrong with the nights now, in words for whoever is on call: what, where, since when, what to do.

Every alert has a cause by which it is told once; a cause that is over is forgotten, and told again when it
comes back. What does NOT belong here: how alerts are sent (`orchestration.delivery`), and when somebody looks
(`orchestration.defs.alerts`).
"""

from __future__ import annotations

import re
import socket
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from pathlib import Path

from expectations.thresholds import Thresholds
from warehouse import lock
from warehouse.night import Warehouse
from warehouse.staleness import StaleSource, stale_sources
from warehouse.summary import PublishedRun

RUNBOOK = "docs/runbook.md"
_LINES = 6
_LINE_WIDTH = 440
# What stood in a row helps at the machine; it has no business in a chat or a mailbox.
_EXAMPLE = re.compile(r", for example .*")


class Kind(StrEnum):
    """What an alert is about; also the heading of its section in the runbook."""

    FAILED = "Night failed"
    KILLED = "Night killed"
    LATE = "Night late"
    DAMAGED = "Published file damaged"
    QUARANTINE = "Quarantine over its threshold"
    STALE = "Source stale"


# What stands in the message of a failed night -> section of the runbook that says more than its kind's; the
# first that fits.
SECTIONS = (
    (re.compile(r"Out of Memory Error|ENGAGEMENT_MEMORY_LIMIT"), "Memory exhausted"),
    (re.compile(r"No space left on device|The disk of .* is full"), "Disk full"),
    (re.compile(r"Corrupt database file|A file in .* is damaged"), "Build files damaged"),
    (re.compile(r"No files found that match|^Raw table \w+ has lost ", re.M), "Raw zone gone"),
    (re.compile(r"expect_loaded_at_to_be_a_time_that_has_come"), "Clock moved"),
    (re.compile(r"^gate raw:", re.M), "Gate raw"),
    (re.compile(r"^gate staging:", re.M), "Gate staging"),
    (re.compile(r"^gate marts:", re.M), "Gate marts"),
    (re.compile(r"row_accounts"), "Row accounts do not balance"),
    (re.compile(r"^\w+: \d+ of \d+ nodes failed", re.M), "Model or dbt test failed"),
    (re.compile(r"\b[Rr]aw (?:zone|table) "), "Raw zone unreadable"),
    (re.compile(r"^The warehouse .* is held by "), "Warehouse busy"),
)


@dataclass(frozen=True)
class FailedRun:
    """A night, or part of one, that ended without success.

    Attributes:
        run_id: The run.
        since: When it ended, aware.
        message: Why, as the night said it.
        started_by: Command or job.
        is_killed: Whether its process died without a word.
    """

    run_id: str
    since: datetime
    message: str
    started_by: str
    is_killed: bool = False


@dataclass(frozen=True)
class Alert:
    """One thing that somebody should know.

    Attributes:
        kind: What it is about.
        causes: By what it is recognised; told once each.
        what: What has happened, one line or several.
        where: Warehouse, run, table.
        since: Since when, aware.
        to_do: What to do first.
        section: Section of the runbook.
    """

    kind: Kind
    causes: tuple[str, ...]
    what: str
    where: str
    since: datetime
    to_do: str
    section: str

    @property
    def subject(self) -> str:
        """One line without anything that came from data."""
        return f"engagement: {self.kind.lower()}, since {_moment(self.since)}"

    def text(self) -> str:
        """Return all of it, readable as it stands."""
        return "\n".join(
            [
                self.subject,
                f"What: {self.what}",
                f"Where: {self.where}",
                f"To do: {self.to_do} Runbook: {RUNBOOK}, section '{self.section}'.",
            ]
        )


def failed_nights(
    warehouse: Warehouse, published: PublishedRun | None, runs: Iterable[FailedRun]
) -> list[Alert]:
    """Return an alert for every run that failed since the last published night, and for a killed one.

    Args:
        warehouse: The warehouse.
        published: What readers see.
        runs: Failed runs that the orchestrator knows of; the lock file tells of the last night, whoever
            started it.
    """
    found = {run.run_id: run for run in runs}
    last = _last_night(warehouse.lock)
    if last is not None:
        # the lock file knows nights of the command line, and the reason in one piece
        found[last.run_id] = last
    return [_failed(warehouse, published, run) for run in found.values()]


def late_night(
    warehouse: Warehouse, published: PublishedRun | None, due_since: datetime | None
) -> list[Alert]:
    """Return an alert if a night should have published and has not.

    Args:
        warehouse: The warehouse.
        published: What readers see.
        due_since: The moment since which a publication is missing, aware; `None` if none is.
    """
    if due_since is None:
        return []
    running = lock.running(warehouse.lock)
    now = f" A night runs: {running}." if running else " No night runs."
    return [
        Alert(
            kind=Kind.LATE,
            causes=(f"late {published.run_id if published else 'first night'}",),
            what=f"No night has been published since it was due. {_readers(published)}{now}",
            where=_place(warehouse),
            since=due_since,
            to_do=f"Look with `engagement status --warehouse {warehouse.folder}`; start the night by hand if "
            "nothing runs.",
            section=Kind.LATE,
        )
    ]


def damaged_file(warehouse: Warehouse, error: Exception) -> Alert:
    """Return an alert for a published file that readers cannot open.

    Args:
        warehouse: The warehouse.
        error: What the engine said.
    """
    since = datetime.fromtimestamp(warehouse.published.stat().st_mtime, tz=UTC)
    return Alert(
        kind=Kind.DAMAGED,
        causes=(f"damaged {since.isoformat()}",),
        what=_shortened(str(error)),
        where=f"{warehouse.published} on {socket.gethostname()}, written at the time above",
        since=since,
        to_do="Put the last good publication back with `engagement rollback --warehouse "
        f"{warehouse.folder}`, or run a night: it takes the file's place.",
        section=Kind.DAMAGED,
    )


def stale(
    warehouse: Warehouse, thresholds: Thresholds, told: Iterable[str] = ()
) -> tuple[list[Alert], set[str]]:
    """Return one alert for all raw tables that have gone stale since somebody was told, and every cause.

    Args:
        warehouse: The warehouse, with a published file.
        thresholds: How old a load may be.
        told: Causes that are known already.
    """
    sources = {
        _stale_cause(source): source for source in stale_sources(warehouse.published, _limits(thresholds))
    }
    news = {cause: source for cause, source in sources.items() if cause not in set(told)}
    if not news:
        return [], set(sources)
    tables = [
        f"{source.table_name} (latest load {source.last_loaded_at:%Y-%m-%d %H:%M} UTC, limit "
        f"{source.limit / timedelta(hours=1):.0f} h)"
        for source in news.values()
    ]
    alert = Alert(
        kind=Kind.STALE,
        causes=tuple(news),
        what=f"{len(news)} raw tables have stopped arriving: {', '.join(tables)}."
        if len(news) > 1
        else f"A raw table has stopped arriving: {tables[0]}.",
        where=_place(warehouse),
        since=min(source.last_loaded_at for source in news.values()).replace(tzinfo=UTC),
        to_do="Look at the loaders of these tables; nights go on with what is there.",
        section=Kind.STALE,
    )
    return [alert], set(sources)


def _failed(warehouse: Warehouse, published: PublishedRun | None, run: FailedRun) -> Alert:
    kind = _kind(run)
    to_do = {
        Kind.FAILED: "Mend what is named above and run the night again.",
        Kind.KILLED: "Run the night again; there is nothing to clean up.",
        Kind.QUARANTINE: "Mend the loader, or the limit, and run the night again.",
    }[kind]
    section = kind.value
    if kind is Kind.FAILED:
        section = next((name for pattern, name in SECTIONS if pattern.search(run.message)), kind.value)
    return Alert(
        kind=kind,
        causes=(f"run {run.run_id}",),
        what=_shortened(run.message),
        where=f"{_place(warehouse)}, run {run.run_id}, started by `{run.started_by}`",
        since=run.since,
        to_do=f"{_readers(published)} {to_do}",
        section=section,
    )


def _kind(run: FailedRun) -> Kind:
    if run.is_killed:
        return Kind.KILLED
    return Kind.QUARANTINE if "expect_few_rows_in_quarantine" in run.message else Kind.FAILED


def _last_night(path: Path) -> FailedRun | None:
    """Return the last night that held the lock, if it came to a bad end."""
    last = lock.last(path)
    if last is None or lock.running(path) is not None:
        return None
    if last.until is None:
        since = datetime.fromisoformat(last.since)
        message = f"The night of {last.as_of} died without a word."
        return FailedRun(_name(last), since, message, last.command, is_killed=True)
    if last.outcome != "failed":
        return None
    message = last.message or "It could not start; the traceback is in build/error.log of the warehouse."
    return FailedRun(_name(last), datetime.fromisoformat(last.until), message, last.command)


def _name(holder: lock.Holder) -> str:
    """Return the run; a night that had none yet is told from others by its time."""
    return holder.run_id if holder.run_id != "starting" else f"starting at {holder.since}"


def _limits(thresholds: Thresholds) -> Callable[[str], timedelta]:
    return lambda table: timedelta(hours=thresholds.value("alerts", table, "stale_hours_max"))


def _stale_cause(source: StaleSource) -> str:
    return f"stale {source.table_name} {source.last_loaded_at.isoformat()}"


def _readers(published: PublishedRun | None) -> str:
    return f"Readers see the night of {published.as_of}." if published else "Nothing is published yet."


def _place(warehouse: Warehouse) -> str:
    return f"warehouse {warehouse.folder} on {socket.gethostname()}"


def _shortened(message: str) -> str:
    """Return the first lines of a message, without the rows that it cites."""
    lines = [_EXAMPLE.sub("", line)[:_LINE_WIDTH] for line in message.splitlines() if line.strip()]
    more = [f"  ... and {len(lines) - _LINES} more lines"] if len(lines) > _LINES else []
    return "\n".join([*lines[:_LINES], *more])


def _moment(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
