"""Erasure and export of a person: what is held, what is to be done, and who asked for it.

A dry run and an export only read. The erasing itself is a night: it leaves out the person's rows, restates
whatever they reached, and publishes. What does NOT belong here: how rows are left out (`macros/erasure.sql`)
and how files are cleansed (`warehouse.cleansing`).
"""

from __future__ import annotations

import csv
import json
import os
import re
import secrets
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any

import duckdb

from orchestration import raw_rows
from orchestration.raw_rows import RawRow
from orchestration.settings import PROJECT_ROOT, Settings, SettingsError
from warehouse import erasures, lock, persons
from warehouse.contract import read_contract
from warehouse.erasures import Erasure
from warehouse.night import Warehouse, utc_now
from warehouse.persons import Person

_NOT_A_DIGIT = re.compile(r"^00|[^0-9]")
_FILE_MODE = 0o600


class NobodyError(ValueError):
    """An identifier that is not understood, or of which nothing is held."""


@dataclass(frozen=True)
class Held:
    """What is held of one person.

    Attributes:
        person: The person.
        raw: Rows of the raw zone.
        row_counts: Table, with its schema, to the number of rows.
        request_ids: Keys of the requests to erase the person, as the raw zone has them.
        requested_at: When the first of them was made, naive UTC.
    """

    person: Person
    raw: Sequence[RawRow]
    row_counts: Mapping[str, int]
    request_ids: tuple[str, ...]
    requested_at: datetime | None

    @property
    def kinds(self) -> Mapping[str, int]:
        """How many identifiers there are of every kind."""
        return Counter(key.partition(":")[0] for key in self.person.identifier_keys)

    def is_empty(self) -> bool:
        """Whether nothing is held."""
        return not (self.raw or self.row_counts)


def read_identifier(text: str) -> str:
    """Return the key of an identifier written KIND=VALUE, spelled as staging spells it.

    Raises:
        NobodyError: The kind is unknown, or there is no value.
    """
    kind, equals, value = text.partition("=")
    kind, value = kind.strip(), value.strip()
    kinds = _kinds()
    if not equals or kind not in kinds:
        raise NobodyError(f"An identifier is written KIND=VALUE, and KIND is one of {', '.join(kinds)}.")
    if kind in ("email", "handle"):
        value = value.lower()
    if kind == "handle":
        value = value.replace("/@", "/")
        if "/" not in value:
            raise NobodyError("A handle is known within its network: write handle=NETWORK/NAME.")
    if kind == "phone":
        value = _NOT_A_DIGIT.sub("", value)
    if not value:
        raise NobodyError(f"The identifier of kind {kind} has no value.")
    return f"{kind}:{value}"


def look_up(settings: Settings, groups: Sequence[Sequence[str]] | None) -> list[Held]:
    """Return what is held of some persons.

    Args:
        settings: The warehouse and its raw zone.
        groups: Identifier keys, one group per person; `None` for everybody who asked in the raw zone.

    Raises:
        NobodyError: Nothing is held of one of them, or nobody has asked.
        UnknownPersonError: Nothing is built yet.
        WarehouseBusyError: A night is writing.
        RawZoneError: The raw zone cannot be read.
    """
    place = Warehouse(settings.warehouse)
    hash_key = _hash_key(settings)
    contract = read_contract(PROJECT_ROOT)
    with _opened(place) as connection, raw_rows.opened(settings) as zone:
        requests = persons.requested(connection)
        found = _persons(connection, groups, [key for key, _, _ in requests], hash_key)
        if not found:
            raise NobodyError(
                "Nobody has asked to be erased whom the last night knows of." + _pending(place, hash_key)
            )
        held = []
        for person in found:
            raw = zone.that_name(person.identifier_keys)
            keys = [(row.table, row.file, row.key) for row in raw]
            asked = [request for request in requests if request[0] in person.identifier_keys]
            held.append(
                Held(
                    person=person,
                    raw=raw,
                    row_counts=persons.counts(connection, contract, person, keys),
                    request_ids=tuple(sorted({request_id for _, request_id, _ in asked})),
                    requested_at=min((moment for _, _, moment in asked), default=None),
                )
            )
    if any(one.is_empty() for one in held):
        raise NobodyError(
            "Nothing is held of anybody with that identifier; is it spelled as at its source?"
            + _pending(place, hash_key)
        )
    return held


def record(settings: Settings, held: Sequence[Held]) -> None:
    """Write the tombstones: from now on no night stages a row of these persons.

    Call it with the writer's lock held, and run a night afterwards.

    Raises:
        ErasureError: The register of erasures cannot be used.
    """
    hash_key = _hash_key(settings)
    file = Warehouse(settings.warehouse).erasures
    now = utc_now().replace(tzinfo=None)
    register = erasures.read(file, hash_key).with_erasures(
        Erasure(
            erasure_id=secrets.token_hex(8),
            request_ids=one.request_ids,
            requested_at=one.requested_at,
            recorded_at=now,
            identifiers=len(one.person.identifier_keys),
            tombstones=erasures.tombstones(hash_key, one.person.identifier_keys, one.person.hashes),
            # rows whose file is gone need no care: such a table is read again anyway
            raw_tables=tuple(sorted({row.table for row in one.raw})),
            row_counts=dict(one.row_counts),
        )
        for one in held
    )
    erasures.write(file, register, hash_key)


