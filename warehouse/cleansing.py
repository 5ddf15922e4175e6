"""What an erasing night does to its files before it is published: nothing of the erased person stays in them.

The rows are gone by then, in SQL. What is left are logs of what rows said before, texts of errors that may
quote a value, names in the audit, and bytes in freed blocks: a database file keeps those until it is written
anew. What does NOT belong here: who was erased (`warehouse.erasures`).
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import duckdb

from warehouse.erasures import CUSTOMER_ID
from warehouse.files import flush
from warehouse.night import Warehouse
from warehouse.quoting import identifier, literal

# Tables that say what rows said before tonight, and the one that names in clear whom that concerns; a
# published night needs none of them (macros/night.sql).
_LOGS = "\\_\\_changes$|^int\\_night\\_\\_reclustered\\_identifiers$"
# Tables that say whom tonight's arrivals concern: the erased, too.
_CONCERNED = "^int_night\\_\\_"
_SCRATCH_SCHEMA = "tonight"
_REWRITTEN = ".rewritten"
# Whether a published id is that of an erased person; see warehouse.erasures.tombstone.
_IS_ERASED = "list_contains($tombstones, sha256($key || 'erased:' || $kind || ':' || customer_id))"


def cleanse(warehouse: Warehouse, tombstones: Sequence[str], hash_key: str) -> None:
    """Rid the build files of what is left of erased persons. Doing it again changes nothing.

    Call it with the writer's lock held, when the night has passed its last gate and nothing is published yet.

    Args:
        warehouse: The warehouse; nobody has its build files open.
        tombstones: Tombstones of the erased persons.
        hash_key: The warehouse's private key.

    Raises:
        OSError: The disk is full or a folder cannot be written.
    """
    _empty_logs(warehouse.staging_file, tombstones, hash_key)
    _silence_audit(warehouse.marts_file, tombstones, hash_key)
    for file in (warehouse.staging_file, warehouse.marts_file):
        rewrite(file)
    warehouse.error_log.unlink(missing_ok=True)
    for spilled in warehouse.spill.glob("*"):
        spilled.unlink(missing_ok=True)


def rewrite(file: Path) -> None:
    """Write a database file anew, so that it holds no bytes of what was deleted."""
    fresh = file.with_name(file.name + _REWRITTEN)
    for leftover in (fresh, fresh.with_name(fresh.name + ".wal")):
        leftover.unlink(missing_ok=True)
    # without a log beside it: one would be replayed onto the new file
    with duckdb.connect(str(file)) as connection:
        connection.execute("force checkpoint")
    try:
        with duckdb.connect() as connection:
            connection.execute("set preserve_insertion_order = false")
            connection.execute(f"attach {literal(file)} as old (read_only)")
            # each in its own format: the one that readers open has an older one than staging
            ((format_,),) = connection.execute(
                "select rtrim(tags['storage_version'], '+') from duckdb_databases()"
                " where database_name = 'old'"
            ).fetchall()
            connection.execute(f"attach {literal(fresh)} as new (storage_version {literal(format_)})")
            connection.execute("copy from database old to new")
            connection.execute("force checkpoint new")
        fresh.chmod(file.stat().st_mode & 0o777)
        flush(fresh)
        fresh.replace(file)
    except BaseException:
        fresh.unlink(missing_ok=True)
        raise
    flush(file.parent)


def _empty_logs(file: Path, tombstones: Sequence[str], hash_key: str) -> None:
    """Forget what rows said before tonight, and that the erased were among those whom it concerned."""
    with duckdb.connect(str(file)) as connection:
        connection.begin()
        # with the database first: DuckDB calls `staging.x` ambiguous in a file staging.duckdb
        database = identifier(file.stem)
        for schema, table, is_log in connection.execute(
            """
            select distinct schema_name, table_name, regexp_matches(table_name, $logs)
            from duckdb_tables()
            inner join duckdb_columns() using (database_name, schema_name, table_name)
            where database_name = current_database() and (
                regexp_matches(table_name, $logs)
                or (regexp_matches(table_name, $concerned) and column_name = 'customer_id')
            )
            """,
            {"logs": _LOGS, "concerned": _CONCERNED},
        ).fetchall():
            statement = f"delete from {database}.{identifier(schema)}.{identifier(table)}"  # noqa: S608 - quoted
            if is_log:
                connection.execute(statement)
            else:
                connection.execute(f"{statement} where {_IS_ERASED}", _erased(tombstones, hash_key))
        connection.execute(f"drop schema if exists {database}.{_SCRATCH_SCHEMA} cascade")
        connection.execute(f"create schema {database}.{_SCRATCH_SCHEMA}")
        connection.commit()


def _silence_audit(file: Path, tombstones: Sequence[str], hash_key: str) -> None:
    """Take out of the audit who changed in closed snapshots, and what errors may have quoted."""
    with duckdb.connect(str(file)) as connection:
        connection.begin()
        connection.execute(
            f"update audit.snapshot_changes set customer_id = null where {_IS_ERASED}",  # noqa: S608 - ours
            _erased(tombstones, hash_key),
        )
        for table, column, condition in (
            ("runs", "failure", "failure is not null"),
            ("model_runs", "message", "status = 'error'"),
            ("check_results", "observed", "not is_success"),
            ("check_results", "exception", "exception is not null"),
        ):
            connection.execute(
                f"update audit.{table} set {column} = 'withheld: somebody was erased since'"  # noqa: S608 - ours
                f" where {condition}"
            )
        connection.commit()


def _erased(tombstones: Sequence[str], hash_key: str) -> dict[str, object]:
    """Return the parameters of `_IS_ERASED`."""
    return {"tombstones": list(tombstones), "key": hash_key, "kind": CUSTOMER_ID}
