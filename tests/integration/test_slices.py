"""A table that is built in slices of customers is the one that a single statement builds.

What does NOT belong here: how much memory that spares (`benchmarks`).
"""

from __future__ import annotations

import re
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

import bare_nights
import duckdb
import pytest
from bare_nights import BareWarehouse
from light_dbt import light_manifest
from nights import SAMPLE_END

if TYPE_CHECKING:
    from dbt.contracts.graph.manifest import Manifest

pytestmark = pytest.mark.slow

MODELS = ("fct_interactions", "fct_engagement_days", "fct_visits")


def _with_small_slices(*, has_tests: bool = False) -> Manifest:
    manifest = light_manifest(has_tests=has_tests)
    for node in manifest.nodes.values():
        if slices := node.config.meta.get("slices"):
            assert node.name in MODELS
            slices["rows_each"] = 1_000
    return manifest


def test_slices_make_the_rows_of_the_whole(
    year_warehouse: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bare_nights, "light_manifest", _with_small_slices)
    sliced = BareWarehouse(tmp_path, raw=year_warehouse.parent / "raw")
    sliced.night(date.fromisoformat(SAMPLE_END), select=[f"+{model}" for model in MODELS])

    with duckdb.connect() as connection:
        connection.execute(f"attach '{year_warehouse / 'engagement.duckdb'}' as whole (read_only)")
        connection.execute(f"attach '{sliced.place.marts_file}' as sliced (read_only)")
        for model in MODELS:
            (run,) = (sliced.place.dbt_target / "run").rglob(f"{model}.sql")
            chosen = re.search(r"set variable slices = (\d+)", run.read_text(encoding="utf-8"))
            assert chosen and int(chosen[1]) > 5
            whole, made = (f"select * from {side}.marts.{model}" for side in ("whole", "sliced"))
            assert connection.execute(f"from ({whole} except all {made})").fetchall() == []
            assert connection.execute(f"from ({made} except all {whole})").fetchall() == []
            assert connection.execute(f"select count(*) > 2000 from ({made})").fetchall() == [(True,)]
