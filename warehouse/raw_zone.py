"""The raw zone, a folder of files that loaders write, as views of schema ``raw``.

Two steps, so that nothing is written before everything was looked at. ``inspect`` finds the files of every
contract table and holds them against the contract; ``open_views`` makes the views over what was found. A view
gives a table's columns in the contract's order with their types as in the files (text formats: all text), so
that a scan casts nothing; what a value means is decided in staging. Schema ``arrived`` has the same views
over the files that no published night has read. The zone itself is never written to.
"""
# ruff: noqa: S608 - names and paths are quoted; values do not enter the text of a query.

import shutil
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from difflib import get_close_matches
from pathlib import Path
from typing import Final

import duckdb

from warehouse.contract import DataType, RawColumn, RawContract, RawTable
from warehouse.ledger import GONE, Ledger, LedgerEntry, write_ledger
from warehouse.quoting import identifier, literal
from warehouse.raw_files import (
    FILE_COLUMN,
    FILES_AT_ONCE,
    FileFormat,
    FoundFile,
    RawFile,
    RawZoneError,
    batches,
    format_of,
    is_hidden,
    kinds,
    list_files,
    list_of,
    name_in,
    parquet,
    read_headers,
    read_or_tell,
    shown,
    unreadable,
)

_CONTRACT_TYPES: Final[Mapping[DataType, str]] = {
    "varchar": "VARCHAR",
    "timestamp": "TIMESTAMP",
    "date": "DATE",
    "double": "DOUBLE",
    "integer": "BIGINT",
    "boolean": "BOOLEAN",
    "decimal": "DECIMAL(18,4)",
}
_INTEGERS: Final = frozenset(
    {"TINYINT", "SMALLINT", "INTEGER", "BIGINT", "UTINYINT", "USMALLINT", "UINTEGER"}
)
_FLOATS: Final = frozenset({"FLOAT", "DOUBLE"})
_TIMESTAMPS: Final = frozenset({"TIMESTAMP", "TIMESTAMP_S", "TIMESTAMP_MS", "TIMESTAMP_NS"})
_OTHER_TYPES: Final = frozenset({"VARCHAR", "BOOLEAN", "DATE", "TIMESTAMP WITH TIME ZONE"})
# A line of CSV may hold a whole document (DuckDB stops at 2 MB by itself); one buffer must hold the line.
_LONGEST_CSV_LINE: Final = 32_000_000
# Format of a new build file: that of DuckDB 1.3 writes texts a quarter faster and reads them in half the
# time. The file that readers open keeps the format of 1.0 (DECISIONS.md).
_STORAGE: Final = "v1.3.0"
# Up to here floating point tells whole numbers apart; the same limit as in macro as_text.
_EXACT_BELOW: Final = 9_007_199_254_740_992


@dataclass(frozen=True)
class TableFiles:
    """What the raw zone holds of one contract table.

    Attributes:
        table: The contract table.
        files: Its files, sorted by path; none if the company does not have the channel.
        columns: Every contract column to its type in the view.
        missing_columns: Optional contract columns that no file has; null in the view.
        extra_columns: Columns of the files that the contract does not know; kept out of the view.
        ignored_files: Files in the folder that are of no known format, as paths relative to the zone.
        rows: Number of rows, all versions counted.
        last_loaded_at: Latest ``loaded_at``, naive UTC; None without a row or a readable time.
        ledger: What is noted of every file, in the order of ``files``.
        arrived: Files that no published night has read as they are now.
        gone: What the ledger keeps of files that are no longer there.
        is_reread: Whether a file that was read has changed or gone since the last published night, so that
            all of them are read tonight.
    """

    table: RawTable
    files: tuple[RawFile, ...]
    columns: Mapping[str, str]
    missing_columns: tuple[str, ...]
    extra_columns: tuple[str, ...]
    ignored_files: tuple[str, ...]
    rows: int
    last_loaded_at: datetime | None
    ledger: tuple[LedgerEntry, ...] = ()
    arrived: tuple[RawFile, ...] = ()
    gone: tuple[LedgerEntry, ...] = ()
    is_reread: bool = False

    @property
    def arrived_rows(self) -> int:
        """Number of rows in the files that arrived."""
        arrived = {id(file) for file in self.arrived}
        return sum(
            entry.row_count
            for file, entry in zip(self.files, self.ledger, strict=True)
            if id(file) in arrived
        )

    @property
    def formats(self) -> tuple[FileFormat, ...]:
        """Formats of the files, sorted, each once."""
        return tuple(sorted({file.format for file in self.files}))


