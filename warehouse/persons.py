"""A person in the build files: all identifiers that are the same customer's, and every row that names one.

Everything is read, nothing written. What does NOT belong here: the raw zone (`orchestration.raw_rows`), and
what is done with what is found (`orchestration.erasing`).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import duckdb

from warehouse.contract import RawContract
from warehouse.night import Warehouse
from warehouse.quoting import identifier, literal

_ASSIGNMENTS = "staging.intermediate.int_identity__assignments"
_CONFLICTS = "staging.intermediate.int_identity__conflicts"
_QUARANTINE = ("staging", "stg_quarantine__rows")
# What staging shows of the zone itself, and what the last night has written once more.
_NOT_HELD = ("raw", "arrived", "seeds", "tonight")


class UnknownPersonError(RuntimeError):
    """Nothing is known of a person, or of anybody: there is no warehouse yet."""


@dataclass(frozen=True)
class Person:
    """One person.

    Attributes:
        identifier_keys: `<kind>:<value>` of every identifier, those included that nobody was seen with.
        hashes: Their keyed hashes, as the marts show them; every published id of the person is among them.
        customer_ids: Published ids; more than one where the identifiers given are different customers'.
        unknown: How many of the identifiers given belong to no customer.
        conflicts: Identifiers of other customers that were seen together with one of the person's.
    """

    identifier_keys: tuple[str, ...]
    hashes: tuple[str, ...]
    customer_ids: tuple[str, ...]
    unknown: int
    conflicts: int


RawKey = tuple[str, str, str]
"""A row of the raw zone: table, file, key."""


def identifier_hash(hash_key: str, identifier_key: str) -> str:
    """Return the keyed hash of an identifier key, as macro `identifier_hash` computes it."""
    inner = hashlib.sha256(f"{hash_key}{identifier_key}".encode()).hexdigest()
    return hashlib.sha256(f"{hash_key}{inner}".encode()).hexdigest()[:32]


@contextmanager
def opened(warehouse: Warehouse) -> Iterator[duckdb.DuckDBPyConnection]:
    """Open both build files to read, as databases staging and engagement.

    Raises:
        UnknownPersonError: There is no warehouse to read, or its first night has failed early.
    """
    if not (warehouse.staging_file.is_file() and warehouse.marts_file.is_file()):
        raise UnknownPersonError(f"Nothing is built in {warehouse.folder}: run a night first.")
    with duckdb.connect() as connection:
        connection.execute("set TimeZone = 'UTC'")
        connection.execute(f"attach {literal(warehouse.staging_file)} as staging (read_only)")
        connection.execute(f"attach {literal(warehouse.marts_file)} as engagement (read_only)")
        names = {
            ".".join(name)
            for name in connection.execute(
                "select database_name, schema_name, table_name from duckdb_tables()"
            ).fetchall()
        }
        if not names >= {_ASSIGNMENTS, _CONFLICTS}:
            raise UnknownPersonError(
                f"No night of {warehouse.folder} has come so far as to know who is who: run one first."
            )
        yield connection


def find(connection: duckdb.DuckDBPyConnection, identifier_keys: Sequence[str], hash_key: str) -> Person:
    """Return the person whom identifiers belong to, by what the last night knew of who is who."""
    asked = list(dict.fromkeys(identifier_keys))
    known = connection.execute(
        f"""
        select distinct all_of_them.identifier_key, all_of_them.customer_id
        from {_ASSIGNMENTS} as asked
        inner join {_ASSIGNMENTS} as all_of_them on asked.customer_id = all_of_them.customer_id
        where list_contains(?, asked.identifier_key)
        order by all
        """,  # noqa: S608 - names of our own models
        [asked],
    ).fetchall()
    customer_ids = tuple(sorted({customer_id for _, customer_id in known}))
    keys = tuple(dict.fromkeys([*(key for key, _ in known), *asked]))
    row = connection.execute(
        f"""
        select
            count(
                distinct case when list_contains($ids, left_customer_id) then right_key else left_key end
            )
        from {_CONFLICTS}
        where list_contains($ids, left_customer_id) <> list_contains($ids, right_customer_id)
        """,  # noqa: S608 - names of our own models
        {"ids": list(customer_ids)},
    ).fetchone()
    return Person(
        identifier_keys=keys,
        hashes=tuple(identifier_hash(hash_key, key) for key in keys),
        customer_ids=customer_ids,
        unknown=len(keys) - len(known),
        conflicts=int(row[0]) if row else 0,
    )


def requested(connection: duckdb.DuckDBPyConnection) -> list[tuple[str, str, Any]]:
    """Return the requests for erasure that the raw zone holds: identifier key, request, when it was asked."""
    return connection.execute(
        """
        select identifier_type || ':' || identifier_value, request_id, requested_at
        from staging.staging.stg_privacy__erasure_requests
        order by requested_at, request_id, identifier_value
        """
    ).fetchall()


def counts(
    connection: duckdb.DuckDBPyConnection, contract: RawContract, person: Person, raw_keys: Iterable[RawKey]
) -> dict[str, int]:
    """Return how many rows of every table, with its schema, are held of a person.

    Args:
        connection: See `opened`.
        contract: The raw contract: which columns of staging name a person.
        person: The person.
        raw_keys: The person's rows of the raw zone, by which those in quarantine are known.
    """
    found = {}
    for table, condition in _conditions(connection, contract, person, raw_keys):
        row = connection.execute(f"select count(*) from {table} where {condition}").fetchone()  # noqa: S608
        if row and row[0]:
            found[_short(table)] = int(row[0])
    return found


def rows(
    connection: duckdb.DuckDBPyConnection, contract: RawContract, person: Person, raw_keys: Iterable[RawKey]
) -> dict[str, list[dict[str, Any]]]:
    """Return the rows that are a person's own, by table with its schema; arguments as of `counts`.

    Rows of others that name the person are theirs, and what only says who is who is told by the identifiers.
    """
    found: dict[str, list[dict[str, Any]]] = {}
    (hashes,) = connection.execute(
        "select list(hash(key)) from (select unnest($keys) as key)", {"keys": list(person.identifier_keys)}
    ).fetchall()[0]
    for table, any_name in _conditions(connection, contract, person, raw_keys):
        columns = [name for name, *_ in connection.execute(f"describe {table}").fetchall()]
        if "customer_id" in columns:
            condition = "customer_id in (from temp.held)"
        elif "identity_hash" in columns:
            # of the leading identifier; tables without one, such as links, are found by any
            condition = f"coalesce(list_contains($hashes, identity_hash), {any_name})"
        elif _short(table).startswith("staging."):
            condition = any_name
        else:
            continue
        answer = connection.execute(
            f"select * from {table} where {condition} order by all",  # noqa: S608 - names of our own models
            {"hashes": hashes} if "$hashes" in condition else {},
        )
        names = [column[0] for column in answer.description]
        held = [dict(zip(names, row, strict=True)) for row in answer.fetchall()]
        if held:
            found[_short(table)] = held
    return found


def _short(table: str) -> str:
    """Schema and name of a table, without its database: schemas are not in both."""
    return table.split(".", 1)[1].replace('"', "")


def _conditions(
    connection: duckdb.DuckDBPyConnection, contract: RawContract, person: Person, raw_keys: Iterable[RawKey]
) -> Iterator[tuple[str, str]]:
    """Every table that may name the person, with the condition of the rows that do."""
    connection.execute("create or replace temp table held (value varchar)")
    connection.execute(
        "insert into held select unnest($values)", {"values": [*person.identifier_keys, *person.hashes]}
    )
    connection.execute(
        "create or replace temp table raw_keys"
        " (source_table varchar, source_file varchar, source_key varchar)"
    )
    listed = [list(column) for column in zip(*raw_keys, strict=True)] or [[], [], []]
    connection.execute("insert into raw_keys select unnest(?), unnest(?), unnest(?)", listed)
    keys = _identifier_keys(contract)
    columns: dict[tuple[str, str, str], list[str]] = {}
    for database, schema, table, column in connection.execute(
        f"""
        select database_name, schema_name, table_name, column_name
        from duckdb_columns()
        inner join duckdb_tables() using (database_name, schema_name, table_name)
        where database_name in ('staging', 'engagement') and data_type = 'VARCHAR'
            and schema_name not in ({", ".join(map(literal, _NOT_HELD))})
        order by all
        """  # noqa: S608 - names of this module
    ).fetchall():
        columns.setdefault((database, schema, table), []).append(column)
    for (database, schema, table), names in columns.items():
        values = [identifier(name) for name in names]
        if schema == "staging":
            values += [keys[name] for name in names if name in keys]
        condition = " or ".join(f"{value} in (from temp.held)" for value in values)
        if (schema, table) == _QUARANTINE:
            # a row of somebody else stays, without what stood in it
            is_listed = "(source_table, source_file, source_key) in (from temp.raw_keys)"
            condition += f" or ({is_listed} and raw_content is not null)"
        yield ".".join(map(identifier, (database, schema, table))), condition


def _identifier_keys(contract: RawContract) -> Mapping[str, str]:
    """Identifier columns of staging, with their keys as SQL; a name means the same in every table."""
    return {
        column.name: f"{column.typed_by} || ':' || {identifier(column.name)}"
        if column.typed_by
        else f"'{column.identifier_type}:' || {identifier(column.name)}"
        for table in contract.values()
        for column in table.columns
        if column.is_identifier
    }
