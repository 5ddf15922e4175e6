"""MetricFlow's numbers are those of SQL written by hand, on a synthetic year of every channel.

The SQL that MetricFlow makes runs on the published file, opened read-only, metric by metric and cut by cut
(`metrics_reference.py`). What does NOT belong here: whether the marts are right.
"""

import csv
import json
import math
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import pytest
from metrics_reference import BLOCKS, WHERE, WHOLE, Block
from nights import open_published

from orchestration import dbt

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

TOLERANCE = 1e-12


@pytest.fixture(scope="module")
def published(year_warehouse: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    with open_published(year_warehouse) as connection:
        yield connection


@pytest.fixture(scope="module")
def engine() -> Any:
    from metricflow.engine.metricflow_engine import MetricFlowEngine
    from metricflow.protocols.sql_client import SqlEngine
    from metricflow.sql.render.duckdb_renderer import DuckDbSqlPlanRenderer
    from metricflow_semantics.model.dbt_manifest_parser import parse_manifest_from_dbt_generated_manifest
    from metricflow_semantics.model.semantic_manifest_lookup import SemanticManifestLookup

    class Dialect:
        """All of a client that an explanation needs."""

        sql_engine_type = SqlEngine.DUCKDB
        sql_plan_renderer = DuckDbSqlPlanRenderer()

    manifest = parse_manifest_from_dbt_generated_manifest(dbt.semantic_manifest())
    return MetricFlowEngine(SemanticManifestLookup(manifest), Dialect())


def by_metricflow(engine: Any, published: duckdb.DuckDBPyConnection, block: Block, cut: str) -> list[tuple]:
    from metricflow.engine.metricflow_engine import MetricFlowQueryRequest

    metrics = sorted(block.metrics)
    filters = sorted({WHERE[metric] for metric in metrics if metric in WHERE})
    request = MetricFlowQueryRequest.create(
        metric_names=metrics,
        group_by_names=[cut] if cut != WHOLE else None,
        where_constraints=filters or None,
    )
    columns = ", ".join([cut if cut != WHOLE else "1", *metrics])
    sql = engine.explain(request).sql_statement.sql
    return published.execute(f"select {columns} from ({sql})").fetchall()


def as_text(key: object) -> str:
    return str(key)[:10] if str(key).endswith("00:00:00") else str(key)


@pytest.mark.parametrize(
    ("block", "cut"),
    [
        pytest.param(block, cut, id=f"{number}-{min(block.metrics)}-{cut or 'whole'}")
        for number, block in enumerate(BLOCKS)
        for cut in block.cuts
    ],
)
def test_metricflow_says_what_sql_says(
    engine: Any, published: duckdb.DuckDBPyConnection, block: Block, cut: str
):
    expected = {as_text(key): values for key, *values in published.execute(block.query(cut)).fetchall()}
    told = by_metricflow(engine, published, block, cut)
    found = {as_text(key): values for key, *values in told}
    assert len(found) == len(told)
    # a row of nulls says no more than no row
    assert {key for key, values in found.items() if any(value is not None for value in values)} <= set(
        expected
    )
    for key, values in expected.items():
        for metric, wanted, value in zip(
            sorted(block.metrics), values, found.get(key, [None] * len(values)), strict=True
        ):
            assert (wanted is None) == (value is None), (metric, key, wanted, value)
            if wanted is not None:
                close = math.isclose(float(wanted), float(value), rel_tol=TOLERANCE, abs_tol=TOLERANCE)
                assert close, (metric, key, wanted, value)


def test_every_metric_is_held_against_sql():
    manifest = json.loads(dbt.semantic_manifest())
    held = {metric for block in BLOCKS for metric in block.metrics}
    assert {metric["name"] for metric in manifest["metrics"]} == held


def test_every_semantic_model_is_cut():
    manifest = json.loads(dbt.semantic_manifest())
    cut = {metric for block in BLOCKS for metric in block.metrics if set(block.cuts) - {WHOLE}}
    of_measure = {
        measure["name"]: metric["name"]
        for metric in manifest["metrics"]
        if metric["type"] == "simple"
        for measure in metric["type_params"]["input_measures"]
    }
    for model in manifest["semantic_models"]:
        asked = {of_measure[measure["name"]] for measure in model["measures"]}
        assert not asked or asked & cut, model["name"]


def ask(warehouse: Path, *question: str) -> subprocess.CompletedProcess[str]:
    engagement = Path(sys.executable).with_name("engagement")
    return subprocess.run(
        [engagement, "metrics", "--warehouse", warehouse, *question],
        cwd=warehouse,
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_command_reads_the_published_file(
    year_warehouse: Path, published: duckdb.DuckDBPyConnection, tmp_path: Path
):
    # its mode allows no writing, and readers hold it open
    file = tmp_path / "scores.csv"
    asked = ("query", "--metrics", "customers,score", "--group-by", "customer__tier", "--csv", str(file))
    answer = ask(year_warehouse, *asked)
    assert answer.returncode == 0, answer.stdout + answer.stderr
    with file.open(encoding="utf-8", newline="") as lines:
        told = {
            row["customer__tier"]: (int(row["customers"]), float(row["score"]))
            for row in csv.DictReader(lines)
        }
    rows = published.execute("select tier, count(*), avg(score) from marts.customer_engagement group by tier")
    assert told == {tier: (customers, pytest.approx(score)) for tier, customers, score in rows.fetchall()}


def test_a_metric_that_does_not_exist_is_wrong_usage(year_warehouse: Path):
    answer = ask(year_warehouse, "query", "--metrics", "scores")
    assert answer.returncode == 2
    assert "does not exactly match any known metrics" in answer.stdout
    assert "Traceback" not in answer.stdout + answer.stderr


def test_without_a_publication_there_is_nothing_to_ask(tmp_path: Path):
    answer = ask(tmp_path, "list", "metrics")
    assert answer.returncode == 1
    assert answer.stderr.startswith("engagement: Nothing is published yet")
