"""The ledger of raw files: which ones earlier nights have read, so that a night opens what has arrived.

A file is the unit of arrival. Rows of equal `loaded_at` in two files are neither lost nor read twice,
whatever the loaders' clocks say; a file that is there as it was (path, size, time of change) is not opened
again. What does NOT belong here: how files are read (`warehouse.raw_zone`).
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import islice
from pathlib import Path

import duckdb

_COLUMNS = (
    ("table_name", "varchar"),
    ("path", "varchar"),
    ("size_bytes", "bigint"),
    ("modified_ns", "bigint"),
    ("row_count", "bigint"),
    ("last_loaded_at", "timestamp"),
    ("columns", "varchar"),
    ("first_read_in", "bigint"),
    ("lost_in", "bigint"),
)
_ROWS_AT_ONCE = 50_000
COLUMN_NAMES = tuple(name for name, _ in _COLUMNS)


@dataclass(frozen=True, slots=True)
class LedgerEntry:
    """One file of the raw zone as a night has read it.

    Attributes:
        table_name: Raw table.
        path: Path relative to the raw zone; what `source_file` says of a row.
        size_bytes: Size of the file.
        modified_ns: Time of its last change, nanoseconds since the epoch.
        row_count: Rows in it.
        last_loaded_at: Its high-water mark: latest `loaded_at`, naive UTC; None without a readable one.
        columns: Name as spelled in the file to DuckDB's type, in the file's order.
        first_read_in: Number of the night that read it first, as it is now.
        lost_in: Number of the last night that missed what had been read from this path before: the file had
            changed, or was gone. A file that is gone stays in the ledger, without a size, until that night or
            a later one is published, so that a killed night's discovery is not forgotten.
    """

    table_name: str
    path: str
    size_bytes: int
    modified_ns: int
    row_count: int
    last_loaded_at: datetime | None
    columns: Mapping[str, str]
    first_read_in: int
    lost_in: int = 0

    def is_of(self, size_bytes: int, modified_ns: int) -> bool:
        """Whether a file of this size and time of change is the one that was read."""
        return (size_bytes, modified_ns) == (self.size_bytes, self.modified_ns)

    def gone(self, night_number: int) -> LedgerEntry:
        """Return what stays of the entry when its file is gone; no file has this size."""
        return replace(self, size_bytes=GONE, row_count=0, last_loaded_at=None, lost_in=night_number)


GONE = -1
Ledger = Mapping[tuple[str, str], LedgerEntry]


def read_ledger(staging_file: Path) -> Ledger:
    """Return what the last night has noted, by raw table and path; empty without a night to build on."""
    if not staging_file.is_file():
        return {}
    with duckdb.connect(str(staging_file), read_only=True) as connection:
        if not connection.execute(
            "select 1 from duckdb_tables() where schema_name = 'raw' and table_name = 'files'"
        ).fetchone():
            return {}
        names = ", ".join(name for name, _ in _COLUMNS)
        rows = connection.execute(f"select {names} from raw.files").fetchall()  # noqa: S608 - our own names
    # most files of a table have the same columns, which are held once
    shapes = {columns: json.loads(columns) for *_, columns, _, _ in rows}
    entries = (
        LedgerEntry(table, path, size, modified, count, mark, shapes[columns], number, lost)
        for table, path, size, modified, count, mark, columns, number, lost in rows
    )
    return {(entry.table_name, entry.path): entry for entry in entries}


def write_ledger(connection: duckdb.DuckDBPyConnection, entries: Iterable[LedgerEntry]) -> None:
    """Replace `raw.files`, in the transaction of the connection."""
    declared = ", ".join(f"{name} {type_}" for name, type_ in _COLUMNS)
    connection.execute(f"create or replace table raw.files ({declared})")
    texts: dict[tuple[tuple[str, str], ...], str] = {}

    def text(columns: Mapping[str, str]) -> str:
        shape = tuple(columns.items())
        if shape not in texts:
            texts[shape] = json.dumps(dict(columns))
        return texts[shape]

    remaining = iter(entries)
    while batch := list(islice(remaining, _ROWS_AT_ONCE)):
        rows = [
            (
                entry.table_name,
                entry.path,
                entry.size_bytes,
                entry.modified_ns,
                entry.row_count,
                entry.last_loaded_at,
                text(entry.columns),
                entry.first_read_in,
                entry.lost_in,
            )
            for entry in batch
        ]
        # a list a column: thousands of placeholders would take seconds
        connection.execute(
            f"insert into raw.files select {', '.join(['unnest(?)'] * len(_COLUMNS))}",
            [list(column) for column in zip(*rows, strict=True)],
        )
