"""Measures pandas and lifetimes on the per-customer measures, and compares what they say with the marts.

They compute one snapshot of every customer; the models beside them compute all snapshots of all five facts.
"""
# ruff: noqa: S608 - names are those of tables and columns.

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import duckdb

from benchmarks.comparison import TOLERANCE
from benchmarks.processes import measure
from benchmarks.runs import BuiltModel, covered_seconds
from warehouse.night import Warehouse

MODELS = "models"
TITLES: Mapping[str, str] = {
    MODELS: "Models of the five facts, every snapshot date",
    "pandas": "pandas: span, gaps, entropy, proactive share at T",
    "lifetimes": "lifetimes: frequency, recency, T at T",
}
# Fact to the columns that a library may compute.
_COLUMNS: Mapping[str, Sequence[str]] = {
    "fct_engagement_longevity": (
        "span_days",
        "tenure_days",
        "recency_days",
        "active_days",
        "longest_gap_days",
    ),
    "fct_engagement_frequency": ("mean_gap_days", "sd_gap_days", "type_entropy"),
    "fct_engagement_proactiveness": ("proactive_share",),
}


@dataclass(frozen=True)
class Computed:
    """How one way to compute the measures went.

    Attributes:
        key: Key of `TITLES`.
        seconds: Wall time: of the process, imports and reading included, or of the models.
        peak_bytes: Largest resident set; None for models, which are part of a night.
        snapshot_rows: Rows of customers and snapshot dates that were computed.
        unequal: Column to the number of customers for whom the mart says something else.
    """

    key: str
    seconds: float
    peak_bytes: int | None
    snapshot_rows: int
    unequal: Mapping[str, int]


def compute(warehouse: Warehouse, as_of: date, folder: Path) -> list[Computed]:
    """Compute the measures by every library, from the interactions that a night has published.

    Args:
        warehouse: A warehouse whose last night built everything.
        as_of: Its snapshot date.
        folder: Where the libraries' results are kept.
    """
    folder.mkdir(parents=True, exist_ok=True)
    found = [_models(warehouse.published)]
    for way in (key for key in TITLES if key != MODELS):
        out = folder / f"{way}.parquet"
        command: list[str | Path] = [sys.executable, "-m", "benchmarks.dataframes", "--way", way]
        command += ["--published", warehouse.published, "--as-of", as_of.isoformat(), "--out", out]
        measured = measure(command, {}, folder / way)
        rows, unequal = compared(warehouse.published, out)
        found.append(Computed(way, measured.seconds, measured.peak_bytes, rows, unequal))
    return found


def _models(published: Path) -> Computed:
    """What the models took that make snapshots of interactions."""
    with duckdb.connect(str(published), read_only=True) as connection:
        built = connection.execute(
            """
            select layer, model_name, started_at, seconds
            from audit.model_runs
            where
                run_id = (select run_id from audit.runs order by started_at desc limit 1)
                and (
                    model_name like 'int_snapshots\\_\\_%' escape '\\'
                    or model_name like 'fct_engagement\\_%' escape '\\'
                    or model_name = 'int_interactions__active_days'
                )
            """
        ).fetchall()
        counted = connection.execute("select count(*) from marts.fct_engagement_longevity").fetchall()
    models = [BuiltModel(*model) for model in built]
    seconds = covered_seconds((model.started_at, model.seconds) for model in models)
    return Computed(MODELS, seconds, None, counted[0][0], {})


def compared(published: Path, computed: Path) -> tuple[int, dict[str, int]]:
    """Compare what a library computed with the current snapshots of the marts.

    The marts leave out customers who have been inactive for long; a library has everybody.

    Args:
        published: Published file of a warehouse.
        computed: Parquet file with a row per customer, columns named as in the marts.

    Returns:
        Rows that were computed; and by column the customers for whom the mart says something else.
    """
    with duckdb.connect(str(published), read_only=True) as connection:
        connection.execute(f"create temp view computed as select * from read_parquet('{_escaped(computed)}')")
        there = {name for name, *_ in connection.execute("describe computed").fetchall()}
        rows = connection.execute("select count(*) from computed").fetchall()[0][0]
        unequal = {}
        for fact, columns in _COLUMNS.items():
            for column in [name for name in columns if name in there]:
                number = connection.execute(
                    f"""
                    select count(*)
                    from marts.{fact} as fact
                    left join computed on fact.customer_id = cast(computed.customer_id as varchar)
                    where
                        fact.is_current
                        and coalesce(
                            abs(fact.{column} - computed.{column})
                            > {TOLERANCE} * greatest(1, abs(fact.{column})),
                            (fact.{column} is null) <> (computed.{column} is null)
                        )
                    """
                ).fetchall()[0][0]
                if number:
                    unequal[column] = number
    return rows, unequal


def _escaped(path: Path) -> str:
    return str(path).replace("'", "''")
