"""How a trace is shown: as text for a person, as JSON for a program. The same trace gives the same letters.

What does NOT belong here: what is in a trace (`warehouse.trace`).
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from warehouse.trace.counted import Act, Touch, Value
from warehouse.trace.raw_rows import RawRow
from warehouse.trace.walk import Number, Trace

_VERDICTS = {True: "agrees", False: "DIFFERS", None: "not counted"}


def show_trace(console: Console, trace: Trace, *, rows_shown: int) -> None:
    """Print a trace.

    Args:
        console: Where to print.
        trace: The trace.
        rows_shown: Interactions, and touches, to print at most, the latest; 0 for all.
    """
    _say(console, "row", f"{trace.model}, customer {trace.customer_id}, {_snapshot(trace)}")
    _say(
        console,
        "run",
        f"{trace.run.run_id}, as of {trace.run.as_of}, published at {trace.run.published_at} UTC",
    )
    _say(console, "code", f"{trace.run.code_version}, seeds {trace.run.seeds_hash}")
    _say(console, "built with", ", ".join(f"{tool} {number}" for tool, number in trace.run.versions.items()))
    for note in trace.notes:
        _say(console, "note", note)
    headings: tuple[str, ...] = ("part", "column", "published", "counted anew", "", "interactions", "touches")
    console.print(_table("The numbers", headings, [_number_cells(number) for number in trace.numbers]))
    acts, touches = _latest(trace.acts, rows_shown), _latest(trace.touches, rows_shown)
    headings = ("occurred at (UTC)", "interaction", "channel", "type", "prompt", "touch", "context")
    console.print(
        _table(_title("Interactions", acts, trace.acts), headings, [_act_cells(trace, act) for act in acts])
    )
    headings = ("touched at (UTC)", "touch", "channel", "campaign")
    cells = [(touch.touched_at, touch.touch_id, touch.channel, touch.campaign_id) for touch in touches]
    console.print(_table(_title("Touches", touches, trace.touches), headings, cells))
    if trace.raw_rows:
        console.print(Text("Raw rows", style="bold"))
        for row in (*acts, *touches):
            _show_raw_row(console, trace.raw_rows[(row.source_table, row.source_key)])
    headings = ("layer", "model", "status", "rows", "seconds")
    built = [
        (run.layer, run.model, run.status, run.row_count, f"{run.seconds:.2f}") for run in trace.model_runs
    ]
    console.print(_table("Built by that run", headings, built))
    headings = ("layer", "table", "tool", "checks", "passed", "not passed")
    checks = [
        (check.layer, check.table, check.tool, check.checks, check.passed, ", ".join(check.not_passed))
        for check in trace.checks
    ]
    console.print(_table("Checks of that run", headings, checks))
    counted = sum(number.agrees is not None for number in trace.numbers)
    agreeing = sum(number.agrees is True for number in trace.numbers)
    console.print(
        Text(f"{agreeing} of {counted} numbers agree with what their rows give."),
        style="bold green" if trace.agrees else "bold red",
    )


def as_json(trace: Trace) -> str:
    """Return a trace as JSON, every row included."""
    run = trace.run
    told = {
        "model": trace.model,
        "customer_id": trace.customer_id,
        "snapshot_date": trace.snapshot_date,
        "is_current": trace.snapshot_date == run.as_of,
        "column": trace.column,
        "agrees": trace.agrees,
        "notes": trace.notes,
        "run": {
            "run_id": run.run_id,
            "as_of": run.as_of,
            "published_at": run.published_at,
            "business_time_zone": run.business_time_zone,
            "reporting_currency": run.reporting_currency,
            "code_version": run.code_version,
            "seeds_hash": run.seeds_hash,
            "versions": run.versions,
        },
        "numbers": [
            {
                "part": number.part or None,
                "column": number.column,
                "published": number.published,
                "counted": number.counted.value,
                "agrees": number.agrees,
                "not_counted_because": number.counted.unknown or None,
                "interactions": number.counted.acts,
                "touches": number.counted.touches,
            }
            for number in trace.numbers
        ],
        "interactions": [_act_record(trace, act) for act in trace.acts],
        "touches": [_touch_record(trace, touch) for touch in trace.touches],
        "model_runs": [vars(built) for built in trace.model_runs],
        "checks": [vars(check) for check in trace.checks],
    }
    return json.dumps(told, indent=2, default=_plain, ensure_ascii=False)


def disagreement(trace: Trace) -> str:
    """Return which numbers do not follow from their rows, in a sentence."""
    wrong = [
        f"{number.column}{f' ({number.part})' if number.part else ''} is published as "
        f"{_told(number.published)} and counted as {_told(number.counted.value)}"
        for number in trace.numbers
        if number.agrees is False
    ]
    return f"{trace.model} of customer {trace.customer_id} at {trace.snapshot_date}: {'; '.join(wrong)}."


def _snapshot(trace: Trace) -> str:
    current = " (the current snapshot)" if trace.snapshot_date == trace.run.as_of else ""
    return f"snapshot {trace.snapshot_date}{current}"


def _number_cells(number: Number) -> tuple[object, ...]:
    verdict = number.counted.unknown or _VERDICTS[number.agrees]
    return (
        number.part,
        number.column,
        _told(number.published),
        "" if number.counted.unknown else _told(number.counted.value),
        verdict,
        len(number.counted.acts),
        len(number.counted.touches),
    )


def _act_cells(trace: Trace, act: Act) -> tuple[object, ...]:
    prompt = trace.prompts[act.interaction_id]
    return (
        act.occurred_at,
        act.interaction_id,
        act.channel,
        act.interaction_type,
        prompt.rule,
        prompt.touch_id,
        act.context,
    )


def _act_record(trace: Trace, act: Act) -> dict[str, Any]:
    prompt = trace.prompts[act.interaction_id]
    anew = {"rule": prompt.rule, "touch_id": prompt.touch_id, "lag_seconds": prompt.lag_seconds}
    return vars(act) | {"prompt_found_anew": anew, "raw_row": _raw_record(trace, act)}


def _touch_record(trace: Trace, touch: Touch) -> dict[str, Any]:
    return vars(touch) | {"raw_row": _raw_record(trace, touch)}


def _raw_record(trace: Trace, row: Act | Touch) -> dict[str, Any] | None:
    found = trace.raw_rows.get((row.source_table, row.source_key))
    return None if found is None else vars(found)


def _show_raw_row(console: Console, row: RawRow) -> None:
    head = Text.assemble(
        (_printable(f"  {row.table} {row.key}"), "cyan"),
        _printable(f"  {row.file or 'no file'}, loaded {row.loaded_at}"),
    )
    console.print(head, soft_wrap=True)
    if row.note:
        console.print(Text(f"    {row.note}", style="yellow"), soft_wrap=True)
    if row.content is not None:
        given = {name: value for name, value in row.content.items() if value is not None}
        console.print(Text(f"    {json.dumps(given, ensure_ascii=False)}"), soft_wrap=True)


def _table(title: str, headings: Sequence[str], rows: Iterable[Sequence[object]]) -> Table:
    """Return a table that breaks long ids rather than cutting them."""
    table = Table(title=title, title_justify="left", title_style="bold", box=box.SIMPLE_HEAD)
    for heading in headings:
        table.add_column(heading, overflow="fold")
    for row in rows:
        table.add_row(*(Text("-" if value is None else _printable(value)) for value in row))
    return table


def _latest(rows: Sequence[Any], shown: int) -> Sequence[Any]:
    return rows[-shown:] if shown else rows


def _title(what: str, shown: Sequence[Any], rows: Sequence[Any]) -> str:
    if len(shown) < len(rows):
        return f"{what}: the latest {len(shown)} of {len(rows)} (--rows 0 shows all)"
    return f"{what}: {len(rows)}"


def _say(console: Console, what: str, text: str) -> None:
    console.print(Text.assemble((f"{what:<12}", "bold"), _printable(text)), soft_wrap=True)


def _printable(value: object) -> str:
    """Return a text that cannot steer a terminal, whatever a raw key holds."""
    return "".join(letter if letter.isprintable() else "?" for letter in str(value))


def _told(value: Value) -> str:
    if value is None:
        return "null"
    return f"{value:.12g}" if isinstance(value, float) else str(value)


def _plain(value: object) -> object:
    if isinstance(value, datetime | date):
        return value.isoformat()
    if isinstance(value, Decimal):
        return float(value)
    raise TypeError(f"{type(value).__name__} is nothing that JSON knows")
