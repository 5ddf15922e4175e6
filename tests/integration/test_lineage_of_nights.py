"""What a night tells of its lineage: to readers, to Dagster, and to a catalogue, also when it fails."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from nights import open_published

pytestmark = pytest.mark.slow


def test_readers_find_the_lineage_of_every_column_they_see(sample_warehouse: Path):
    with open_published(sample_warehouse) as published:
        without = published.execute(
            """
            select table_name, column_name
            from duckdb_columns()
            anti join audit.column_lineage as told
                on duckdb_columns.table_name = told.mart and duckdb_columns.column_name = told.column_name
            where schema_name = 'marts'
            order by all
            """
        ).fetchall()
        # constants, declared so where the columns are described
        assert without == [
            ("customer_engagement", "journey_stage"),
            ("fct_customer_journey", "journey_stage"),
            ("fct_customer_survival", "population"),
            ("fct_customer_survival", "snapshot_date"),
            ("fct_engagement_outcomes", "feature"),
            ("fct_engagement_outcomes", "outcome"),
            ("fct_engagement_outcomes", "segmentation"),
            ("fct_interactions", "source_table"),
            ("fct_purchase_evidence", "counted_source_table"),
            ("fct_purchase_evidence", "match_rule"),
            ("fct_purchase_evidence", "source_table"),
            ("fct_survey_scores", "window_unit"),
            ("fct_touches", "source_table"),
        ]
        assert published.execute(
            "select count(distinct lineage_version), bool_and(source_schema in ('raw', 'seeds'))"
            " from audit.column_lineage"
        ).fetchone() == (1, True)


def test_a_catalogue_is_told_of_a_published_night(sample_warehouse: Path):
    lines = (sample_warehouse.parent / "openlineage.jsonl").read_text(encoding="utf-8").splitlines()
    start, end = (json.loads(line) for line in lines)
    assert (start["eventType"], end["eventType"]) == ("START", "COMPLETE")
    assert start["run"]["runId"] == end["run"]["runId"]
    with open_published(sample_warehouse) as published:
        assert published.execute("select run_id from audit.runs").fetchall() == [(end["run"]["runId"],)]
        marts = dict(
            published.execute(
                "select layer || '.' || model_name, row_count from audit.model_runs"
                " where layer in ('marts', 'audit')"
            ).fetchall()
        )
        loads = dict(
            published.execute(
                "select 'raw.' || table_name, row_count from audit.source_loads where file_count > 0"
            ).fetchall()
        )
    assert {one["name"]: one["inputFacets"]["inputStatistics"]["rowCount"] for one in end["inputs"]} == loads
    told = {one["name"]: one for one in end["outputs"]}
    rows = {name: one["outputFacets"]["outputStatistics"]["rowCount"] for name, one in told.items()}
    assert rows == marts
    facets = told["marts.fct_interactions"]["facets"]
    assert {"name": "interaction_id", "type": "VARCHAR"} in facets["schema"]["fields"]
    made_of = facets["columnLineage"]["fields"]["engaged_seconds"]["inputFields"]
    assert {(field["name"], field["field"]) for field in made_of} == {
        ("raw.web_events", "engaged_seconds"),
        ("raw.store_visits", "entered_at"),
        ("raw.store_visits", "left_at"),
    }


def test_a_catalogue_is_told_of_a_night_that_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    orders = tmp_path / "raw" / "orders"
    orders.mkdir(parents=True)
    (orders / "orders.csv").write_text("order_id\n1\n")
    events = tmp_path / "openlineage.jsonl"
    monkeypatch.setenv("ENGAGEMENT_OPENLINEAGE", str(events))
    engagement = Path(sys.executable).with_name("engagement")
    named = ("--raw", tmp_path / "raw", "--warehouse", tmp_path / "warehouse", "--as-of", "2026-01-31")
    night = subprocess.run([engagement, "nightly", *named], capture_output=True, text=True, check=False)
    assert night.returncode == 2, night.stderr
    start, end = (json.loads(line) for line in events.read_text().splitlines())
    assert (start["eventType"], end["eventType"]) == ("START", "FAIL")
    assert "required column" in end["run"]["facets"]["errorMessage"]["message"]
    assert end["inputs"] == end["outputs"] == []