@dataclass(frozen=True)
class RawZone:
    """A raw zone that was held against the contract.

    Attributes:
        path: The folder, absolute.
        tables: One entry per contract table, in the contract's order, absent ones included.
        unknown_entries: Names in the zone that are no contract table; nobody reads them.
    """

    path: Path
    tables: tuple[TableFiles, ...]
    unknown_entries: tuple[str, ...]

    @property
    def reread_tables(self) -> tuple[str, ...]:
        """Raw tables that are read whole tonight, although there is a night to build on."""
        return tuple(table.table.name for table in self.tables if table.is_reread)


def inspect(
    raw: Path,
    contract: RawContract,
    time_zones: Mapping[str, str] | None = None,
    ledger: Ledger | None = None,
    night_number: int = 1,
    last_night_number: int = 0,
) -> RawZone:
    """Find the files of every contract table and hold them against the contract.

    Reads the column names of every file that the ledger does not know, and every row once for count and
    latest load, so that a broken file shows here. Names that start with ``.`` or ``_`` or end with ``.tmp``
    are passed over, folders too.

    Args:
        raw: The raw zone.
        contract: What it should hold.
        time_zones: Raw table to the IANA time zone of its timestamps without an offset; default UTC.
        ledger: What earlier nights have noted of the files; nothing when this night builds on none.
        night_number: This night.
        last_night_number: The last night that was published: files that a later one read first have arrived.

    Raises:
        RawZoneError: There is no raw zone, it holds no contract table, a time zone is given for no table of
            the contract, a file cannot be read, or a file lacks a required column.
    """
    raw = raw.resolve()
    if not raw.is_dir():
        raise RawZoneError(f"There is no raw zone {raw}: name a folder that holds <table>/<files>")
    for name in sorted((time_zones or {}).keys() - contract.keys()):
        similar = get_close_matches(name, contract, n=1)
        raise RawZoneError(
            f"A time zone is given for {name}, which is no raw table: "
            f"name {similar[0] if similar else 'one of ' + ', '.join(sorted(contract))}"
        )
    noted: dict[str, dict[str, LedgerEntry]] = {name: {} for name in contract}
    for (name, path), entry in (ledger or {}).items():
        if name in noted:
            noted[name][path] = entry
    with duckdb.connect() as connection:
        connection.execute("set TimeZone = 'UTC'")
        tables = tuple(
            _inspect_table(
                connection,
                raw,
                table,
                (time_zones or {}).get(table.name, "UTC"),
                _Nights(noted[table.name], night_number, last_night_number),
            )
            for table in contract.values()
        )
    if not any(table.files for table in tables):
        raise RawZoneError(
            f"The raw zone {raw} holds no file of a known table: land files such as "
            f"orders/2024-01-01.parquet; known tables are {', '.join(sorted(contract))}"
        )
    unknown = sorted(
        shown(entry.name)
        for entry in raw.iterdir()
        if entry.name not in contract and not is_hidden(entry.name)
    )
    return RawZone(path=raw, tables=tables, unknown_entries=tuple(unknown))


def require_what_was_known(
    zone: RawZone,
    known: Iterable[LedgerEntry],
    share_max: Callable[[str], float],
    rows_tolerated: Callable[[str], float],
) -> None:
    """Refuse a zone from which most of a table has gone since a night read it: a mount is lost, say.

    Args:
        zone: What was found.
        known: What the nights that were published have noted of the files.
        share_max: Largest share of a raw table's rows that may have gone.
        rows_tolerated: Number of rows that may always have gone.

    Raises:
        RawZoneError: More than that has gone.
    """
    rows_known = Counter[str]()
    for entry in known:
        rows_known[entry.table_name] += entry.row_count
    for files in zone.tables:
        name = files.table.name
        before = rows_known[name]
        lost = before - files.rows
        if lost > rows_tolerated(name) and lost > share_max(name) * before:
            raise RawZoneError(
                f"Raw table {name} has lost {lost:,} of the {before:,} rows that earlier nights have read: "
                "bring its files back, or run with --full-refresh if they are gone for good"
            )


