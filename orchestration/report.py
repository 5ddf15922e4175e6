"""How a night and a warehouse are shown to a person on a terminal.

What does NOT belong here: the queries (`warehouse.summary`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from orchestration.restatement import shortened
from warehouse import lock, summary
from warehouse.night import Warehouse
from warehouse.rollback import Kept

if TYPE_CHECKING:
    from dagster import ExecuteInProcessResult

    from orchestration.erasing import Held

_STATUS_WIDTH = 18
# Enough of a hash to find it in dim_customers.
_DIGITS = 8
_NAMES_SHOWN = 2


def show_summary(
    console: Console, warehouse: Warehouse, outcome: ExecuteInProcessResult, seconds: float
) -> None:
    """Print what a published night brought.

    Args:
        console: Where to print.
        warehouse: The warehouse, with a published file.
        outcome: Dagster's result of the run.
        seconds: How long the night took, imports included.
    """
    layers = summary.layer_rows(warehouse.published, outcome.run_id)
    console.print()
    console.print(
        _table(
            "Rows per layer",
            ("layer", "tables", "rows", "engine (s)"),
            [(layer.layer, layer.tables, layer.row_count, f"{layer.seconds:.1f}") for layer in layers],
        )
    )
    _show_held_back(console, warehouse)
    _show_restated(console, warehouse, outcome.run_id)
    console.print(_checks_table(warehouse, outcome.run_id))
    console.print(_steps_table(outcome, seconds, sum(layer.seconds for layer in layers)))
    for fact in summary.facts(warehouse.published):
        console.print(_table(f"{fact.title}  ({fact.table}, current snapshot)", fact.headings, fact.rows))
    console.print(Text.assemble(("Published", "bold green"), f" {warehouse.published}"), soft_wrap=True)
    if outcome.asset_materializations_for_node("report"):
        _tell(console, f"Its report {warehouse.report}")
    console.print("Open it read-only, for example:")
    _tell(console, f"  DuckDB    duckdb -readonly {warehouse.published}")
    _tell(console, f"  Superset  duckdb:////{str(warehouse.published).lstrip('/')}?access_mode=read_only")
    _tell(console, f"  JDBC      jdbc:duckdb:{warehouse.published} (DBeaver: set duckdb.read_only=true)")
    console.print("  A reader keeps the night that it opened; reconnect to see the next one.")


def show_status(console: Console, warehouse: Warehouse) -> bool:
    """Print what is published and whether a night runs; return whether readers can read anything.

    Args:
        console: Where to print.
        warehouse: The warehouse to look at.
    """
    try:
        run = summary.published_run(warehouse.published)
    except summary.DamagedFileError as error:
        _say(console, "published", str(error))
        _say(
            console,
            "",
            "`engagement rollback` puts an earlier publication in its place, and so does a night.",
        )
        _show_last_night(console, warehouse)
        return False
    if run is None:
        _say(console, "published", f"nothing in {warehouse.folder}")
        _show_last_night(console, warehouse)
        return False
    now = datetime.now(tz=UTC).replace(tzinfo=None)
    _say(console, "published", str(warehouse.published))
    _say(console, "size", f"{warehouse.published.stat().st_size / 1_000_000:,.1f} MB")
    _say(console, "as of", f"{run.as_of} ({run.business_time_zone})")
    _say(
        console,
        "published at",
        f"{run.published_at:%Y-%m-%d %H:%M:%S} UTC, {_age(now, run.published_at)} ago",
    )
    _say(console, "run", f"{run.run_id} (code {run.code_version})")
    _say(console, "built with", ", ".join(f"{tool} {number}" for tool, number in run.versions.items()))
    _show_last_night(console, warehouse)
    console.print(_checks_table(warehouse, run.run_id))
    broken = summary.broken_checks(warehouse.published, run.run_id)
    if broken:
        headings = ("layer", "table", "expectation", "column", "rows", "severity")
        console.print(_table("Warnings of that night", headings, broken))
    return True


def show_editions(console: Console, found: Sequence[Kept]) -> None:
    """Print the kept publications and which one readers see.

    Args:
        console: Where to print.
        found: The publications.
    """
    rows = [
        (
            f"{kept.edition.published_at:%Y-%m-%d %H:%M:%S}",
            kept.edition.as_of,
            kept.edition.run_id,
            f"{kept.size_bytes / 1_000_000:,.1f} MB",
            "readers see it" if kept.is_current else "",
        )
        for kept in found
    ]
    headings = ("published at (UTC)", "as of", "run", "size", "")
    console.print(_table("Publications kept", headings, rows))


def show_held(console: Console, found: Sequence[Held]) -> None:
    """Print what is held of persons, by numbers and hashes: whoever runs this knows whom they named."""
    for held in found:
        person = held.person
        kinds = ", ".join(f"{count} {kind}" for kind, count in sorted(held.kinds.items()))
        _say(console, "person", f"{len(person.identifier_keys)} identifiers: {kinds}")
        _say(console, "hashed", " ".join(f"{digest[:_DIGITS]}.." for digest in person.hashes))
        if person.unknown:
            _say(console, "", f"{person.unknown} of them belong to no customer")
        if len(person.customer_ids) > 1:
            _say(console, "", f"they are {len(person.customer_ids)} customers, to be erased together")
        if person.conflicts:
            _say(
                console,
                "",
                f"{person.conflicts} identifiers seen beside them are other customers' and stay; name those "
                "that are this person's, too (audit.identity_conflicts)",
            )
        if held.request_ids:
            _say(console, "asked for", f"{held.requested_at} (UTC), request {', '.join(held.request_ids)}")
        rows = [*held.row_counts.items(), ("together", sum(held.row_counts.values()))]
        console.print(_table("Rows held of the person", ("table", "rows"), rows))
        tables = Counter(row.table for row in held.raw)
        headings = ("raw table", "rows", "files")
        files = {table: len({row.file for row in held.raw if row.table == table}) for table in tables}
        raw = [(table, count, files[table]) for table, count in sorted(tables.items())]
        console.print(_table("Rows in the raw zone, which is its owner's to change", headings, raw))


def show_raw_rows(console: Console, found: Sequence[Held]) -> None:
    """Print file and key of every row of the raw zone that names one of some persons."""
    for held in found:
        for row in held.raw:
            _tell(console, f"{row.file}\t{row.key}")


def failures(outcome: ExecuteInProcessResult) -> tuple[list[str], bool]:
    """Return why a run failed, and whether its raw zone is to blame.

    Args:
        outcome: Dagster's result of a failed run.
    """
    from orchestration.resources import CAUSE, RAW_ZONE

    messages: list[str] = []
    causes: set[str] = set()
    for event in outcome.all_events:
        if event.is_step_failure:
            data = event.step_failure_data
            failure = data.user_failure_data
            if failure is not None:
                messages.append(failure.description or "failed")
                causes.update(str(value.value) for name, value in failure.metadata.items() if name == CAUSE)
            elif data.error is not None:
                error = data.error.cause or data.error
                messages.append(f"{event.step_key}: {' '.join(error.message.split())}")
    return messages, RAW_ZONE in causes


def _show_last_night(console: Console, warehouse: Warehouse) -> None:
    running = lock.running(warehouse.lock)
    if running is not None:
        _say(
            console,
            "running now",
            f"as of {running.as_of}, run {running.run_id}, process {running.pid}, since {running.since}",
        )
        return
    last = lock.last(warehouse.lock)
    if last is not None:
        end = "killed" if last.until is None else f"{last.outcome}, ended {last.until}"
        _say(console, "last night", f"as of {last.as_of}, run {last.run_id}: {end}")
        if last.message:
            _say(console, "", last.message)


def _show_held_back(console: Console, warehouse: Warehouse) -> None:
    """Print which raw rows are in quarantine, if any: what is held back is missing from every number."""
    rows = summary.held_back(warehouse.published)
    if rows:
        title = "Raw rows held back  (audit.quarantine names each)"
        console.print(_table(title, ("table", "rule broken", "rows"), rows))


def _show_restated(console: Console, warehouse: Warehouse, run_id: str) -> None:
    """Print what a night has built anew and why, and which closed snapshots have changed."""
    anew = summary.built_anew(warehouse.published, run_id)
    if anew:
        title = "Built anew  (audit.model_runs names each)"
        rows = [(why, len(names), shortened(names, _NAMES_SHOWN)) for why, names in anew]
        console.print(_table(title, ("because of", "models", "namely"), rows))
    changes = summary.snapshot_changes(warehouse.published, run_id)
    if changes:
        title = "Closed snapshots that say something else now  (audit.snapshot_changes names each)"
        console.print(_table(title, ("table", "customers", "first", "last"), changes))


def _checks_table(warehouse: Warehouse, run_id: str) -> Table:
    rows = [
        (count.layer, count.tool.replace("_", " "), count.checks, count.passed, count.warnings)
        for count in summary.check_counts(warehouse.published, run_id)
    ]
    return _table("Checks", ("layer", "tool", "checks", "passed", "warnings"), rows)


def _steps_table(outcome: ExecuteInProcessResult, seconds: float, engine_seconds: float) -> Table:
    steps = [
        (str(event.step_key), event.step_success_data.duration_ms / 1000)
        for event in outcome.all_events
        if event.is_step_success
    ]
    rest = seconds - sum(duration for _, duration in steps)
    rows = [*steps, ("start (imports, definitions)", rest), ("together", seconds)]
    title = f"Time per step  ({engine_seconds:.1f} s of building models, some of it side by side)"
    return _table(title, ("step", "seconds"), [(step, f"{duration:.1f}") for step, duration in rows])


def _table(title: str, headings: Sequence[str], rows: Iterable[Sequence[Any]]) -> Table:
    table = Table(
        title=title, title_justify="left", title_style="bold", box=box.SIMPLE_HEAD, min_width=len(title)
    )
    for position, heading in enumerate(headings):
        table.add_column(heading, justify="left" if position == 0 else "right", no_wrap=True)
    for row in rows:
        # not a string: what came from data may look like markup
        table.add_row(*(Text(_text(value)) for value in row))
    return table


def _text(value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, str | date):
        return str(value)
    if isinstance(value, int):
        return f"{value:,}"
    return f"{value:,.3f}" if abs(value) < 10 else f"{value:,.1f}"


def _age(now: datetime, then: datetime) -> str:
    minutes = int((now - then).total_seconds() // 60)
    days, hours = divmod(minutes // 60, 24)
    if days:
        return f"{days} d {hours} h"
    return f"{hours} h {minutes % 60} min" if hours else f"{minutes} min"


def _say(console: Console, what: str, text: str) -> None:
    _tell(console, f"{what:<{_STATUS_WIDTH}}{text}")


def _tell(console: Console, text: str) -> None:
    """Print a text as it is: a path may look like markup."""
    console.print(text, soft_wrap=True, markup=False)
