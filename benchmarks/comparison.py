"""Compares the marts of two DuckDB files row for row."""
# ruff: noqa: S608 - names are those of tables and columns.

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import duckdb

# Every mart that both the project and the hand-written SQL build, with its key.
KEYS: Mapping[str, Sequence[str]] = {
    "dim_customers": ("customer_id",),
    "dim_dates": ("date_on",),
    "dim_channels": ("channel",),
    "dim_interaction_types": ("source_table", "event_name"),
    "dim_campaigns": ("campaign_id",),
    "dim_promotions": ("promotion_id",),
    "fct_customer_journey": ("customer_id", "journey_stage"),
    "customer_engagement": ("customer_id",),
    "fct_channel_days": ("channel", "day"),
    "fct_survey_scores": (
        "survey_id",
        "metric",
        "scale",
        "window_unit",
        "window_start_on",
        "channel",
        "tier",
    ),
    "fct_interactions": ("interaction_id",),
    "fct_touches": ("touch_id",),
    "fct_visits": ("visit_id",),
    "fct_purchase_evidence": ("interaction_id",),
    "fct_engagement_days": (
        "customer_id",
        "active_on",
        "channel",
        "interaction_type",
        "context",
        "prompt_status",
        "prompt_rule",
    ),
    "fct_engagement_longevity": ("customer_id", "snapshot_date"),
    "fct_engagement_proactiveness": ("customer_id", "snapshot_date"),
    "fct_engagement_frequency": ("customer_id", "snapshot_date"),
    "fct_engagement_context": ("customer_id", "snapshot_date", "context"),
    "fct_engagement_volume": ("customer_id", "snapshot_date", "channel"),
    "fct_customer_months": ("customer_id", "snapshot_date"),
    "fct_cohort_retention": ("cohort_month", "snapshot_date"),
    "fct_customer_survival": ("population", "acquisition_channel", "days_since_first"),
    "fct_customer_outcomes": ("customer_id", "snapshot_date"),
    "fct_engagement_outcomes": ("snapshot_date", "feature", "outcome", "segmentation", "segment"),
}
# Checksums, by which a night tells what to count again: no measures, and nothing but nights needs them.
UNCOMPARED: Mapping[str, frozenset[str]] = {
    "fct_customer_outcomes": frozenset({"row_checksum"}),
    "fct_engagement_outcomes": frozenset({"inputs_checksum"}),
}
TOLERANCE = 1e-9
_NUMBERS = ("DOUBLE", "FLOAT", "DECIMAL", "BIGINT", "HUGEINT", "INTEGER", "SMALLINT", "TINYINT")


@dataclass(frozen=True)
class Difference:
    """One way in which a mart is not the same in both files.

    Attributes:
        table: The mart.
        what: Column that differs, or `columns`, `keys`.
        rows: Rows that are concerned.
        example: One of them, as text.
    """

    table: str
    what: str
    rows: int
    example: str


def differences(left: Path, right: Path) -> list[Difference]:
    """Compare every mart of `KEYS`; numbers may differ by `TOLERANCE` of their size (of 1 below that).

    Args:
        left: A DuckDB file with schema `marts`.
        right: Another one.

    Returns:
        What differs; nothing when both say the same.
    """
    found: list[Difference] = []
    with duckdb.connect() as connection:
        for name, file in (("l", left), ("r", right)):
            path = str(file).replace("'", "''")
            connection.execute(f"attach '{path}' as {name} (read_only)")
        for table, key in KEYS.items():
            found += _table_differences(connection, table, key)
    return found


def row_counts(file: Path) -> dict[str, int]:
    """Return the rows of every mart of `KEYS`."""
    with duckdb.connect(str(file), read_only=True) as connection:
        return {table: _number(connection, f"select count(*) from marts.{table}") for table in KEYS}


def _table_differences(
    connection: duckdb.DuckDBPyConnection, table: str, key: Sequence[str]
) -> list[Difference]:
    columns = _compared_columns(connection, "l", table)
    others = _compared_columns(connection, "r", table)
    if list(columns.items()) != list(others.items()):
        unlike = {*columns.items()} ^ {*others.items()}
        return [Difference(table, "columns", len(unlike), str(sorted(unlike)[:4]))]
    on = " and ".join(f"l.{column} is not distinct from r.{column}" for column in key)
    left, right = f"l.marts.{table} as l", f"r.marts.{table} as r"
    joined = f"from {left} inner join {right} on {on}"
    looked_at: dict[str, tuple[str, Sequence[str]]] = {
        "keys only in the left file": (f"from {left} anti join {right} on {on}", key),
        "keys only in the right file": (f"from {right} anti join {left} on {on}", key),
        "keys that stand twice": (f"from {left} group by {', '.join(key)} having count(*) > 1", key),
    }
    for column, type_ in columns.items():
        if column not in key:
            shown = [*(f"l.{part}" for part in key), f"l.{column}", f"r.{column}"]
            looked_at[column] = (f"{joined} where {_is_unequal(column, type_)}", shown)
    found = []
    for what, (query, names) in looked_at.items():
        rows = connection.execute(f"select {', '.join(names)} {query}").fetchall()
        if rows:
            found.append(Difference(table, what, len(rows), str(rows[0])))
    return found


def _is_unequal(column: str, type_: str) -> str:
    if type_.startswith(_NUMBERS):
        left, right = f"cast(l.{column} as double)", f"cast(r.{column} as double)"
        return (
            f"((l.{column} is null) <> (r.{column} is null) "
            f"or abs({left} - {right}) > {TOLERANCE} * greatest(1, abs({left})))"
        )
    return f"l.{column} is distinct from r.{column}"


def _compared_columns(connection: duckdb.DuckDBPyConnection, file: str, table: str) -> Mapping[str, str]:
    described = connection.execute(f"describe {file}.marts.{table}").fetchall()
    left_out = UNCOMPARED.get(table, frozenset())
    return {name: type_ for name, type_, *_ in described if name not in left_out}


def _number(connection: duckdb.DuckDBPyConnection, query: str) -> int:
    row = connection.execute(query).fetchone()
    assert row is not None  # noqa: S101 - an aggregate without groups has one row
    return int(row[0])