def open_views(
    database: Path | duckdb.DuckDBPyConnection,
    zone: RawZone,
    hash_key: str,
    night_number: int = 1,
    tombstones: Sequence[str] = (),
    *,
    gathered: Path | None = None,
    read_whole: Collection[str] = (),
) -> None:
    """Make schemas ``raw`` and ``arrived`` in one DuckDB file: a view per table, the ledger, the private key.

    A table without files becomes an empty view of the contract's types. Every view ends with ``source_file``,
    the path of a row's file relative to the zone. All of it is written or nothing.

    Args:
        database: The file, made if it is not there, or a connection to it.
        zone: What was found.
        hash_key: The warehouse's private key for hashing identifiers; stored as the only row of
            ``raw.hash_key``.
        night_number: This night; the only row of ``raw.night``, by which the file is recognised.
        tombstones: What ``raw.tombstones`` holds: staging leaves out rows that name an erased person.
        gathered: Folder for the rows of tables of very many files, its old content removed: a night reads
            its rows a dozen times, opening files is what costs, and a view that names a million of them
            takes gigabytes. Whoever is done with the views removes it. Without one every view reads the
            files themselves.
        read_whole: Raw tables of which all files may be read, beside those that `zone` says. Of others the
            view over very many files, where few have arrived, is an error to read.
    """
    if isinstance(database, Path):
        with duckdb.connect(str(database), config={"storage_compatibility_version": _STORAGE}) as connection:
            open_views(
                connection,
                zone,
                hash_key,
                night_number,
                tombstones,
                gathered=gathered,
                read_whole=read_whole,
            )
        return
    if gathered is not None:
        shutil.rmtree(gathered, ignore_errors=True)
    # rows have no order, and gathering them in that of the files takes six times as long
    database.execute("set preserve_insertion_order = false")
    database.execute("begin")
    try:
        for schema in ("raw", "arrived"):
            database.execute(f"create schema if not exists {schema}")
        # dbt's threads would trip over each other if they made it
        database.execute("create schema if not exists tonight")
        for files in zone.tables:
            is_whole = files.is_reread or files.table.name in read_whole
            for schema, query in _views(database, zone.path, files, gathered, is_whole=is_whole):
                database.execute(f"create or replace view {schema}.{identifier(files.table.name)} as {query}")
        write_ledger(database, (entry for files in zone.tables for entry in (*files.ledger, *files.gone)))
        database.execute("create or replace table raw.hash_key (hash_key varchar not null)")
        database.execute("insert into raw.hash_key values (?)", [hash_key])
        database.execute("create or replace table raw.night (night_number bigint not null)")
        database.execute("insert into raw.night values (?)", [night_number])
        database.execute("create or replace table raw.tombstones (tombstone varchar not null)")
        database.execute("insert into raw.tombstones select unnest(?)", [list(tombstones)])
        database.execute("commit")
    except duckdb.Error:
        database.execute("rollback")
        raise
    finally:
        database.execute("reset preserve_insertion_order")


def _views(
    connection: duckdb.DuckDBPyConnection,
    raw: Path,
    files: TableFiles,
    gathered: Path | None,
    *,
    is_whole: bool,
) -> Iterator[tuple[str, str]]:
    """Schema and query of a table's two views."""
    have_all_arrived = len(files.arrived) == len(files.files)
    shapes = kinds(files.arrived)
    types = {column.name: _view_type(column, shapes) for column in files.table.columns}
    for schema, some, columns, is_read in (
        ("raw", files.files, files.columns, is_whole or have_all_arrived),
        ("arrived", files.arrived, types, True),
    ):
        if gathered is None or len(some) <= FILES_AT_ONCE:
            yield schema, _query(raw, files.table, some, columns)
            continue
        if not is_read:
            yield schema, _refusal(files.table, len(some), columns)
            continue
        folder = gathered / ("raw" if have_all_arrived else schema) / files.table.name
        if not folder.exists():
            _gather(connection, raw, files.table, some, columns, folder)
        written = list_of(sorted(folder.glob("*.parquet")))
        yield schema, f"select * from read_parquet({written}, hive_partitioning = false)"


