"""The semantic layer as it is written down: nothing without words, and nothing that tools cannot find."""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from orchestration import dbt, metrics
from orchestration.restatement import fingerprints
from orchestration.settings import PROJECT_ROOT


@pytest.fixture(scope="module")
def semantics() -> Mapping[str, Any]:
    found: Mapping[str, Any] = json.loads(dbt.semantic_manifest())
    return found


def parts(semantics: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for model in semantics["semantic_models"]:
        yield model["name"], model
        for kind in ("entities", "dimensions", "measures"):
            for part in model[kind]:
                yield f"{model['name']}.{part['name']}", part
    for metric in semantics["metrics"]:
        yield f"metric {metric['name']}", metric


def test_everything_is_described(semantics: Mapping[str, Any]):
    assert [name for name, part in parts(semantics) if not (part["description"] or "").strip()] == []


def test_metrics_and_models_have_a_name_for_people_of_their_own(semantics: Mapping[str, Any]):
    labels = [part["label"] for part in (*semantics["metrics"], *semantics["semantic_models"])]
    assert all(labels)
    metric_labels = [metric["label"] for metric in semantics["metrics"]]
    assert sorted(metric_labels) == sorted(set(metric_labels))


def test_a_rate_is_made_of_parts_that_can_be_asked_for(semantics: Mapping[str, Any]):
    simple = {metric["name"] for metric in semantics["metrics"] if metric["type"] == "simple"}
    for metric in semantics["metrics"]:
        if metric["type"] == "ratio":
            parts_of_it = {metric["type_params"][part]["name"] for part in ("numerator", "denominator")}
            assert parts_of_it <= simple, metric["name"]


def test_nothing_is_averaged(semantics: Mapping[str, Any]):
    kinds = {measure["agg"] for model in semantics["semantic_models"] for measure in model["measures"]}
    assert kinds == {"sum", "count_distinct"}


def test_what_stands_at_a_day_is_not_added_up_over_days(semantics: Mapping[str, Any]):
    # to-date counts and stocks of these marts; the rest of their measures belongs to the day or month itself
    flows = {"monthly_volume_interactions"}
    for model in semantics["semantic_models"]:
        if model["name"].endswith("_snapshots"):
            for measure in model["measures"]:
                stands = measure["non_additive_dimension"] is not None
                assert stands == (measure["name"] not in flows), measure["name"]
    channel_days = next(model for model in semantics["semantic_models"] if model["name"] == "channel_days")
    stocks = {measure["name"] for measure in channel_days["measures"] if measure["non_additive_dimension"]}
    assert stocks == {"subscribers", "followers", "members"}


def test_the_semantic_layer_reads_marts_only():
    manifest = dbt.project().manifest
    models = manifest["semantic_models"].values()
    read = {unique_id for model in models for unique_id in model["depends_on"]["nodes"]}
    assert read
    assert {dbt.layer_of(manifest["nodes"][unique_id]) for unique_id in read} == {"marts"}


def test_a_night_does_not_see_it():
    manifest = dbt.project().manifest
    bare = {**manifest, "semantic_models": {}, "metrics": {}, "saved_queries": {}}
    assert fingerprints(manifest) == fingerprints(bare)
    for step in dbt.STEPS:
        assert dbt.stray_tests(manifest, step) == dbt.stray_tests(bare, step)


def test_every_mart_is_exposed_to_readers():
    manifest = dbt.project().manifest
    marts = {
        unique_id
        for unique_id, node in manifest["nodes"].items()
        if node["resource_type"] == "model" and dbt.layer_of(node) == "marts"
    }
    exposed = {exposure["name"]: exposure for exposure in manifest["exposures"].values()}
    assert set(exposed["published_file"]["depends_on"]["nodes"]) == marts
    semantic = {
        unique_id
        for model in manifest["semantic_models"].values()
        for unique_id in model["depends_on"]["nodes"]
    }
    assert set(exposed["semantic_layer"]["depends_on"]["nodes"]) == semantic
    for name, page in (("ready_questions", "docs/questions.md"), ("first_look", "bi/first_look.sql")):
        text = (PROJECT_ROOT / page).read_text(encoding="utf-8")
        asked = {f"model.engagement_warehouse.{mart}" for mart in re.findall(r"\bmarts\.(\w+)", text)}
        assert set(exposed[name]["depends_on"]["nodes"]) == asked, name
    assert all(exposure["description"] and exposure["label"] for exposure in exposed.values())


def test_metricflow_finds_it_where_it_looks():
    file = metrics.prepare()
    assert file == metrics.SEMANTIC_MANIFEST
    assert file.read_text(encoding="utf-8") == dbt.semantic_manifest()
