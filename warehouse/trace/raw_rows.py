"""Raw rows behind interactions and touches: file, key, load time and content, as the raw zone has them now.

Which version of a row counts is known to its `stg_` table, which keeps the file; the content is read from
that file alone. Identifiers are shown as the marts show them, hashed with the warehouse's key, unless they
are asked for in clear. What does NOT belong here: what the rows mean.
"""
# ruff: noqa: S608 - names come from the contract and from DuckDB's catalog; values do not enter a query.

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import duckdb

from warehouse.contract import RawColumn, RawContract, RawTable
from warehouse.quoting import identifier
from warehouse.raw_zone import rows_of_keys

HIDDEN = "(hidden)"
# A shorter identifier stands in many a number by chance.
_SHORTEST_SECRET = 5
_MAIL = re.compile(r"[^\s@]+(@|%40)[^\s@]+")
_NO_DIGIT = re.compile(r"^00|[^0-9]")

Key = tuple[str, str]
Content = Mapping[str, str | None]


@dataclass(frozen=True)
class RawRow:
    """One row of the raw zone.

    Attributes:
        table: Raw table.
        key: Key of the row.
        file: Its file, relative to the raw zone; None when staging does not know the row.
        loaded_at: Load time of the version that counts, naive UTC.
        content: What stands in it, column by column; None when it cannot be shown.
        note: Why it cannot be shown, or what is to be known about it; empty otherwise.
    """

    table: str
    key: str
    file: str | None
    loaded_at: datetime | None
    content: Content | None
    note: str = ""


@dataclass(frozen=True)
class _Staged:
    file: str
    loaded_at: datetime


def read_raw_rows(
    build: duckdb.DuckDBPyConnection,
    raw: Path,
    contract: RawContract,
    keys: Iterable[Key],
    *,
    in_clear: bool = False,
) -> dict[Key, RawRow]:
    """Return the raw row of every key.

    Args:
        build: The build file with schemas raw and staging, its time zone UTC.
        raw: The raw zone.
        contract: The raw contract.
        keys: Pairs of raw table and key.
        in_clear: Whether identifiers are shown as they are.
    """
    wanted: dict[str, list[str]] = {}
    for name, key in sorted(set(keys)):
        wanted.setdefault(name, []).append(key)
    (hash_key,) = build.execute("select hash_key from raw.hash_key").fetchone() or ("",)
    found: dict[Key, RawRow] = {}
    for name, names in wanted.items():
        table = contract[name]
        for row in _rows_of_table(build, raw, table, names):
            content = row.content
            if content is not None and not in_clear:
                content = hashed(table, content, hash_key)
            found[(name, row.key)] = RawRow(row.table, row.key, row.file, row.loaded_at, content, row.note)
    return found


def hashed(table: RawTable, content: Content, hash_key: str) -> dict[str, str | None]:
    """Return a row with its identifiers hashed, and without any text that repeats one.

    Args:
        table: The contract table.
        content: The row.
        hash_key: The warehouse's private key.
    """
    columns = {column.name: column for column in table.columns}
    secrets = {
        value.lower()
        for name, value in content.items()
        if value and len(value) >= _SHORTEST_SECRET and columns[name].is_identifier
    }
    shown: dict[str, str | None] = {}
    for name, value in content.items():
        if value is None:
            shown[name] = None
        elif columns[name].is_identifier:
            shown[name] = _hash(columns[name], value, content, hash_key)
        elif columns[name].is_key:
            shown[name] = value
        elif columns[name].is_personal or _MAIL.search(value) or _repeats(value, secrets):
            shown[name] = HIDDEN
        else:
            shown[name] = value
    return shown


def _repeats(value: str, secrets: Iterable[str]) -> bool:
    return any(secret in value.lower() for secret in secrets)


def _hash(column: RawColumn, value: str, content: Content, hash_key: str) -> str:
    """Hash an identifier as macro `identifier_hash` does, so that it is the one of dim_customers."""
    type_ = column.identifier_type or column.name
    value = value.strip()
    if type_ == "email":
        value = value.lower()
    elif type_ == "phone":
        value = _NO_DIGIT.sub("", value)
    elif type_ == "handle":
        scope = (column.scope or content.get(column.scoped_by) or "").lower()
        value = f"{scope}/{value.lower().lstrip('@')}" if scope else value.lower().replace("/@", "/")
    inner = hashlib.sha256(f"{hash_key}{type_}:{value}".encode()).hexdigest()
    return hashlib.sha256(f"{hash_key}{inner}".encode()).hexdigest()[:32]


