"""Closed snapshots that a night has changed: whose, in which columns, and because of what.

A month's figures have been reported once the month is closed. Late data, a correction or a merge changes them
afterwards, rightly; this records it, by holding what a night is about to publish against what readers still
have. The published file is the only witness that a killed night cannot have touched. What does NOT belong
here: who is restated and why (`models/intermediate/night`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import duckdb

from warehouse import files
from warehouse.night import Night, Warehouse
from warehouse.quoting import identifier, literal

# A model that was built anew names its customers up to this number; beyond, it counts them by snapshot date.
NAMED_AT_MOST = 1_000
# Says which run wrote a row, and not what the row says.
_NOT_COMPARED = frozenset({"run_id"})
_SNAPSHOT = ("customer_id", "snapshot_date")
_RESTATED = "staging.intermediate.int_night__restated_customers"


@dataclass(frozen=True)
class SnapshotModel:
    """A mart with rows per customer and snapshot date.

    Attributes:
        name: The model.
        key: Columns of its key: customer_id, snapshot_date, and what parts a snapshot (context, channel).
        anew: Why the night has built it anew, in words; None when it replaced the rows of restated customers.
    """

    name: str
    key: tuple[str, ...]
    anew: str | None = None

    @property
    def parts(self) -> tuple[str, ...]:
        """What parts a customer's snapshot, if anything does."""
        return tuple(column for column in self.key if column not in _SNAPSHOT)


def record(warehouse: Warehouse, night: Night, models: Sequence[SnapshotModel]) -> Mapping[str, int]:
    """Write down which closed snapshots differ from what is published; return the customers by model.

    Call it when the marts are built and nothing is published yet. Doing it again changes nothing. A first
    night has nothing to compare with; columns that are new are no change.

    Args:
        warehouse: The warehouse; nobody else writes to it.
        night: The night.
        models: The models that hold snapshots.

    Raises:
        UnreadablePublicationError: There is a published file and it cannot be read.
    """
    if not warehouse.published.is_file():
        return {}
    try:
        return _record(warehouse, night, models)
    except duckdb.Error as error:
        if _is_readable(warehouse.published):
            raise
        # a block that is damaged shows when it is read, not when the file is opened
        raise UnreadablePublicationError(f"{warehouse.published} cannot be read: {error}") from error


def _record(warehouse: Warehouse, night: Night, models: Sequence[SnapshotModel]) -> Mapping[str, int]:
    """Compare and write down, in one transaction."""
    changed: dict[str, int] = {}
    with _opened(warehouse) as connection:
        connection.begin()
        connection.execute("delete from audit.snapshot_changes where run_id = ?", [night.run_id])
        _find_causes(connection)
        is_restated = connection.execute("select 1 from restated limit 1").fetchone() is not None
        open_month = min(_published_as_of(connection), night.as_of).replace(day=1)
        known = _published_columns(connection)
        for model in models:
            columns = known.get(model.name, ())
            # a mart that is new, or has another grain now, has no row of before
            if set(model.key) <= set(columns) and (is_restated or model.anew is not None):
                customers = _compare(connection, night, model, columns, open_month)
                if customers:
                    changed[model.name] = customers
        connection.commit()
    return changed


class UnreadablePublicationError(RuntimeError):
    """The published file is damaged or none of ours: there is nothing to compare with."""


@contextmanager
def _opened(warehouse: Warehouse) -> Iterator[duckdb.DuckDBPyConnection]:
    """Open the build file, with the staging file and the published one beside it to read."""
    witness = warehouse.build / "published.duckdb"
    with duckdb.connect(str(warehouse.marts_file)) as connection:
        connection.execute(f"attach {literal(warehouse.staging_file)} as staging (read_only)")
        try:
            _attach_published(connection, warehouse.published, witness)
            yield connection
        finally:
            witness.unlink(missing_ok=True)


def _attach_published(connection: duckdb.DuckDBPyConnection, published: Path, witness: Path) -> None:
    """Attach the published file, or a copy if it cannot be opened beside somebody else.

    Who has it open for writing keeps others out, but must not keep a night from its end.
    """
    try:
        connection.execute(f"attach {literal(published)} as published (read_only)")
    except duckdb.IOException:
        files.copy(published, witness)
        try:
            connection.execute(f"attach {literal(witness)} as published (read_only)")
        except duckdb.Error as error:
            raise UnreadablePublicationError(f"{published} cannot be read: {error}") from error


def _is_readable(file: Path) -> bool:
    """Whether all that a file holds can be read; it is asked once something could not."""
    try:
        with duckdb.connect(str(file), read_only=True) as connection:
            tables = connection.execute("select schema_name, table_name from duckdb_tables()").fetchall()
            for schema, table in tables:
                name = f"{identifier(schema)}.{identifier(table)}"
                query = f"select bit_xor(hash(held)) from {name} as held"  # noqa: S608 - quoted
                connection.execute(query).fetchall()
    except duckdb.Error:
        return False
    return True


def _published_columns(connection: duckdb.DuckDBPyConnection) -> dict[str, list[str]]:
    """Columns of every mart that readers have and the night has, too."""
    columns: dict[str, list[str]] = {}
    for table, column in connection.execute(
        """
        select table_name, column_name from duckdb_columns()
        where database_name = current_database() and schema_name = 'marts'
            and (table_name, column_name) in (
                select (table_name, column_name) from duckdb_columns()
                where database_name = 'published' and schema_name = 'marts'
            )
        order by table_name, column_index
        """
    ).fetchall():
        columns.setdefault(table, []).append(column)
    return columns


