"""A trace: a customer's published row, the rows that it follows from, and whether it follows from them.

Reads the published file that readers see, and, for whoever may read them, build files and raw zone. Nothing
is written. What does NOT belong here: how a trace is shown (`orchestration.trace_report`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import duckdb

from warehouse import lock
from warehouse.contract import RawContract
from warehouse.night import Warehouse
from warehouse.trace.counted import FACTS, Act, Counted, Prompt, Touch, Value, agrees, prompts
from warehouse.trace.evidence import (
    Run,
    TraceError,
    read_bookings,
    read_evidence,
    read_ranking,
    read_rows,
    read_rules,
    read_run,
)
from warehouse.trace.raw_rows import Key, RawRow, read_raw_rows
from warehouse.trace.score import MODEL, score

# Column that tells the rows of one customer and snapshot date apart.
PARTS: Mapping[str, str] = {"fct_engagement_context": "context", "fct_engagement_volume": "channel"}
COVERED = (*FACTS, MODEL)
_KEYS = ("customer_id", "snapshot_date")


class NothingPublishedError(TraceError):
    """Readers have nothing to trace yet."""


@dataclass(frozen=True)
class Number:
    """One column of a published row, held against what its rows give.

    Attributes:
        part: Context or channel of the row; empty in marts with one row.
        column: The column.
        published: What readers see; None also where the row is missing.
        counted: The number counted anew, with the rows that it was counted from.
    """

    part: str
    column: str
    published: Value
    counted: Counted

    @property
    def agrees(self) -> bool | None:
        """Whether both are the same; None where it could not be counted."""
        return None if self.counted.unknown else agrees(self.published, self.counted.value)


@dataclass(frozen=True)
class Check:
    """How the checks of one table went in the published night."""

    layer: str
    table: str
    tool: str
    checks: int
    passed: int
    not_passed: tuple[str, ...]


@dataclass(frozen=True)
class ModelRun:
    """How a model on the way was built in the published night."""

    layer: str
    model: str
    status: str
    seconds: float
    row_count: int | None


@dataclass(frozen=True)
class Trace:
    """Everything that there is to say about one row.

    Attributes:
        model: The mart.
        customer_id: The customer.
        snapshot_date: The snapshot date.
        column: Column that was asked for; None for the whole row.
        run: The published night.
        numbers: Every column, or the one that was asked for.
        acts: Interactions that the numbers were counted from, in order.
        touches: Touches that the numbers were counted from, or that prompted one of the interactions.
        prompts: Interaction to its prompt, found anew.
        raw_rows: Raw row of every interaction and touch; empty when they cannot be looked up.
        checks: Checks of the tables on the way.
        model_runs: Builds of the models on the way.
        notes: What is to be known, in sentences.
    """

    model: str
    customer_id: str
    snapshot_date: date
    column: str | None
    run: Run
    numbers: Sequence[Number]
    acts: Sequence[Act]
    touches: Sequence[Touch]
    prompts: Mapping[str, Prompt]
    raw_rows: Mapping[Key, RawRow]
    checks: Sequence[Check]
    model_runs: Sequence[ModelRun]
    notes: Sequence[str] = field(default_factory=list)

    @property
    def agrees(self) -> bool:
        """Whether no number says something else than its rows."""
        return all(number.agrees is not False for number in self.numbers)


def trace(
    place: Warehouse,
    raw: Path,
    contract: RawContract,
    seeds: Path,
    *,
    model: str,
    customer: str,
    snapshot: date | None = None,
    column: str | None = None,
    in_clear: bool = False,
    seeds_hash: str = "",
) -> Trace:
    """Walk from a published row to what makes it.

    Args:
        place: The warehouse.
        raw: The raw zone.
        contract: The raw contract.
        seeds: Folder of the business decisions.
        model: The mart.
        customer: The customer.
        snapshot: Snapshot date; the current one when absent.
        column: A column of the mart; all of them when absent.
        in_clear: Whether identifiers in raw rows are shown as they are.
        seeds_hash: Fingerprint of the folder of seeds, to tell whether the night had others.

    Raises:
        NothingPublishedError: No night was published yet.
        TraceError: The mart is not covered, or customer, date or column is not there.
    """
    if model not in COVERED:
        near = get_close_matches(model, COVERED, n=1)
        hint = f"did you mean {near[0]}?" if near else f"covered are {', '.join(COVERED)}."
        raise TraceError(f"trace does not cover {model!r}; {hint}")
    if not place.published.is_file():
        raise NothingPublishedError(f"Nothing is published in {place.folder}: run a night first.")
    with _read_only(place.published) as published:
        run = read_run(published)
        day = snapshot or run.as_of
        rows = _published_rows(published, model, customer, day)
        _check_column(model, rows, column)
        notes: list[str] = []
        if seeds_hash != run.seeds_hash:
            notes.append(
                "The seeds of this checkout are not those of the night: what is counted anew follows these."
            )
        with _build_file(place, run, notes) as build:
            bookings = read_bookings(build, published, run, customer) if build else None
            evidence = read_evidence(published, run, read_rules(seeds), customer, day, bookings)
            counted = (
                score(evidence, read_ranking(published, seeds, customer))
                if model == MODEL
                else FACTS[model](evidence)
            )
            numbers = [
                number for number in _numbers(rows, counted) if column is None or number.column == column
            ]
            found = prompts(evidence)
            acts, touches = _concerned(numbers, evidence.acts, evidence.touches, found)
            keys = [*map(_key, acts), *map(_key, touches)]
            raw_rows = read_raw_rows(build, raw, contract, keys, in_clear=in_clear) if build else {}
        notes.extend(_prompt_notes(acts, found))
        tables = _tables_on_the_way(model, acts, touches)
        return Trace(
            model,
            customer,
            day,
            column,
            run,
            numbers,
            acts,
            touches,
            found,
            raw_rows,
            _checks(published, run, tables),
            _model_runs(published, run, tables),
            notes,
        )


def _published_rows(
    published: duckdb.DuckDBPyConnection, model: str, customer: str, day: date
) -> dict[str, dict[str, Value]]:
    rows = read_rows(published, model, PARTS.get(model), customer, day)
    if rows:
        return rows
    extent = "min(snapshot_date), max(snapshot_date), count(distinct snapshot_date)"
    query = f"select {extent} from marts.{model} where customer_id = ?"  # noqa: S608 - a name of FACTS
    known = published.execute(query, [customer]).fetchone()
    if known is None or known[0] is None:
        raise TraceError(f"{model} has no customer {customer!r}; ids stand in marts.dim_customers.")
    raise TraceError(
        f"{model} has no row of customer {customer} at {day}; it has {known[2]}, from {known[0]} to "
        f"{known[1]}: months' ends and the current snapshot date."
    )


def _check_column(model: str, rows: Mapping[str, Mapping[str, Value]], column: str | None) -> None:
    columns = [name for name in next(iter(rows.values())) if name not in (*_KEYS, PARTS.get(model))]
    if column is not None and column not in columns:
        near = get_close_matches(column, columns, n=1)
        hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(columns)}."
        raise TraceError(f"{model} has no column {column!r} to trace; {hint}")


def _numbers(
    published: Mapping[str, Mapping[str, Value]], counted: Mapping[str, Mapping[str, Counted]]
) -> Iterator[Number]:
    """Hold every column against what was counted, rows that only one side has included."""
    for part in sorted({*published, *counted}):
        row, anew = published.get(part, {}), counted.get(part, {})
        names = anew or dict.fromkeys(name for name in row if name not in (*_KEYS, *PARTS.values()))
        for name in names:
            yield Number(part, name, row.get(name), anew.get(name, Counted(None)))


def _concerned(
    numbers: Sequence[Number],
    acts: Sequence[Act],
    touches: Sequence[Touch],
    found: Mapping[str, Prompt],
) -> tuple[list[Act], list[Touch]]:
    """Return the rows behind the numbers, and the touches that prompted one of them."""
    named = {name for number in numbers for name in number.counted.acts}
    kept = [act for act in acts if act.interaction_id in named]
    touched = {name for number in numbers for name in number.counted.touches}
    touched |= {str(found[act.interaction_id].touch_id) for act in kept}
    return kept, [touch for touch in touches if touch.touch_id in touched]


def _prompt_notes(acts: Sequence[Act], found: Mapping[str, Prompt]) -> list[str]:
    notes = []
    for act in acts:
        prompt = found[act.interaction_id]
        if (prompt.rule, prompt.touch_id) != (act.prompt_rule, act.prompt_touch_id):
            notes.append(
                f"Interaction {act.interaction_id} was published with prompt {act.prompt_rule} "
                f"({act.prompt_touch_id or 'no touch'}); its touches give {prompt.rule} "
                f"({prompt.touch_id or 'no touch'})."
            )
    return notes


def _key(row: Act | Touch) -> Key:
    return row.source_table, row.source_key


def _tables_on_the_way(model: str, acts: Sequence[Act], touches: Sequence[Touch]) -> list[str]:
    """Return the mart, what it is made from, and the raw tables behind, nearest first."""
    sources = sorted({row.source_table for row in acts} | {row.source_table for row in touches})
    facts = list(FACTS) if model == MODEL else []
    return [model, *facts, "fct_engagement_days", "fct_interactions", "fct_touches", *sources]


def _checks(published: duckdb.DuckDBPyConnection, run: Run, tables: Sequence[str]) -> list[Check]:
    rows = published.execute(
        """
        select
            layer, table_name, tool, count(*), count_if(is_success),
            list_sort(list(concat_ws(' ', expectation, column_name)) filter (where not is_success))
        from audit.check_results
        where run_id = ? and table_name in (select unnest(?))
        group by layer, table_name, tool
        order by layer, tool
        """,
        [run.run_id, list(tables)],
    ).fetchall()
    checks = [
        Check(layer, table, tool, count, passed, tuple(failed or ()))
        for layer, table, tool, count, passed, failed in rows
    ]
    return sorted(checks, key=lambda check: tables.index(check.table))


def _model_runs(published: duckdb.DuckDBPyConnection, run: Run, tables: Sequence[str]) -> list[ModelRun]:
    rows: Sequence[tuple[Any, ...]] = published.execute(
        """
        select layer, model_name, status, seconds, row_count
        from audit.model_runs
        where run_id = ? and model_name in (select unnest(?))
        """,
        [run.run_id, list(tables)],
    ).fetchall()
    return sorted((ModelRun(*row) for row in rows), key=lambda built: tables.index(built.model))


@contextmanager
def _build_file(place: Warehouse, run: Run, notes: list[str]) -> Iterator[duckdb.DuckDBPyConnection | None]:
    """Open the build file with raw and staging rows, if whoever asks may read it and no night writes it."""
    connection: duckdb.DuckDBPyConnection | None = None
    try:
        if not place.staging_file.is_file():
            notes.append("There are no build files: raw rows are not shown, orders and revenue not counted.")
        elif lock.running(place.lock) is not None:
            notes.append("A night is running: raw rows are not shown, orders and revenue not counted.")
        else:
            connection = duckdb.connect(str(place.staging_file), read_only=True)
            connection.execute("set TimeZone = 'UTC'")
            if connection.execute("select night_number from raw.night").fetchone() != (run.night_number,):
                notes.append("The build files are of another night than the published one: so are raw rows.")
    except (OSError, duckdb.Error):
        notes.append(
            "You may not read the build files: raw rows are not shown, orders and revenue not counted."
        )
    try:
        yield connection
    finally:
        if connection is not None:
            connection.close()


@contextmanager
def _read_only(path: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """Open the published file; whatever goes wrong in it becomes a sentence."""
    try:
        with duckdb.connect(str(path), read_only=True) as connection:
            connection.execute("set TimeZone = 'UTC'")
            yield connection
    except duckdb.Error as error:
        raise TraceError(f"The published file {path} cannot be read: {str(error).splitlines()[0]}") from error
