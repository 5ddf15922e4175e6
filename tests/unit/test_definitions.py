"""What Dagster loads: layers as groups, one definition per step, and nothing that a failing gate lets by."""

from datetime import timedelta
from pathlib import Path

import dagster as dg
import pytest
import yaml

from orchestration import dbt
from orchestration.definitions import defs
from orchestration.defs.publish import GRACE, freshness
from orchestration.defs.schedules import NIGHTLY
from orchestration.defs.warehouse import layer_assets
from orchestration.settings import PROJECT_ROOT, Settings

ORDER = [
    "raw",
    "gate_raw",
    "staging",
    "gate_staging",
    "intermediate",
    "marts",
    "gate_marts",
    "published",
    "report",
]


@pytest.fixture(scope="module")
def definitions() -> dg.Definitions:
    return defs()


@pytest.fixture(scope="module")
def upstream(definitions: dg.Definitions) -> dict[str, set[str]]:
    """Step to the steps that it waits for, one by one."""

    return {
        node.alias or node.name: {
            source.node for dependency in inputs.values() for source in dependency.get_node_dependencies()
        }
        for node, inputs in definitions.resolve_job_def(NIGHTLY).dependencies.items()
    }


def all_upstream(upstream: dict[str, set[str]], step: str) -> set[str]:
    found: set[str] = set()
    todo = [step]
    while todo:
        for name in upstream[todo.pop()] - found:
            found.add(name)
            todo.append(name)
    return found


def test_the_night_has_these_steps_and_no_other(upstream: dict[str, set[str]]):
    # Landing is not among them: it is the loaders' own affair.
    assert set(upstream) == {*ORDER, "audit"}


def test_each_step_waits_for_all_that_stand_before_it(upstream: dict[str, set[str]]):
    for position, step in enumerate(ORDER):
        assert set(ORDER[:position]) <= all_upstream(upstream, step), step
    assert {"audit", "marts", "gate_marts"} <= upstream["published"]
    assert "gate_staging" in all_upstream(upstream, "audit")


@pytest.mark.parametrize(
    ("layer", "next_step"), [("raw", "staging"), ("staging", "intermediate"), ("marts", "published")]
)
def test_a_gate_itself_is_waited_for(upstream: dict[str, set[str]], layer: str, next_step: str):
    assert f"gate_{layer}" in upstream[next_step]


def test_what_readers_see_is_partitioned_by_day_and_the_tables_behind_it_are_not(definitions: dg.Definitions):
    graph = definitions.resolve_asset_graph()
    partitioned = {key: graph.get(key).partitions_def for key in graph.materializable_asset_keys}
    days = partitioned.pop(dg.AssetKey(["published", "engagement"]))
    assert isinstance(days, dg.DailyPartitionsDefinition)
    assert set(partitioned.values()) == {None}
    assert definitions.resolve_job_def(NIGHTLY).partitions_def == days


def test_a_range_of_days_is_one_run(definitions: dg.Definitions):
    # `dg launch --partition-range` refuses a job with any asset that does not say so.
    layer = definitions.resolve_job_def(NIGHTLY).asset_layer
    policies = {layer.get(key).backfill_policy for key in layer.executable_asset_keys}
    assert policies == {dg.BackfillPolicy.single_run()}


def test_a_night_that_dagster_tries_again_is_tried_whole(definitions: dg.Definitions):
    assert definitions.resolve_job_def(NIGHTLY).tags["dagster/retry_strategy"] == "ALL_STEPS"


def test_every_check_of_a_gate_blocks(definitions: dg.Definitions):
    gates = [spec for checks in definitions.asset_checks or [] for spec in checks.check_specs]
    assert gates
    assert all(spec.blocking for spec in gates)


def test_groups_are_the_layers(definitions: dg.Definitions):
    graph = definitions.resolve_asset_graph()
    groups = {key: graph.get(key).group_name for key in graph.materializable_asset_keys}
    assert set(groups.values()) == {*dbt.LAYERS, "landing", "published"}
    assert all(key.path[0] == group for key, group in groups.items())


def test_landing_stands_before_the_raw_tables(definitions: dg.Definitions):
    graph = definitions.resolve_asset_graph()
    landed = graph.get(dg.AssetKey(["landing", "complete_journey"])).child_keys
    assert dg.AssetKey(["raw", "orders"]) in landed


