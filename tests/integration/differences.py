"""Compares what readers see of two warehouses, row for row and digit for digit.

Every mart, and of the audit what follows from data rather than from runs. What does NOT belong here: how the
warehouses came to be.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb

from benchmarks.comparison import KEYS

AUDIT_KEYS: Mapping[str, Sequence[str]] = {
    "quarantine": ("source_table", "source_key", "quarantine_rule"),
    "identity_merges": ("retired_customer_id",),
    "identity_conflicts": ("left_identifier_hash", "right_identifier_hash"),
}
_SHOWN = 4
Row = dict[str, Any]


@dataclass(frozen=True)
class Difference:
    """How a table differs.

    Attributes:
        table: Schema and name.
        left_rows: Rows that stand on the left side only.
        right_rows: Rows that stand on the right side only.
        examples: The first of them, sides by key: what differs of a row that both have, else the whole row.
    """

    table: str
    left_rows: int
    right_rows: int
    examples: Sequence[str]


def differences(left: Path, right: Path) -> list[Difference]:
    """Compare two DuckDB files that hold the schemas marts and audit.

    Raises:
        AssertionError: They have different tables or columns, or none.
    """
    with duckdb.connect(config={"threads": 1}) as connection:
        connection.execute("set TimeZone = 'UTC'")
        for side, file in (("l", left), ("r", right)):
            connection.execute(f"attach '{file}' as {side} (read_only)")
        tables = _columns(connection, "l")
        assert tables == _columns(connection, "r")
        assert {"marts.fct_interactions", "audit.quarantine"} <= tables.keys()
        return [
            found
            for table, columns in tables.items()
            if (found := _difference(connection, table, columns)) is not None
        ]


def describe(found: Sequence[Difference]) -> str:
    """Tell differences to a person: one table after the other, their first rows side by side."""
    return "\n".join(
        "\n".join(
            [
                f"{difference.table}: {difference.left_rows} rows are left only, "
                f"{difference.right_rows} right only",
                *(f"  {example}" for example in difference.examples),
            ]
        )
        for difference in found
    )


def assert_same(left: Path, right: Path, told: object = "") -> None:
    """Insist that two warehouses say the same.

    Args:
        left: Build or published file of the one.
        right: That of the other.
        told: What led there, for the failure.
    """
    found = differences(left, right)
    assert not found, f"{describe(found)}\n{told}"


def _columns(connection: duckdb.DuckDBPyConnection, side: str) -> dict[str, list[tuple[str, str]]]:
    """Columns and types of every table that is compared; the run is no fact about customers."""
    found: dict[str, list[tuple[str, str]]] = {}
    for schema, table, column, type_ in connection.execute(
        "select schema_name, table_name, column_name, data_type from duckdb_columns()"
        " where database_name = ? and schema_name in ('marts', 'audit') and column_name <> 'run_id'"
        " order by schema_name desc, table_name, column_index",
        [side],
    ).fetchall():
        if schema == "marts" or table in AUDIT_KEYS:
            found.setdefault(f"{schema}.{table}", []).append((column, type_))
    return found


def _difference(
    connection: duckdb.DuckDBPyConnection, table: str, columns: Sequence[tuple[str, str]]
) -> Difference | None:
    names = [name for name, _ in columns]
    listed = ", ".join(names)
    left, right = (f"select {listed} from {side}.{table}" for side in "lr")
    sides: list[list[Row]] = []
    for one, other in ((left, right), (right, left)):
        rows = connection.execute(f"from ({one} except all {other}) order by all").fetchall()
        sides.append([dict(zip(names, row, strict=True)) for row in rows])
    if not any(sides):
        return None
    name = table.split(".")[1]
    keys = [key for key in {**KEYS, **AUDIT_KEYS}.get(name, names) if key in names]
    examples = [example for example, _ in zip(_told(*sides, keys), range(_SHOWN), strict=False)]
    return Difference(table, len(sides[0]), len(sides[1]), examples)


def _told(left: Sequence[Row], right: Sequence[Row], keys: Sequence[str]) -> Iterator[str]:
    """Tell differing rows by key: columns with both values of a row that both sides have, else the row."""

    def key_of(row: Row) -> tuple[Any, ...]:
        return tuple(row[key] for key in keys)

    others = {key_of(row): row for row in right}
    for row in left:
        shown = ", ".join(f"{key} {row[key]}" for key in keys)
        other = others.pop(key_of(row), None)
        if other is None:
            yield f"left only   {row}"
        else:
            unlike = [f"{name}: {row[name]!r} | {other[name]!r}" for name in row if row[name] != other[name]]
            yield f"{shown}\n      " + "\n      ".join(unlike)
    for row in others.values():
        yield f"right only  {row}"