def _refusal(table: RawTable, count: int, columns: Mapping[str, str]) -> str:
    """The query of a view whose rows nobody should want, because that was not foreseen."""
    said = literal(
        f"Raw table {table.name} has {count:,} files, of which only those that have arrived were opened: run "
        "the night with --full-refresh"
    )
    return f"{_nothing(columns)} where error({said}) is null"


def _gather(
    connection: duckdb.DuckDBPyConnection,
    raw: Path,
    table: RawTable,
    files: Sequence[RawFile],
    columns: Mapping[str, str],
    folder: Path,
) -> None:
    """Write what a view over very many files would say into a few."""
    folder.mkdir(mode=0o700, parents=True)
    for number, batch in enumerate(batches(files)):
        file = literal(folder / f"{number:06}.parquet")
        connection.execute(f"copy ({_query(raw, table, batch, columns)}) to {file} (format parquet)")


def require_whole(zone: RawZone) -> None:
    """Find the file at which a night has failed that had looked sound, if it was one.

    `inspect` reads of a file what its account needs; a damaged page of another column, or bytes that are no
    text, show only to who reads them. To read every column beforehand would cost every night a second reading
    of all that arrives.

    Args:
        zone: What was found; files that have gone since are passed over.

    Raises:
        RawZoneError: A file that the night has read cannot be read whole.
    """
    with duckdb.connect() as connection:
        connection.execute("set TimeZone = 'UTC'")
        for files in zone.tables:
            read = files.files if files.is_reread else files.arrived
            there = [file for file in read if file.path.is_file()]
            for batch in batches(there):
                try:
                    _read_values(connection, zone, files, batch, files.columns)
                except duckdb.Error:
                    for file in batch:
                        _require_values(connection, zone, files, file)


def _require_values(
    connection: duckdb.DuckDBPyConnection, zone: RawZone, files: TableFiles, file: RawFile
) -> None:
    for column in files.columns:
        try:
            _read_values(connection, zone, files, [file], [column])
        except duckdb.Error as error:
            raise unreadable(zone.path, files.table, file.path, error, column) from error


def _read_values(
    connection: duckdb.DuckDBPyConnection,
    zone: RawZone,
    files: TableFiles,
    some: Sequence[RawFile],
    columns: Iterable[str],
) -> None:
    """Read every value of some columns, so that the engine fails if it can."""
    hashes = ", ".join(f"bit_xor(hash({identifier(column)}))" for column in columns)
    connection.execute(
        f"select {hashes} from ({_query(zone.path, files.table, some, files.columns)})"
    ).fetchall()


def empty_zone(path: Path, contract: RawContract) -> RawZone:
    """Return a raw zone without a file: its views have the contract's columns and types, and no row.

    Args:
        path: Where it would be.
        contract: What it should hold.
    """
    tables = [
        TableFiles(
            table=table,
            files=(),
            columns={column.name: _view_type(column, ()) for column in table.columns},
            missing_columns=(),
            extra_columns=(),
            ignored_files=(),
            rows=0,
            last_loaded_at=None,
        )
        for table in contract.values()
    ]
    return RawZone(path=path, tables=tuple(tables), unknown_entries=())


