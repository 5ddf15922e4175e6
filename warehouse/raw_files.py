"""The files of a raw table: which there are, and how their columns are spelled.

A table may have a million of them, so they are asked many at a time, and what is alike in many is held once.
What does NOT belong here: what the contract wants of them, and their rows (`warehouse.raw_zone`).
"""
# ruff: noqa: S608 - paths are quoted; values do not enter the text of a query.

from __future__ import annotations

import csv
import gzip
import os
import re
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal, TypeVar

import duckdb

from warehouse.contract import RawTable
from warehouse.engine_errors import without_values
from warehouse.quoting import literal

FileFormat = Literal["parquet", "csv", "json"]

FILE_COLUMN: Final = "__raw_zone_file"
# Files that one statement reads: its text and plan stay small, and what it costs by itself does not count.
FILES_AT_ONCE = 5_000
_FORMATS: Final[Mapping[str, FileFormat]] = {
    ".parquet": "parquet",
    ".csv": "csv",
    ".csv.gz": "csv",
    ".json": "json",
    ".json.gz": "json",
    ".jsonl": "json",
    ".jsonl.gz": "json",
    ".ndjson": "json",
    ".ndjson.gz": "json",
}
_CHUNK: Final = 1 << 20
_PATTERN_LETTERS: Final = re.compile(r"[*?\[]")
_READ_ERRORS: Final = (duckdb.Error, OSError, EOFError, ValueError, zlib.error, csv.Error)

_Named = TypeVar("_Named", bound="FoundFile | RawFile")


class RawZoneError(RuntimeError):
    """The raw zone cannot be used; the message names file, table and column, and says what to do."""


@dataclass(frozen=True, slots=True)
class FoundFile:
    """A file of a raw table, seen from outside.

    Attributes:
        path: Absolute path.
        format: How it is read.
        size_bytes: Its size.
        modified_ns: Time of its last change, nanoseconds since the epoch.
    """

    path: Path
    format: FileFormat
    size_bytes: int
    modified_ns: int


@dataclass(frozen=True, slots=True)
class RawFile:
    """One file of a raw table.

    Attributes:
        path: Absolute path.
        format: How it is read.
        columns: Name as spelled in the file to DuckDB's type, in the order of the file.
    """

    path: Path
    format: FileFormat
    columns: Mapping[str, str]

    def spelled(self, column: str) -> str | None:
        """How the file spells a contract column: exactly, else in other case; None if it has none."""
        if column in self.columns:
            return column
        return next((name for name in self.columns if name.casefold() == column), None)


def list_files(folder: Path) -> tuple[list[FoundFile], list[Path]]:
    """Return the files below a table's folder, and those of no known format; hidden ones in neither.

    Args:
        folder: The folder, named like the table; it need not exist.

    Raises:
        RawZoneError: It is no folder, or something in it is neither a file nor a folder, may not be looked
            into, or has a name that is no text.
        OSError: It cannot be looked into for another reason.
    """
    if (folder.is_symlink() or folder.exists()) and not folder.is_dir():
        raise RawZoneError(
            f"{folder.name}: raw table {folder.name} must be a folder of files, and this is none"
        )
    known: list[FoundFile] = []
    ignored: list[Path] = []
    for entry in _entries(folder, folder) if folder.is_dir() else ():
        if not entry.name.endswith(tuple(_FORMATS)):
            ignored.append(Path(entry.path))
            continue
        found = entry.stat()
        known.append(FoundFile(Path(entry.path), format_of(entry.name), found.st_size, found.st_mtime_ns))
    return known, ignored


def read_headers(
    connection: duckdb.DuckDBPyConnection, raw: Path, table: RawTable, files: Sequence[FoundFile]
) -> Iterator[RawFile]:
    """Read column names and types of files; files with the same columns share them.

    Args:
        connection: Any connection.
        raw: The raw zone.
        table: The raw table.
        files: Its files.

    Raises:
        RawZoneError: A file cannot be read as what its name says.
    """
    shapes: dict[tuple[tuple[str, str], ...], Mapping[str, str]] = {}
    parquet_shapes: dict[object, Mapping[str, str]] = {}

    def columns_of(some: Sequence[FoundFile]) -> list[Mapping[str, str]]:
        if some[0].format == "parquet":
            return _parquet_columns(connection, some, parquet_shapes)
        for file in some:
            if file.path.suffix == ".gz":
                _decompress(file.path)
        if some[0].format == "csv":
            return [dict.fromkeys(_csv_header(file.path), "VARCHAR") for file in some]
        return _json_columns(connection, some)

    for batch in batches(files):
        for format_ in sorted({file.format for file in batch}):
            some = [file for file in batch if file.format == format_]
            for file, columns in zip(some, read_or_tell(raw, table, some, columns_of), strict=True):
                yield RawFile(file.path, format_, shapes.setdefault(tuple(columns.items()), columns))


