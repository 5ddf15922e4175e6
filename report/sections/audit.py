"""Run and versions: what an auditor needs to find this page's numbers again.

What does NOT belong here: how the night went (`quality`).
"""

from __future__ import annotations

import duckdb

from report import words
from report.content import Section, Table
from report.sections import ask

_RUN = """
    select
        run_id, as_of, business_time_zone, reporting_currency, started_at, published_at, is_full_refresh,
        basis, code_version, seeds_hash, settings_fingerprint, schema_version, dbt_version, duckdb_version,
        dagster_version, great_expectations_version
    from audit.runs where run_id = $run order by published_at desc limit 1
"""
_SEEDS = """
    select
        max(weights_version), max(bands_version), max(tiers_version), max(stages_version),
        max(journey_version), max(taxonomy_version)
    from marts.customer_engagement
"""


def section(connection: duckdb.DuckDBPyConnection) -> Section:
    """Return the identity of the published run."""
    run = ask.row(connection, _RUN, {"run": ask.published(connection).run_id})
    seeds = ask.row(connection, _SEEDS)
    named = ("weights", "tenure bands", "tiers", "stages", "journey", "taxonomy")
    versions = ", ".join(f"{name} {version}" for name, version in zip(named, seeds, strict=True) if version)
    rows = [
        ("Run", run[0]),
        ("Last business day known", f"{run[1]} ({run[2]})"),
        ("Reporting currency", run[3]),
        ("Started (UTC)", words.moment(run[4])),
        ("Published (UTC)", words.moment(run[5])),
        ("Built", "everything anew" if run[6] else str(run[7] or words.NOTHING)),
        ("Code", str(run[8])),
        ("Seeds", f"{run[9]}" + (f" ({versions})" if versions else "")),
        ("Settings", str(run[10])),
        ("Schema", str(run[11])),
        ("Tools", f"dbt {run[12]}, DuckDB {run[13]}, Dagster {run[14]}, Great Expectations {run[15]}"),
    ]
    return Section(
        lede="With the run, the code and the seeds every number here can be found again; schema audit of the"
        " published file has the rest.",
        tables=(Table("The published run", ("What", "Value"), rows, text_columns=frozenset({0, 1})),),
    )