def rows_of_keys(
    connection: duckdb.DuckDBPyConnection,
    raw: Path,
    table: RawTable,
    files: Mapping[str, Mapping[str, str]],
    keys: Sequence[str],
) -> list[dict[str, str | None]]:
    """Return the rows of some files that carry one of some keys: all versions, every value as text.

    Args:
        connection: Any connection; its time zone should be UTC.
        raw: The raw zone.
        table: The contract table.
        files: Path relative to the zone to the file's columns, as the ledger has them.
        keys: Values of the table's first key column.

    Raises:
        duckdb.Error: A file cannot be read, or no longer has these columns.
    """
    found = [
        RawFile(path=raw / path, format=format_of(path), columns=columns)
        for path, columns in sorted(files.items())
    ]
    query = _query(raw, table, found, {column.name: "VARCHAR" for column in table.columns})
    result = connection.execute(
        f"select * from ({query}) where trim({identifier(table.key[0])}) in (select unnest(?))",
        [list(keys)],
    )
    names = [column[0] for column in result.description]
    return [dict(zip(names, row, strict=True)) for row in result.fetchall()]


@dataclass(frozen=True)
class _Nights:
    """What earlier nights have noted of a table's files, by path, and which of them counts."""

    noted: Mapping[str, LedgerEntry]
    number: int
    last_number: int


def _inspect_table(
    connection: duckdb.DuckDBPyConnection, raw: Path, table: RawTable, time_zone: str, nights: _Nights
) -> TableFiles:
    found, ignored = list_files(raw / table.name)
    noted = nights.noted
    entries: dict[str, LedgerEntry] = {}
    new: list[FoundFile] = []
    for file in found:
        path = name_in(raw, file.path)
        entry = noted.get(path)
        if entry is not None and entry.is_of(file.size_bytes, file.modified_ns):
            entries[path] = entry
        else:
            new.append(file)
    headers = list(read_headers(connection, raw, table, new))
    columns_of = {file.path: file.columns for file in headers}
    files = tuple(
        RawFile(
            file.path,
            file.format,
            entries[path].columns if (path := name_in(raw, file.path)) in entries else columns_of[file.path],
        )
        for file in found
    )
    shapes = kinds(files)
    _require_columns(raw, table, files, shapes)
    columns = {column.name: _view_type(column, shapes) for column in table.columns}
    known = set(columns)
    extra = {name for file in shapes for name in file.columns if name.casefold() not in known}
    for entry in _measured(connection, raw, table, new, headers, time_zone, nights.number):
        entries[entry.path] = _succeeding(noted.get(entry.path), entry)
    ledger = tuple(entries[name_in(raw, file.path)] for file in files)
    gone = tuple(
        entry if entry.size_bytes == GONE else entry.gone(nights.number)
        for path, entry in noted.items()
        if path not in entries and (entry.size_bytes != GONE or entry.lost_in > nights.last_number)
    )
    return TableFiles(
        table=table,
        files=files,
        columns=columns,
        missing_columns=tuple(
            name for name in columns if files and all(file.spelled(name) is None for file in shapes)
        ),
        extra_columns=tuple(sorted(extra)),
        ignored_files=tuple(name_in(raw, path) for path in ignored),
        rows=sum(entry.row_count for entry in ledger),
        last_loaded_at=max((entry.last_loaded_at for entry in ledger if entry.last_loaded_at), default=None),
        ledger=ledger,
        arrived=tuple(
            file
            for file, entry in zip(files, ledger, strict=True)
            if entry.first_read_in > nights.last_number
        ),
        gone=gone,
        is_reread=any(entry.lost_in > nights.last_number for entry in (*ledger, *gone)),
    )


def _require_columns(raw: Path, table: RawTable, files: Sequence[RawFile], shapes: Sequence[RawFile]) -> None:
    """Refuse the first file that lacks a required column."""
    lacking = {
        id(file.columns): column
        for file in shapes
        # A JSON file without a row has no keys; nothing is missing from it.
        if file.columns or file.format != "json"
        for column in reversed(table.required)
        if file.spelled(column) is None
    }
    if not lacking:
        return
    file = next(file for file in files if id(file.columns) in lacking)
    raise RawZoneError(
        f"{name_in(raw, file.path)}: required column {lacking[id(file.columns)]} of raw table {table.name} "
        "is missing; add it to the loader's output or move the file out of the raw zone"
    )


def _succeeding(former: LedgerEntry | None, entry: LedgerEntry) -> LedgerEntry:
    """What is noted of a file in whose place another was read before."""
    if former is None:
        return entry
    return replace(entry, lost_in=former.lost_in if former.size_bytes == GONE else entry.first_read_in)