def kinds(files: Iterable[RawFile]) -> list[RawFile]:
    """Return one file for all that share format and columns: what is true of it is true of them."""
    return list({(file.format, id(file.columns)): file for file in files}.values())


def batches(files: Sequence[_Named]) -> Iterator[Sequence[_Named]]:
    """Cut files into as many as one statement reads."""
    for start in range(0, len(files), FILES_AT_ONCE):
        yield files[start : start + FILES_AT_ONCE]


def read_or_tell(
    raw: Path, table: RawTable, files: Sequence[_Named], read: Callable[[Sequence[_Named]], Any]
) -> Any:
    """Read files together; if that fails, name the first that cannot be read.

    Args:
        raw: The raw zone.
        table: The raw table.
        files: Its files, one at least.
        read: Reads some of them.

    Raises:
        RawZoneError: It fails.
    """
    try:
        return read(files)
    except _READ_ERRORS as error:
        broken = _first_broken(files, read, error)
        if broken is None:
            raise RawZoneError(f"Raw table {table.name} cannot be read: {_told(error)}") from error
        file, cause = broken
        raise unreadable(raw, table, file.path, cause) from cause


def unreadable(
    raw: Path, table: RawTable, path: Path, error: Exception, column: str | None = None
) -> RawZoneError:
    """Return the error that names a file, and the column if one is known, and says why it cannot be read."""
    what = f"column {column} of this file" if column else "file"
    return RawZoneError(
        f"{name_in(raw, path)}: {what} of raw table {table.name} cannot be read "
        f"({_told(error).replace(f'{raw}/', '')}); "
        "land it again or move it out of the raw zone"
    )


def format_of(name: str) -> FileFormat:
    """Return the format of a file with a known ending."""
    return next(found for suffix, found in _FORMATS.items() if name.endswith(suffix))


def is_hidden(name: str) -> bool:
    """Whether an entry of the zone is passed over."""
    return name.startswith((".", "_")) or name.endswith(".tmp")


def shown(name: str) -> str:
    """Return a name as it can be printed: bytes that are no UTF-8 are marked."""
    return os.fsencode(name).decode("utf-8", errors="replace")


def name_in(raw: Path, path: Path) -> str:
    """Return a file's path relative to the zone."""
    return str(path)[len(str(raw)) + 1 :]


def list_of(paths: Iterable[Path]) -> str:
    """Return paths as a list in SQL, each a pattern that matches itself only."""
    return "[" + ", ".join(literal(_PATTERN_LETTERS.sub(r"[\g<0>]", str(path))) for path in paths) + "]"


def parquet(paths: Iterable[Path]) -> str:
    """Return the reader of Parquet files, in SQL."""
    return (
        f"read_parquet({list_of(paths)}, filename = '{FILE_COLUMN}', hive_partitioning = false, "
        "binary_as_string = true)"
    )


def _entries(folder: Path, table: Path) -> Iterator[os.DirEntry[str]]:
    """Files below a folder, in the order of the parts of their paths."""
    try:
        with os.scandir(folder) as found:
            entries = sorted(found, key=lambda entry: entry.name)
    except PermissionError as error:
        raise RawZoneError(
            f"{folder.relative_to(table.parent)}: this folder of raw table {table.name} may not be looked "
            "into; give the user of the night the right to read it, or move it out of the raw zone"
        ) from error
    for entry in entries:
        if is_hidden(entry.name):
            continue
        if shown(entry.name) != entry.name:
            # no engine can be told to open it
            raise RawZoneError(
                f"{Path(folder, shown(entry.name)).relative_to(table.parent)}: the name of this entry of raw "
                f"table {table.name} is no UTF-8; rename it, or move it out of the raw zone"
            )
        if entry.is_file():
            yield entry
        elif entry.is_dir(follow_symlinks=False):
            yield from _entries(Path(entry.path), table)
        else:
            raise _no_file(Path(entry.path), table)


