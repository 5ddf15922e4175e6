"""The raw contract as Python sees it: read from the dbt sources, which are its only copy.

``models/staging/<channel>/_sources.yml`` says which raw tables there are, their columns in order, and what is
asked of each (``config: meta:``). Nothing else may list raw tables or columns. What a rule does to a row
belongs in the staging macros; finding the files belongs in ``warehouse.raw_zone``.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any, Final, Literal, get_args

import yaml

DataType = Literal["varchar", "timestamp", "date", "double", "integer", "boolean", "decimal"]

SOURCE_NAME: Final = "raw"
_COLUMN_MARKS: Final = frozenset(
    {
        "accepted_values",
        "earliest",
        "event_time",
        "identifier",
        "identifier_type",
        "key",
        "maximum",
        "minimum",
        "personal",
        "required",
        "scope",
        "scoped_by",
        "typed_by",
    }
)
_TABLE_MARKS: Final = frozenset({"taxonomy"})


class ContractError(RuntimeError):
    """The source files do not make a contract; the message names file, table, column and what is wrong."""


@dataclass(frozen=True)
class RawColumn:
    """One column of a raw table.

    Attributes:
        name: Name of the column.
        data_type: What staging makes of it. ``timestamp`` is naive UTC, ``integer`` has 64 bits, ``decimal``
            18 digits, 4 of them after the point.
        description: One sentence.
        is_key: Part of the table's key.
        is_required: A file without the column stops the run; a row without the value goes to quarantine.
        is_identifier: Names a person.
        identifier_type: Kind of the identifier; None where another column says it, or the column is none.
        typed_by: Column that says the kind of the identifier, if one does.
        scope: Name of what a handle is unique on; empty where another column or nothing says it.
        scoped_by: Column that names what a handle is unique on; empty without one.
        is_event_time: The time that a row is about.
        earliest: Day before which there was no such source; None where nothing is known of it.
        is_personal: Personal data.
        minimum: Least value allowed, if there is one.
        maximum: Greatest value allowed, if there is one.
        accepted_values: The closed list of its values; empty where the list is open.
    """

    name: str
    data_type: DataType
    description: str
    is_key: bool = False
    is_required: bool = False
    is_identifier: bool = False
    identifier_type: str | None = None
    typed_by: str | None = None
    is_event_time: bool = False
    earliest: date | None = None
    is_personal: bool = False
    minimum: float | None = None
    maximum: float | None = None
    accepted_values: tuple[str, ...] = ()
    scope: str = ""
    scoped_by: str = ""


@dataclass(frozen=True)
class RawTable:
    """One table of the raw zone.

    Attributes:
        name: Name of the table and of its folder in the raw zone.
        channel: Folder of its staging models.
        description: One sentence.
        columns: In the order of the contract, ``is_deleted`` and ``loaded_at`` last.
        has_taxonomy: Its event names must stand in seed ``interaction_types``.
    """

    name: str
    channel: str
    description: str
    columns: tuple[RawColumn, ...]
    has_taxonomy: bool = False

    @property
    def key(self) -> tuple[str, ...]:
        """Names of the key columns."""
        return tuple(column.name for column in self.columns if column.is_key)

    @property
    def required(self) -> tuple[str, ...]:
        """Names of the required columns."""
        return tuple(column.name for column in self.columns if column.is_required)

    @property
    def identifiers(self) -> tuple[str, ...]:
        """Names of the columns that name a person."""
        return tuple(column.name for column in self.columns if column.is_identifier)

    @property
    def event_time(self) -> str | None:
        """Name of the column with the time that a row is about; None if it is about no time."""
        return next((column.name for column in self.columns if column.is_event_time), None)

    def column(self, name: str) -> RawColumn:
        """Look up a column.

        Raises:
            KeyError: The table has no such column.
        """
        for column in self.columns:
            if column.name == name:
                return column
        raise KeyError(f"{self.name} has no column {name}")


@dataclass(frozen=True)
class RawContract(Mapping[str, RawTable]):
    """All raw tables by name, sorted by channel, within a channel in the order of its file."""

    tables: tuple[RawTable, ...]

    def __getitem__(self, name: str) -> RawTable:
        """Look up a table; raises KeyError for an unknown name."""
        for table in self.tables:
            if table.name == name:
                return table
        raise KeyError(name)

    def __iter__(self) -> Iterator[str]:
        """Names of the tables."""
        return (table.name for table in self.tables)

    def __len__(self) -> int:
        """Number of tables."""
        return len(self.tables)


def read_contract(project: Path) -> RawContract:
    """Read the contract of a dbt project.

    Args:
        project: Root folder of the project, which holds ``models/staging``.

    Raises:
        ContractError: There are no source files, or one of them is no part of a contract.
    """
    files = sorted((project / "models" / "staging").glob("*/_sources.yml"))
    if not files:
        raise ContractError(f"No raw contract: {project}/models/staging holds no <channel>/_sources.yml")
    tables: dict[str, RawTable] = {}
    for file in files:
        for table in _read_file(file):
            if table.name in tables:
                raise ContractError(f"{file}: table {table.name} is declared twice")
            tables[table.name] = table
    return RawContract(tuple(tables.values()))


def _read_file(file: Path) -> Iterator[RawTable]:
    try:
        content = yaml.safe_load(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ContractError(f"{file} cannot be read: {error}") from error
    sources = content.get("sources", []) if isinstance(content, dict) else []
    for source in sources:
        if source.get("name") != SOURCE_NAME:
            raise ContractError(f"{file}: source {source.get('name')} is not {SOURCE_NAME}")
        for table in source.get("tables", []):
            yield _read_table(file, table)


def _read_table(file: Path, table: Mapping[str, Any]) -> RawTable:
    name = table["name"]
    columns = tuple(_read_column(file, name, column) for column in table.get("columns", []))
    names = [column.name for column in columns]
    if len(set(names)) < len(names):
        raise ContractError(f"{file}: table {name} has a column twice")
    if not any(column.is_key for column in columns):
        raise ContractError(f"{file}: table {name} has no key")
    if names[-2:] != ["is_deleted", "loaded_at"]:
        raise ContractError(f"{file}: table {name} must end with is_deleted and loaded_at")
    if sum(column.is_event_time for column in columns) > 1:
        raise ContractError(f"{file}: table {name} has more than one event_time")
    return RawTable(
        name=name,
        channel=file.parent.name,
        description=table.get("description", ""),
        columns=columns,
        has_taxonomy=_marks(file, name, table, _TABLE_MARKS).get("taxonomy", False),
    )


def _read_column(file: Path, table: str, column: Mapping[str, Any]) -> RawColumn:
    place = f"{table}.{column['name']}"
    data_type = column.get("data_type", "")
    if data_type not in get_args(DataType):
        expected = ", ".join(get_args(DataType))
        raise ContractError(f"{file}: {place} has data_type {data_type!r}, not one of {expected}")
    marks = _marks(file, place, column, _COLUMN_MARKS)
    return RawColumn(
        name=column["name"],
        data_type=data_type,
        description=column.get("description", ""),
        is_key=marks.get("key", False),
        is_required=marks.get("required", False),
        is_identifier=marks.get("identifier", False),
        identifier_type=marks.get("identifier_type", column["name"])
        if marks.get("identifier") and "typed_by" not in marks
        else None,
        typed_by=marks.get("typed_by"),
        is_event_time=marks.get("event_time", False),
        earliest=_earliest(file, place, marks),
        is_personal=marks.get("personal", False),
        minimum=marks.get("minimum"),
        maximum=marks.get("maximum"),
        accepted_values=tuple(marks.get("accepted_values", ())),
        scope=marks.get("scope", ""),
        scoped_by=marks.get("scoped_by", ""),
    )


def _earliest(file: Path, place: str, marks: Mapping[str, Any]) -> date | None:
    if "earliest" not in marks:
        return None
    if not marks.get("event_time"):
        raise ContractError(f"{file}: {place} has meta earliest, which only an event_time may have")
    try:
        return date.fromisoformat(marks["earliest"])
    except (TypeError, ValueError) as error:
        raise ContractError(
            f"{file}: {place} has meta earliest {marks['earliest']!r}; write a day in quotes, as '2010-01-31'"
        ) from error


def _marks(file: Path, place: str, entry: Mapping[str, Any], known: frozenset[str]) -> Mapping[str, Any]:
    """The ``config: meta:`` of a table or column; a mark that nobody reads is a typing error."""
    marks: Mapping[str, Any] = entry.get("config", {}).get("meta", {})
    unknown = sorted(set(marks) - known)
    if unknown:
        raise ContractError(f"{file}: {place} has unknown meta {', '.join(unknown)}")
    return marks