def _published_as_of(connection: duckdb.DuckDBPyConnection) -> date:
    """Snapshot date of what readers have: months before its own were closed."""
    # by time, which runs of every version have
    row = connection.execute(
        "select as_of from published.audit.runs where outcome = 'succeeded' order by started_at desc limit 1"
    ).fetchone()
    return row[0] if row else date.min


def _find_causes(connection: duckdb.DuckDBPyConnection) -> None:
    """Whom the night has restated, and because of rows of which raw tables."""
    connection.execute(
        f"""
        create or replace temp table restated as
        select customer_id, string_agg(distinct cause, ', ' order by cause) as causes
        from (select customer_id, source_table || ': ' || reason as cause from {_RESTATED})
        group by customer_id
        """  # noqa: S608 - names of this module
    )


def _compare(
    connection: duckdb.DuckDBPyConnection,
    night: Night,
    model: SnapshotModel,
    columns: Sequence[str],
    open_month: date,
) -> int:
    """Append the closed snapshots of one model that differ; return of how many customers."""
    values = [column for column in columns if column not in {*model.key, *_NOT_COMPARED}]
    _find_differences(connection, model, values, open_month)
    row = connection.execute("select count(distinct customer_id) from differences").fetchone()
    customers = int(row[0]) if row else 0
    is_named = model.anew is None or customers <= NAMED_AT_MOST
    who = "customer_id" if is_named else "cast(null as varchar)"
    part = "part" if is_named else "cast(null as varchar)"
    connection.execute(
        f"""
        insert into audit.snapshot_changes
        with
            counted as (
                select {who} as customer_id, {part} as part, snapshot_date, change, changed_columns,
                    count(distinct differences.customer_id) as customers
                from differences
                group by all
            ),
            -- months that follow on one another and say the same are one row
            runs_of_months as (
                select *,
                    year(snapshot_date) * 12 + month(snapshot_date) - row_number() over (
                        partition by customer_id, part, change, changed_columns, customers
                        order by snapshot_date
                    ) as run_of_months
                from counted
            ),
            final as (
                select customer_id, part, min(snapshot_date) as first_snapshot_date,
                    max(snapshot_date) as last_snapshot_date, change, changed_columns, customers
                from runs_of_months
                group by customer_id, part, change, changed_columns, customers, run_of_months
            )
        select $run, $model, final.customer_id, final.part, first_snapshot_date, last_snapshot_date, change,
            changed_columns, customers, coalesce($anew, restated.causes)
        from final
        left join restated on final.customer_id = restated.customer_id
        order by all
        """,  # noqa: S608 - names of this module
        {"run": night.run_id, "model": model.name, "anew": model.anew},
    )
    return customers


def _find_differences(
    connection: duckdb.DuckDBPyConnection, model: SnapshotModel, values: Sequence[str], open_month: date
) -> None:
    """Make the table `differences`: one row per closed row of a model that came, went or changed."""
    scope = "snapshot_date < $open_month"
    if model.anew is None:
        scope += " and customer_id in (select customer_id from restated)"
    else:
        # a checksum by month spares a full refresh that changes nothing the join of all rows
        digest = f"select snapshot_date, count(*), bit_xor(hash({', '.join((*model.key, *values))}))"
        was, now = (
            f"({digest} from {schema}.{model.name} where snapshot_date < $open_month group by snapshot_date)"
            for schema in ("published.marts", "marts")
        )
        differing = f"({was} except {now}) union ({now} except {was})"
        scope += f" and snapshot_date in (select snapshot_date from ({differing}))"  # noqa: S608 - as above
    parts = [f"coalesce(was.{column}, now.{column})" for column in model.parts]
    part = f"concat_ws(', ', {', '.join(parts)})" if parts else "cast(null as varchar)"
    same_key = " and ".join(f"was.{column} = now.{column}" for column in model.key)
    differs = [f"was.{column} is distinct from now.{column}" for column in values]
    changed = ", ".join(
        f"case when {is_other} then '{column}' end" for column, is_other in zip(values, differs, strict=True)
    )
    connection.execute(
        f"""
        create or replace temp table differences as
        with
            was as (select * from published.marts.{model.name} where {scope}),
            now as (select * from {_written(connection, model)}.{model.name} where {scope})
        select
            coalesce(was.customer_id, now.customer_id) as customer_id,
            coalesce(was.snapshot_date, now.snapshot_date) as snapshot_date,
            {part} as part,
            case
                when was.customer_id is null then 'added'
                when now.customer_id is null then 'removed'
                else 'changed'
            end as change,
            case when was.customer_id is not null and now.customer_id is not null
                then concat_ws(', ', {changed})
            end as changed_columns
        from was
        full join now on {same_key}
        where was.customer_id is null or now.customer_id is null or {" or ".join(differs)}
        """,  # noqa: S608 - names of our own models
        {"open_month": open_month},
    )


def _written(connection: duckdb.DuckDBPyConnection, model: SnapshotModel) -> str:
    """Schema with what the night has written of the closed snapshots of a model.

    Rows of restated customers stand by themselves, which spares a look at all rows, until a publication has
    begun: one that is tried again finds them gone.
    """
    is_apart = connection.execute(
        "select 1 from duckdb_tables() where database_name = current_database()"
        " and schema_name = 'tonight' and table_name = ?",
        [model.name],
    ).fetchone()
    return "tonight" if is_apart and model.anew is None else "marts"