def _rows_of_table(
    build: duckdb.DuckDBPyConnection, raw: Path, table: RawTable, keys: Sequence[str]
) -> list[RawRow]:
    staged = _staged(build, table, keys)
    notes, columns = _files(build, raw, table, {row.file for row in staged.values()})
    contents: dict[tuple[str, str], list[dict[str, str | None]]] = {}
    for path, names in columns.items():
        in_file = [key for key, row in staged.items() if row.file == path]
        try:
            versions = rows_of_keys(build, raw, table, {path: names}, in_file)
        except duckdb.Error:
            notes[path] = "the file can no longer be read as it was"
            continue
        for version in versions:
            key = (version[table.key[0]] or "").strip()
            contents.setdefault((path, key), []).append(version)
    rows = []
    for key in keys:
        row = staged.get(key)
        if row is None:
            note = "staging no longer has this row"
            rows.append(RawRow(table.name, key, None, None, None, note))
            continue
        versions = contents.get((row.file, key), [])
        note = notes.get(row.file, "")
        if row.file in columns and not versions and not note:
            note = "the file no longer has this row"
        content = _version(versions, row.loaded_at)
        rows.append(RawRow(table.name, key, row.file, row.loaded_at, content, note))
    return rows


def _staged(build: duckdb.DuckDBPyConnection, table: RawTable, keys: Sequence[str]) -> dict[str, _Staged]:
    """Return file and load time of the version of every key that counts."""
    key = identifier(table.key[0])
    rows = build.execute(
        f"select {key}, source_file, loaded_at from staging.staging.{identifier(_stg_table(build, table))}"
        f" where {key} in (select unnest(?))",
        [list(keys)],
    ).fetchall()
    return {name: _Staged(file, loaded_at) for name, file, loaded_at in rows}


def _stg_table(build: duckdb.DuckDBPyConnection, table: RawTable) -> str:
    """Return the table of the channel that has all of the raw table's columns; a full build leaves one."""
    rows = build.execute(
        """
        select table_name
        from duckdb_columns()
        where
            schema_name = 'staging'
            and database_name = current_database()
            and starts_with(table_name, ?)
            and not regexp_matches(table_name, '__(changes|deletions)$')
        group by table_name
        having list_has_all(list(column_name), ?)
        """,
        [f"stg_{table.channel}__", [column.name for column in table.columns]],
    ).fetchall()
    return str(rows[0][0])


def _files(
    build: duckdb.DuckDBPyConnection, raw: Path, table: RawTable, paths: set[str]
) -> tuple[dict[str, str], dict[str, Mapping[str, str]]]:
    """Return what is to be said about files, and the columns of those that are still there."""
    notes: dict[str, str] = {}
    columns: dict[str, Mapping[str, str]] = {}
    rows = build.execute(
        "select path, size_bytes, modified_ns, columns from raw.files"
        " where table_name = ? and path in (select unnest(?))",
        [table.name, sorted(paths)],
    ).fetchall()
    ledger = {path: (size, modified, json.loads(names)) for path, size, modified, names in rows}
    for path in sorted(paths):
        try:
            found = (raw / path).stat()
        except OSError:
            notes[path] = "the file is no longer in the raw zone"
            continue
        size, modified, names = ledger.get(path, (-1, -1, {}))
        if names:
            columns[path] = names
        if (found.st_size, found.st_mtime_ns) != (size, modified):
            notes[path] = "the file has changed since it was read"
    return notes, columns


def _version(versions: Sequence[dict[str, str | None]], loaded_at: datetime) -> Content | None:
    """Return the version that was loaded then; of several, and of none, the last."""
    if not versions:
        return None
    ordered = sorted(versions, key=lambda row: (row["loaded_at"] or "", json.dumps(row, sort_keys=True)))
    then = [row for row in ordered if _moment(row["loaded_at"]) == loaded_at]
    chosen = (then or ordered)[-1]
    return {name: value for name, value in chosen.items() if name != "source_file"}


def _moment(text: str | None) -> datetime | None:
    """Return a load time as naive UTC, None where the text is none of ISO 8601."""
    try:
        moment = datetime.fromisoformat((text or "").strip())
    except ValueError:
        return None
    return moment if moment.tzinfo is None else moment.astimezone(UTC).replace(tzinfo=None)