def test_every_model_seed_and_raw_table_is_an_asset(definitions: dg.Definitions):
    graph = definitions.resolve_asset_graph()
    manifest = dbt.project().manifest
    nodes = [node for node in manifest["nodes"].values() if node["resource_type"] in ("model", "seed")]
    for node in [*nodes, *manifest["sources"].values()]:
        assert graph.has(dg.AssetKey([dbt.layer_of(node), node["name"]])), node["unique_id"]


def test_every_dbt_test_runs_in_exactly_one_step():
    manifest = dbt.project().manifest
    tests = [unique_id for unique_id, node in manifest["nodes"].items() if node["resource_type"] == "test"]
    assert tests
    for unique_id in tests:
        layer = dbt.test_layer(manifest, unique_id)
        assert sum(layer in members for members in dbt.STEPS.values()) == 1, unique_id


def test_the_published_file_has_a_freshness_policy(definitions: dg.Definitions):
    node = definitions.resolve_asset_graph().get(dg.AssetKey(["published", "engagement"]))
    assert node.freshness_policy is not None


@pytest.mark.parametrize(
    ("schedule", "due"),
    [
        ("0 2 * * *", "0 6 * * *"),
        ("30 04 * * *", "30 8 * * *"),
        ("0 22 * * *", "0 2 * * *"),
        ("15 2 * * 1-5", "15 6 * * 1-5"),
    ],
)
def test_the_deadline_follows_the_schedule(schedule: str, due: str):
    policy = freshness(Settings(schedule=schedule, time_zone="America/New_York"))
    assert policy == dg.FreshnessPolicy.cron(due, lower_bound_delta=GRACE, timezone="America/New_York")


def test_a_schedule_of_many_times_a_day_gives_a_largest_age():
    for schedule in ("* * * * *", "0 */6 * * *", "0 2,14 * * *"):
        policy = freshness(Settings(schedule=schedule))
        assert policy == dg.FreshnessPolicy.time_window(fail_window=timedelta(days=1) + GRACE)


def test_a_deadline_that_would_fall_on_another_day_of_the_week_is_not_guessed():
    assert freshness(Settings(schedule="0 22 * * 1-5")) is None


def test_a_raw_table_shows_its_contract(definitions: dg.Definitions):
    node = definitions.resolve_asset_graph().get(dg.AssetKey(["raw", "orders"]))
    columns = {column.name: column for column in node.metadata["dagster/column_schema"].columns}
    assert columns["order_id"].constraints == dg.TableColumnConstraints(nullable=False, other=["key"])
    assert columns["total_amount"].type == "decimal"
    assert columns["total_amount"].constraints.other == [">= 0"]
    assert columns["coupon_code"].constraints.nullable
    assert "personal" in columns["email"].tags
    assert all(column.description for column in columns.values())


def test_every_published_column_is_shown_with_type_and_description(definitions: dg.Definitions):
    graph = definitions.resolve_asset_graph()
    marts = [key for key in graph.materializable_asset_keys if key.path[0] in ("marts", "audit")]
    assert marts
    for key in marts:
        columns = graph.get(key).metadata["dagster/column_schema"].columns
        assert columns and all(column.type != "?" and column.description for column in columns), key


def test_a_channel_is_a_tag_through_all_layers(definitions: dg.Definitions):
    graph = definitions.resolve_asset_graph()
    layers = {
        key.path[0] for key in graph.materializable_asset_keys if graph.get(key).tags.get("topic") == "orders"
    }
    assert layers == {"raw", "staging", "intermediate"}


def test_the_steps_are_the_same_from_any_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    keys = {step: layer_assets(step).keys for step in dbt.STEPS}
    monkeypatch.chdir(tmp_path)
    assert all(keys.values())
    assert {step: layer_assets(step).keys for step in dbt.STEPS} == keys


def test_a_killed_run_holds_up_no_later_night_for_ever():
    # Dagster's launcher does not notice that a process is gone: its run keeps its place until its time is up.
    settings = yaml.safe_load((PROJECT_ROOT / "dagster.yaml").read_text(encoding="utf-8"))
    assert settings["concurrency"]["runs"]["max_concurrent_runs"] > 1
    assert 0 < settings["run_monitoring"]["max_runtime_seconds"] < 24 * 3600


def test_a_step_that_dagster_tries_again_is_not_a_wrong_model():
    from orchestration.resources import _as_failure
    from warehouse.raw_files import RawZoneError

    for final in (dbt.DbtError("x"), RawZoneError("x")):
        failure = _as_failure(final)
        assert failure is not None and failure.allow_retries is False
    assert _as_failure(OSError("disk")) is None