def still_held(settings: Settings, held: Sequence[Held]) -> dict[str, int]:
    """Return the rows that are left of persons in the build files: after an erasing night, none."""
    left: Counter[str] = Counter()
    contract = read_contract(PROJECT_ROOT)
    with _opened(Warehouse(settings.warehouse)) as connection:
        for one in held:
            keys = [(row.table, row.file, row.key) for row in one.raw]
            left.update(persons.counts(connection, contract, one.person, keys))
    return dict(left)


def last_day(settings: Settings) -> date:
    """Return the snapshot date of the last night that succeeded: an erasure changes nothing else.

    Raises:
        UnknownPersonError: No night has succeeded yet.
    """
    place = Warehouse(settings.warehouse)
    with _opened(place) as connection:
        row = connection.execute(
            "select as_of from engagement.audit.runs where outcome = 'succeeded'"
            " order by night_number desc limit 1"
        ).fetchone()
    if row is None:
        raise persons.UnknownPersonError(f"No night of {place.folder} has succeeded yet: run one first.")
    day: date = row[0]
    return day


def export(settings: Settings, identifier_keys: Sequence[str], out: Path) -> dict[str, int]:
    """Write everything that is held about a person as JSON, readable by its owner only; return rows by table.

    Raises:
        NobodyError: Nothing is held, or the file is there already.
    """
    if out.exists():
        raise NobodyError(f"{out} is there already; name a new file.")
    (held,) = look_up(settings, [identifier_keys])
    keys = [(row.table, row.file, row.key) for row in held.raw if row.is_own]
    with _opened(Warehouse(settings.warehouse)) as connection:
        tables = persons.rows(connection, read_contract(PROJECT_ROOT), held.person, keys)
    content: dict[str, Any] = {
        "exported_at": utc_now().isoformat(timespec="seconds"),
        "identifiers": [
            {"kind": key.partition(":")[0], "value": key.partition(":")[2]}
            for key in held.person.identifier_keys
        ],
        "customer_ids": held.person.customer_ids,
        "requests": held.request_ids,
        "raw_zone": [
            {"table": row.table, "file": row.file, "key": row.key, "row": json.loads(row.content)}
            for row in held.raw
            if row.is_own
        ],
        "named_in_rows_of_others": [
            {"table": row.table, "file": row.file, "key": row.key} for row in held.raw if not row.is_own
        ],
        "warehouse": tables,
    }
    descriptor = os.open(out, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _FILE_MODE)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        json.dump(content, file, indent=1, default=str, ensure_ascii=False)
        file.write("\n")
    return {"raw zone": len(held.raw)} | {table: len(rows) for table, rows in tables.items()}


def _persons(
    connection: duckdb.DuckDBPyConnection,
    groups: Sequence[Sequence[str]] | None,
    requested: Sequence[str],
    hash_key: str,
) -> list[Person]:
    """One person per group; those who asked may have asked by several identifiers."""
    if groups is not None:
        return [persons.find(connection, keys, hash_key) for keys in groups]
    found: list[Person] = []
    for key in requested:
        if not any(key in person.identifier_keys for person in found):
            found.append(persons.find(connection, [key], hash_key))
    return found


def _pending(place: Warehouse, hash_key: str) -> str:
    """Say that an erasure was begun and not published, if so: who is erased is not found any more."""
    begun = len(erasures.read(place.erasures, hash_key).pending)
    return f" {begun} erasures wait to be carried out by the next night: run it." if begun else ""


def _hash_key(settings: Settings) -> str:
    key = settings.known_hash_key()
    if key is None:
        raise persons.UnknownPersonError(f"Nothing is built in {settings.warehouse}: run a night first.")
    return key


def _opened(place: Warehouse) -> Any:
    """Open the build files, unless a night writes to them.

    Raises:
        WarehouseBusyError: It does.
    """
    holder = lock.running(place.lock)
    if holder is not None and holder.pid != os.getpid():
        raise lock.WarehouseBusyError(place.lock, holder, 0.0)
    return persons.opened(place)


def _kinds() -> list[str]:
    with (PROJECT_ROOT / "seeds" / "identifier_rules.csv").open(encoding="utf-8", newline="") as file:
        try:
            return [row["identifier_type"] for row in csv.DictReader(file)]
        except KeyError as error:
            raise SettingsError("Seed identifier_rules has no column identifier_type.") from error