def _view_type(column: RawColumn, files: Iterable[RawFile]) -> str:
    """Type of a contract column in the view: the files' own if they agree, else one that loses nothing."""
    found = {
        _plain_type(file.columns[name]) for file in files if (name := file.spelled(column.name)) is not None
    }
    if not found:
        return _CONTRACT_TYPES[column.data_type]
    if len(found) == 1:
        return found.pop()
    if found <= _INTEGERS:
        return "BIGINT"
    if found <= _INTEGERS | _FLOATS and column.data_type != "varchar":
        return "DOUBLE"
    return "VARCHAR"


def _plain_type(type_: str) -> str:
    """The type in which staging reads a file's type; nested and rare types are read as text."""
    if type_ in _TIMESTAMPS:
        return "TIMESTAMP"
    if type_ in _INTEGERS | _FLOATS | _OTHER_TYPES or (type_.startswith("DECIMAL(") and type_.endswith(")")):
        return type_
    return "VARCHAR"


def _measured(
    connection: duckdb.DuckDBPyConnection,
    raw: Path,
    table: RawTable,
    found: Sequence[FoundFile],
    files: Sequence[RawFile],
    time_zone: str,
    night_number: int,
) -> Iterator[LedgerEntry]:
    """Rows and high-water mark of every file; names the file if one cannot be read to its end."""
    shapes = kinds(files)
    columns = {column.name: _view_type(column, shapes) for column in table.columns}
    latest = _latest(columns["loaded_at"], time_zone)

    def measured(some: Sequence[RawFile]) -> dict[str, tuple[int, datetime | None]]:
        query = (
            f"select source_file, count(*), {latest} from ({_query(raw, table, some, columns)}) group by all"
        )
        return {path: (rows, mark) for path, rows, mark in connection.execute(query).fetchall()}

    # as they were before they were read: what a loader appends meanwhile shows in the next night
    before = {file.path: file for file in found}
    for batch in batches(files):
        marks = read_or_tell(raw, table, batch, measured)
        for file in batch:
            path = name_in(raw, file.path)
            rows, mark = marks.get(path, (0, None))
            if rows and not file.columns:
                raise unreadable(raw, table, file.path, ValueError("its values are no objects with columns"))
            yield LedgerEntry(
                table_name=table.name,
                path=path,
                size_bytes=before[file.path].size_bytes,
                modified_ns=before[file.path].modified_ns,
                row_count=rows,
                last_loaded_at=mark,
                columns=file.columns,
                first_read_in=night_number,
            )


def _latest(type_: str, time_zone: str) -> str:
    """SQL of the latest ``loaded_at`` of a column of that type, naive UTC."""
    zone = literal(time_zone)
    if type_ == "TIMESTAMP WITH TIME ZONE":
        return "max(loaded_at) at time zone 'UTC'"
    if type_ == "VARCHAR":
        return (
            "max(case when regexp_matches(loaded_at, ':[0-9.]+ *[-+A-Za-z]') "
            "then try_cast(regexp_replace(loaded_at, ' ([-+])', '\\1') as timestamptz) at time zone 'UTC' "
            f"else (try_cast(loaded_at as timestamp) at time zone {zone}) at time zone 'UTC' end)"
        )
    if type_ in {"TIMESTAMP", "DATE"}:
        return f"(cast(max(loaded_at) as timestamp) at time zone {zone}) at time zone 'UTC'"
    return "cast(null as timestamp)"


def _query(raw: Path, table: RawTable, files: Sequence[RawFile], columns: Mapping[str, str]) -> str:
    """The query of a table's view: one scan per group of like files."""
    scans = [_scan(raw, table, group, columns) for group in _groups(table, files)]
    if scans:
        return " union all ".join(scans)
    return f"{_nothing(columns)} where false"


def _nothing(columns: Mapping[str, str]) -> str:
    """A select of one row of nulls, of the columns and types of a view."""
    nulls = [f"cast(null as {type_}) as {identifier(name)}" for name, type_ in columns.items()]
    return f"select {', '.join(nulls)}, cast(null as varchar) as source_file"


