"""What a night may build on: the build files as the last succeeded night left them, or nothing.

A night that cannot vouch for what it finds builds everything and says why. What does NOT belong here: what
follows from it in SQL (`macros/night.sql`).
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import duckdb

from warehouse import files
from warehouse.night import Basis, Warehouse

_DAMAGED = re.compile(r"not a valid DuckDB database file|Corrupt database file|Failed to deserialize")
SCHEMA_VERSION = 1
"""Counted up when tables of an older version can no longer be carried on; such a warehouse is built anew."""


def basis(
    warehouse: Warehouse,
    *,
    as_of: date,
    business_time_zone: str,
    settings_fingerprint: str,
    is_full_refresh: bool,
    restate_from: date | None = None,
) -> Basis:
    """Decide what a night builds on. Call it with the writer's lock held: damaged files are removed.

    Args:
        warehouse: The warehouse.
        as_of: Snapshot date of the night.
        business_time_zone: IANA name.
        settings_fingerprint: Hash of the settings that every row depends on.
        is_full_refresh: Whether it was asked to build everything.
        restate_from: First day that is to be built again; None for no day but the unknown ones.

    Raises:
        WarehouseVersionError: The build files were written by another version of the project.
    """
    if warehouse.published.is_file() and not warehouse.marts_file.exists():
        return Basis(1 + _start_anew(warehouse), reason="the build files are gone")
    try:
        last, number = _last_succeeded(warehouse)
        staged = _staging_number(warehouse)
    except duckdb.Error as error:
        # a file that somebody else has open is not damaged
        if not _DAMAGED.search(str(error)):
            raise
        return Basis(1 + _start_anew(warehouse), reason="the build files were damaged")
    number = 1 + max(number, staged or 0)
    if is_full_refresh:
        return Basis(number, reason="full refresh, as asked")
    if last is None:
        return Basis(number, reason="no earlier night to build on")
    last_number, last_as_of, fingerprint, version = last
    if version != SCHEMA_VERSION:
        raise WarehouseVersionError(
            f"The build files in {warehouse.build} have version {'unknown' if version is None else version}, "
            f"this code writes version {SCHEMA_VERSION}: run the night once with --full-refresh."
        )
    if staged is None or not last_number <= staged < number:
        return Basis(number, reason="the build files do not belong together")
    if fingerprint != settings_fingerprint:
        return Basis(number, reason="time zones, currency or key have changed")
    if as_of < last_as_of:
        return Basis(number, reason=f"the last night knew more: its day was {last_as_of}")
    if restate_from is not None and restate_from <= last_as_of:
        return Basis(number, reason=f"everything since {restate_from} is built again")
    midnight = datetime.combine(last_as_of + timedelta(days=1), time(), ZoneInfo(business_time_zone))
    return Basis(
        number=number,
        last_number=last_number,
        last_as_of=last_as_of,
        known_until=midnight.astimezone(UTC).replace(tzinfo=None),
        reason=f"on the night of {last_as_of}",
    )


def _start_anew(warehouse: Warehouse) -> int:
    """Remove the build files, but take the audit from the published file; return the last night's number."""
    for file in (warehouse.marts_file, warehouse.staging_file):
        file.unlink(missing_ok=True)
        file.with_name(f"{file.name}.wal").unlink(missing_ok=True)
    if warehouse.published.is_file():
        files.copy(warehouse.published, warehouse.marts_file)
    try:
        return _last_succeeded(warehouse)[1]
    except duckdb.Error:
        # the damage has reached readers as well
        warehouse.marts_file.unlink()
        return 0


class WarehouseVersionError(RuntimeError):
    """The build files belong to another version of the project; the message says what to do."""


def _last_succeeded(warehouse: Warehouse) -> tuple[tuple[int, date, str, int | None] | None, int]:
    """The last succeeded night (number, as_of, settings, version), and the greatest number of any night."""
    if not warehouse.marts_file.is_file():
        return None, 0
    with duckdb.connect(str(warehouse.marts_file), read_only=True) as connection:
        columns = {
            name
            for (name,) in connection.execute(
                "select column_name from duckdb_columns() where schema_name = 'audit' and table_name = 'runs'"
            ).fetchall()
        }
        if not columns:
            return None, 0
        if "night_number" not in columns:
            # written before nights could build on one another
            (runs,) = connection.execute(
                "select count(*) from audit.runs where outcome = 'succeeded'"
            ).fetchone() or (0,)
            return ((0, date.min, "", None) if runs else None), 0
        last = connection.execute(
            "select night_number, as_of, settings_fingerprint, schema_version from audit.runs"
            " where outcome = 'succeeded' order by night_number desc nulls last limit 1"
        ).fetchone()
        (greatest,) = connection.execute(
            "select coalesce(max(night_number), 0) from audit.runs"
        ).fetchone() or (0,)
    if last is None:
        return None, greatest
    return (last[0] or 0, last[1], last[2] or "", last[3]), greatest


def _staging_number(warehouse: Warehouse) -> int | None:
    """Number of the night that opened the staging file last."""
    if not warehouse.staging_file.is_file():
        return None
    with duckdb.connect(str(warehouse.staging_file), read_only=True) as connection:
        if not connection.execute(
            "select 1 from duckdb_tables() where schema_name = 'raw' and table_name = 'night'"
        ).fetchone():
            return None
        row = connection.execute("select night_number from raw.night").fetchone()
    return row[0] if row else None