def _no_file(path: Path, folder: Path) -> RawZoneError:
    """What is neither a file nor a folder would be passed over in silence."""
    if path.is_symlink():
        what = "a link to a folder, which is not followed" if path.is_dir() else "a link that leads nowhere"
    else:
        what = "neither a file nor a folder"
    return RawZoneError(
        f"{path.relative_to(folder.parent)}: this entry of raw table {folder.name} is {what}; put the file "
        "itself there, or move it out of the raw zone"
    )


def _first_broken(
    files: Sequence[_Named], read: Callable[[Sequence[_Named]], Any], error: Exception
) -> tuple[_Named, Exception] | None:
    """The first of files, which together gave an error, that gives one by itself."""
    if len(files) == 1:
        return files[0], error
    middle = len(files) // 2
    for half in (files[:middle], files[middle:]):
        try:
            read(half)
        except _READ_ERRORS as cause:
            broken = _first_broken(half, read, cause)
            if broken is not None:
                return broken
    return None


def _parquet_columns(
    connection: duckdb.DuckDBPyConnection,
    files: Sequence[FoundFile],
    shapes: dict[object, Mapping[str, str]],
) -> list[Mapping[str, str]]:
    """Columns of Parquet files; of those with the same schema one is asked for the engine's types."""
    schemas: dict[str, list[tuple[Any, ...]]] = {str(file.path): [] for file in files}
    for name, *element in connection.execute(
        f"select * exclude (field_id) from parquet_schema({list_of(file.path for file in files)})"
    ).fetchall():
        schemas[name].append(tuple(element))
    found = []
    for file in files:
        schema = tuple(schemas[str(file.path)])
        if schema not in shapes:
            described = connection.execute(f"describe select * from {parquet([file.path])}").fetchall()
            shapes[schema] = {name: type_ for name, type_, *_ in described if name != FILE_COLUMN}
        found.append(shapes[schema])
    return found


def _json_columns(
    connection: duckdb.DuckDBPyConnection, files: Sequence[FoundFile]
) -> list[Mapping[str, str]]:
    """Keys of all objects of JSON files, in the order of the alphabet; none for a file without an object.

    Raises:
        ValueError: A name stands twice in one object: a reader that wants its value would not know which.
    """
    found = connection.execute(
        f"""
        with
            objects as (
                select distinct {FILE_COLUMN}, json_keys(json) as keys
                from read_json_objects(
                    {list_of(file.path for file in files)}, format = 'auto', filename = '{FILE_COLUMN}'
                )
            ),
            names as (select {FILE_COLUMN}, keys, unnest(keys) as name from objects)
        select {FILE_COLUMN}, name, max(len(list_filter(keys, lambda other: other = name)))
        from names
        group by {FILE_COLUMN}, name
        order by {FILE_COLUMN}, name
        """
    ).fetchall()
    twice = next((name for _, name, times in found if times > 1), None)
    if twice:
        raise ValueError(f"column {twice} stands twice in one object")
    keys: dict[str, dict[str, str]] = {str(file.path): {} for file in files}
    for path, name, _ in found:
        keys[path][name] = "VARCHAR"
    return list(keys.values())


def _decompress(path: Path) -> None:
    """Read a compressed file to its end: DuckDB takes one that breaks off after a row for a shorter file.

    Raises:
        EOFError: It breaks off.
        OSError: It is not compressed, or its checksum does not hold.
    """
    with gzip.open(path) as content:
        while content.read(_CHUNK):
            pass


def _csv_header(path: Path) -> list[str]:
    """Names in the first line of a CSV file; a column without one is called by its position.

    Raises:
        ValueError: There is no header, or a name stands in it twice; also for text that is not UTF-8.
    """
    opened = gzip.open if path.suffix == ".gz" else open
    with opened(path, "rt", encoding="utf-8-sig", newline="") as lines:
        header = next(csv.reader(lines), None)
    if not header:
        raise ValueError("it has no header line")
    names = [name.strip() or f"column {position}" for position, name in enumerate(header, start=1)]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ValueError(f"column {twice[0]} stands twice in its header")
    return names


def _told(error: Exception) -> str:
    """What a reader's error says, in one line, without the row it quotes: rows hold personal data."""
    said: list[str] = []
    for line in without_values(str(error)).splitlines():
        if line.startswith("LINE ") or not line.strip():
            break
        said.append("".join(letter if letter.isprintable() else "?" for letter in line.strip()))
    return "; ".join(said) or type(error).__name__