def _groups(table: RawTable, files: Iterable[RawFile]) -> Iterator[list[RawFile]]:
    """Files that one scan can read: same format, same columns (JSON: same spelling of the contract's)."""
    groups: dict[tuple[object, ...], list[RawFile]] = {}
    signatures: dict[tuple[FileFormat, int], tuple[object, ...]] = {}
    for file in files:
        kind = (file.format, id(file.columns))
        if kind not in signatures:
            signatures[kind] = (file.format, *_signature(table, file))
        groups.setdefault(signatures[kind], []).append(file)
    yield from groups.values()


def _signature(table: RawTable, file: RawFile) -> tuple[object, ...]:
    if file.format != "json":
        return tuple(file.columns.items())
    return tuple(
        name for column in table.columns if (name := file.spelled(column.name)) not in {None, column.name}
    )


def _scan(raw: Path, table: RawTable, group: Sequence[RawFile], columns: Mapping[str, str]) -> str:
    """A select of the contract's columns, in their types in the view, from files that one scan can read."""
    shapes = kinds(group)
    types = {name: type_ for file in shapes for name, type_ in file.columns.items()}
    read: dict[str, str] = {}
    for column in table.columns:
        spelled = next((name for file in shapes if (name := file.spelled(column.name)) is not None), None)
        if spelled is not None:
            read[column.name] = spelled
    paths = [file.path for file in group]
    if group[0].format == "parquet":
        reader = parquet(paths)
    elif group[0].format == "csv":
        reader = _csv(paths, tuple(group[0].columns))
    else:
        reader = _json(paths, tuple(read.values()))
    select = []
    for name, type_ in columns.items():
        if name not in read:
            value = f"cast(null as {type_})"
        elif types[read[name]] == type_:
            value = identifier(read[name])
        else:
            is_text = table.column(name).data_type == "varchar"
            value = _converted(identifier(read[name]), types[read[name]], type_, is_text=is_text)
        select.append(f"{value} as {identifier(name)}")
    # An absolute path would tell where the machine keeps its data, and differ from machine to machine.
    select.append(f"substr({FILE_COLUMN}, {len(str(raw)) + 2}) as source_file")
    return f"select {', '.join(select)} from {reader}"


def _converted(column: str, type_: str, wanted: str, *, is_text: bool) -> str:
    """A column in its type in the view; as text it says what staging would read in its own type.

    Whether a file is read alone, in the night in which it arrives, or beside files of another type must not
    matter: a number that is none is a gap, and a whole number in floating point has no fraction.
    """
    if wanted != "VARCHAR" or type_ not in _FLOATS:
        return f"cast({column} as {wanted})"
    number = column if is_text else f"cast({column} as double)"
    return (
        f"case when isnan({number}) then null "
        f"when {number} = floor({number}) and abs({number}) < {_EXACT_BELOW} "
        f"then cast(cast({number} as bigint) as varchar) else cast({number} as varchar) end"
    )


def _csv(paths: Sequence[Path], header: Sequence[str]) -> str:
    """Reads text as text: nothing about the file is guessed."""
    return (
        f"read_csv({list_of(paths)}, columns = {_text_columns(header)}, auto_detect = false, header = true, "
        f"delim = ',', quote = '\"', escape = '\"', filename = '{FILE_COLUMN}', hive_partitioning = false, "
        f"max_line_size = {_LONGEST_CSV_LINE}, buffer_size = {_LONGEST_CSV_LINE})"
    )


def _json(paths: Sequence[Path], keys: Sequence[str]) -> str:
    """Reads every value as text, a nested one as its JSON."""
    # A reader needs at least one column; files without any row have none.
    return (
        f"read_json({list_of(paths)}, columns = {_text_columns(keys or ('loaded_at',))}, format = 'auto', "
        f"filename = '{FILE_COLUMN}', hive_partitioning = false)"
    )


def _text_columns(names: Sequence[str]) -> str:
    return "{" + ", ".join(f"{literal(name)}: 'VARCHAR'" for name in names) + "}"
