"""What the command says before anything heavy is loaded, and the pure parts of how a night is set up."""

import json
import subprocess
import sys
import time
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import duckdb
import pytest
import yaml

from orchestration import dbt
from warehouse.night import Basis, Warehouse
from warehouse.publication import Edition, publish

ENGAGEMENT = Path(sys.executable).with_name("engagement")


def run(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [ENGAGEMENT, *map(str, arguments)], capture_output=True, text=True, timeout=120, check=False
    )


@pytest.fixture
def raw(tmp_path: Path) -> Path:
    folder = tmp_path / "raw"
    folder.mkdir()
    return folder


def test_help_comes_at_once():
    run("--help")
    begun = time.monotonic()
    shown = run("--help")
    assert time.monotonic() - begun < 1.5
    assert shown.returncode == 0
    for command in (
        "nightly",
        "status",
        "report",
        "trace",
        "rollback",
        "land",
        "sample",
        "serve",
        "home",
        "docs",
    ):
        assert command in shown.stdout


def test_help_loads_nothing_heavy():
    heavy = "{'dagster', 'dbt', 'duckdb', 'great_expectations', 'pandas', 'rich'}"
    program = f"import sys, orchestration.cli; print(sorted({heavy} & set(sys.modules)))"
    shown = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert shown.stdout.strip() == "[]"


def test_the_version_is_said():
    assert run("--version").stdout.startswith("engagement, version ")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--as-of", "31.12.2023"), "does not match the format"),
        (("--as-of", "2999-01-01"), "has not ended in UTC"),
        (("--timezone", "America/NewYork"), "did you mean America/New_York?"),
        (("--source-timezone", "orders"), "write table=zone"),
        (("--source-timezone", "orders=Nowhere"), "of raw table orders does not exist"),
        (("--currency", "dollars"), "three capital letters"),
        (("--wait", "-1"), "--wait"),
        (("--full", "yes"), "--full"),
    ],
)
def test_wrong_usage_is_status_2_and_one_sentence(tmp_path: Path, raw: Path, arguments, message: str):
    refused = run("nightly", "--raw", raw, "--warehouse", tmp_path / "warehouse", *arguments)
    assert refused.returncode == 2
    assert message in refused.stderr
    assert "Traceback" not in refused.stderr
    assert not (tmp_path / "warehouse").exists()


def test_a_missing_raw_zone_is_status_2(tmp_path: Path):
    refused = run("nightly", "--raw", tmp_path / "nowhere", "--warehouse", tmp_path / "warehouse")
    assert refused.returncode == 2
    assert (
        refused.stderr.strip()
        == f"engagement: There is no raw zone {tmp_path / 'nowhere'}; name its folder with --raw."
    )
    assert not (tmp_path / "warehouse").exists()


def test_a_misspelt_variable_is_status_2(tmp_path: Path, raw: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("ENGAGEMENT_TIMEZONE", "UTC")
    refused = run("nightly", "--raw", raw, "--warehouse", tmp_path / "warehouse")
    assert (refused.returncode, refused.stderr.count("\n")) == (2, 1)
    assert "did you mean ENGAGEMENT_TIME_ZONE" in refused.stderr


def test_today_is_no_complete_day(tmp_path: Path, raw: Path):
    # Two days ahead, so that midnight between the two lines cannot matter.
    ahead = (datetime.now(tz=UTC) + timedelta(days=2)).date()
    assert run("nightly", "--raw", raw, "--warehouse", tmp_path / "w", "--as-of", str(ahead)).returncode == 2


def test_a_warehouse_that_cannot_be_written_is_status_1(tmp_path: Path, raw: Path):
    (tmp_path / "file").touch()
    refused = run("nightly", "--raw", raw, "--warehouse", tmp_path / "file" / "warehouse")
    assert refused.returncode == 1
    assert "cannot be written" in refused.stderr and "Traceback" not in refused.stderr


def test_a_night_that_could_not_begin_leaves_its_traceback_to_the_owner(
    tmp_path: Path, raw: Path, monkeypatch: pytest.MonkeyPatch
):
    """In the folder where identifiers will stand in clear: whoever makes it decides who may look into it."""
    home = tmp_path / "home"
    home.mkdir()
    (home / "dagster.yaml").write_text("nonsense: true\n")
    monkeypatch.setenv("DAGSTER_HOME", str(home))
    refused = run("nightly", "--raw", raw, "--warehouse", tmp_path / "warehouse", "--as-of", "2024-01-31")
    assert refused.returncode == 1
    assert "The night could not run" in refused.stderr and "Traceback (" not in refused.stderr
    build = tmp_path / "warehouse" / "build"
    assert "Traceback (" in (build / "error.log").read_text()
    assert build.stat().st_mode & 0o777 == 0o700


def test_status_of_an_empty_warehouse_is_1(tmp_path: Path):
    shown = run("status", "--warehouse", tmp_path)
    assert shown.returncode == 1
    assert "nothing in" in shown.stdout
    assert list(tmp_path.iterdir()) == []


def test_status_of_a_damaged_file_is_1_and_says_the_way_out(tmp_path: Path):
    (tmp_path / "engagement.duckdb").write_bytes(b"\0" * 20_000)
    result = run("status", "--warehouse", tmp_path)
    assert result.returncode == 1
    assert "The published file cannot be read: IO Error: The file" in result.stdout
    assert "`engagement rollback` puts an earlier publication in its place" in result.stdout
    assert "Traceback" not in result.stdout + result.stderr


def test_a_rollback_without_publications_is_status_1_and_writes_nothing(tmp_path: Path):
    refused = run("rollback", "--warehouse", tmp_path)
    assert refused.returncode == 1
    assert "run a night first" in refused.stderr and "Traceback" not in refused.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_rollback_from_the_command_line(tmp_path: Path):
    """Kept publications are listed; the one before is put back; a run that is not kept is wrong usage."""
    warehouse = Warehouse(tmp_path)
    build = tmp_path / "build.duckdb"
    tools = ", ".join(f"'' as {tool}_version" for tool in ("dbt", "duckdb", "dagster", "great_expectations"))
    for day in (1, 2):
        moment = datetime(2024, 5, day + 1, 2, tzinfo=UTC)
        with duckdb.connect(str(build)) as connection:
            connection.execute("create schema if not exists marts; create schema if not exists audit")
            connection.execute("create or replace table marts.days as select ? as day", [day])
            connection.execute(
                "create or replace table audit.runs as select ? as run_id, ?::date as as_of,"
                f" ?::timestamp as published_at, now()::timestamp as started_at, {tools},"
                " '' as business_time_zone, '' as reporting_currency, '' as code_version",
                [f"run-{day}", f"2024-05-0{day}", moment.replace(tzinfo=None)],
            )
        edition = Edition(f"run-{day}", date(2024, 5, day), moment)
        publish(build, warehouse.published, warehouse.kept, edition, keep=3)
    listed = run("rollback", "--list", "--warehouse", tmp_path)
    assert (listed.returncode, listed.stderr) == (0, "")
    seen = {
        line.split()[3]: "readers see it" in line for line in listed.stdout.splitlines() if "run-" in line
    }
    assert seen == {"run-2": True, "run-1": False}
    assert run("report", "--warehouse", tmp_path).returncode == 0
    assert "Engagement report, 2024-05-02" in warehouse.report.read_text()
    assert run("rollback", "--to", "run-9", "--warehouse", tmp_path).returncode == 2
    gone_back = run("rollback", "--warehouse", tmp_path)
    assert (gone_back.returncode, gone_back.stderr) == (0, "")
    with duckdb.connect(str(warehouse.published), read_only=True) as connection:
        assert connection.execute("from marts.days").fetchall() == [(1,)]
    page = warehouse.report.read_text()
    assert "Engagement report, 2024-05-01" in page and "run-1" in page and "run-2" not in page
    # readers are taken back whether or not the page can be written
    warehouse.report.unlink()
    warehouse.report.mkdir()
    gone_forward = run("rollback", "--to", "run-2", "--warehouse", tmp_path)
    assert gone_forward.returncode == 0
    assert "there is no report of this publication: The report" in gone_forward.stderr
    with duckdb.connect(str(warehouse.published), read_only=True) as connection:
        assert connection.execute("from marts.days").fetchall() == [(2,)]


def test_the_dagster_home_is_made_once_and_silent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("DAGSTER_HOME", raising=False)
    shown = run("home", "--warehouse", tmp_path)
    assert shown.stdout.strip() == str(tmp_path / ".dagster")
    settings = tmp_path / ".dagster" / "dagster.yaml"
    assert yaml.safe_load(settings.read_text())["telemetry"] == {"enabled": False}
    settings.write_text("# my own\n")
    assert run("home", "--warehouse", tmp_path).returncode == 0
    assert settings.read_text() == "# my own\n"


def test_the_arguments_of_a_build_are_exactly_these():
    arguments = dbt.build_arguments(
        select=["path:models/marts", "a.b.test"],
        variables={"run_id": "r", "as_of": "2024-01-31"},
        target=Path("/w/build/dbt"),
        project=Path("/project"),
    )
    assert arguments == [
        *("--log-level", "none", "--log-level-file", "none", "--log-path", "/w/build/dbt"),
        *("--no-write-json", "--no-cache-selected-only", "build"),
        *("--project-dir", "/project", "--profiles-dir", "/project", "--target-path", "/w/build/dbt"),
        *("--exclude-resource-type", "unit_test", "--exclude-resource-type", "exposure"),
        *("--indirect-selection", "buildable"),
        *("--vars", '{"as_of": "2024-01-31", "run_id": "r"}'),
        *("--select", "path:models/marts", "a.b.test"),
    ]


def test_the_variables_of_a_night_are_exactly_these():
    zones = {"orders": "America/New_York"}
    variables = dbt.variables(
        run_id="r",
        as_of="2024-01-31",
        business_time_zone="UTC",
        reporting_currency="EUR",
        source_time_zones=zones,
        basis=Basis(8, 7, date(2024, 1, 30), datetime(2024, 1, 31), "on the night before"),
        restated_models=("fct_visits",),
        reread_tables=("orders",),
        has_tombstones=True,
    )
    assert json.loads(json.dumps(variables)) == {
        "night_number": 8,
        "last_night_number": 7,
        "last_as_of": "2024-01-30",
        "known_until": "2024-01-31 00:00:00",
        "restated_models": ["fct_visits"],
        "reread_tables": ["orders"],
        "has_tombstones": True,
        "run_id": "r",
        "as_of": "2024-01-31",
        "business_time_zone": "UTC",
        "reporting_currency": "EUR",
        "source_time_zones": zones,
    }


def test_a_night_without_a_basis_builds_everything():
    variables = dbt.variables(
        run_id="r",
        as_of="2024-01-31",
        business_time_zone="UTC",
        reporting_currency="EUR",
        source_time_zones={},
    )
    assert (variables["night_number"], variables["last_night_number"]) == (1, 0)
    assert (variables["last_as_of"], variables["known_until"]) == ("", "")


def test_a_backfill_that_ends_before_it_begins_is_refused(tmp_path: Path):
    refused = run("backfill", "--from", "2024-02-01", "--to", "2024-01-01", "--warehouse", tmp_path)
    assert refused.returncode == 2
    assert refused.stderr == "engagement: --to 2024-01-01 lies before --from 2024-02-01.\n"


@pytest.mark.parametrize(
    ("arguments", "exit_status", "message"),
    [
        (("erase",), 2, "Name a person with --identifier, or take all with --requested."),
        (("erase", "--requested", "--identifier", "email=a@b.c"), 2, "Name a person with --identifier"),
        (("erase", "--identifier", "mail=a@b.c"), 2, "KIND is one of customer_ref"),
        (("erase", "--identifier", "email=a@b.c"), 1, "Nothing is built in"),
        (("export-person", "--out", "person.json"), 2, "Name a person with --identifier."),
        (("export-person", "--out", "x.json", "--identifier", "email=a@b.c"), 1, "Nothing is built in"),
    ],
)
def test_a_person_who_cannot_be_looked_up_is_refused(
    tmp_path: Path, arguments: tuple[str, ...], exit_status: int, message: str
):
    refused = run(*arguments, "--warehouse", tmp_path)
    assert refused.returncode == exit_status
    assert refused.stderr.startswith("engagement: ")
    assert (message in refused.stderr, refused.stderr.count("\n")) == (True, 1)
    assert "a@b.c" not in refused.stderr
    assert list(tmp_path.iterdir()) == []


def test_nobody_is_looked_up_where_a_first_night_has_failed(tmp_path: Path):
    place = Warehouse(tmp_path)
    place.prepare()
    for file in (place.staging_file, place.marts_file):
        duckdb.connect(str(file)).close()
    (tmp_path / "hash.key").write_text("0123456789abcdef")
    refused = run("erase", "--identifier", "email=a@b.c", "--warehouse", tmp_path)
    assert refused.returncode == 1
    assert refused.stderr == (
        f"engagement: No night of {tmp_path} has come so far as to know who is who: run one first.\n"
    )


def test_each_step_selects_its_own_folder_and_seeds_go_with_staging():
    assert {step: dbt.selection(step) for step in dbt.STEPS} == {
        "staging": ["resource_type:seed", "fqn:engagement_warehouse.staging"],
        "intermediate": ["fqn:engagement_warehouse.intermediate"],
        "marts": ["fqn:engagement_warehouse.marts"],
        "audit": ["fqn:engagement_warehouse.audit"],
    }


def model(name: str, layer: str) -> dict[str, object]:
    return {"resource_type": "model", "original_file_path": f"models/{layer}/{name}.sql", "name": name}


def check(name: str, *parents: str) -> dict[str, object]:
    return {"resource_type": "test", "fqn": ["p", name], "name": name, "depends_on": {"nodes": list(parents)}}


MANIFEST = {
    "sources": {"source.orders": {"resource_type": "source"}},
    "nodes": {
        "stg_a": model("stg_a", "staging"),
        "stg_b": model("stg_b", "staging/orders"),
        "fct_a": model("fct_a", "marts"),
        "accounts": model("accounts", "audit"),
        "t_stg": check("t_stg", "stg_a"),
        "t_source": check("t_source", "source.orders", "stg_a"),
        "t_upstream": check("t_upstream", "fct_a", "stg_a"),
        "t_other_branch": check("t_other_branch", "fct_a", "stg_b"),
        "t_across": check("t_across", "accounts", "fct_a"),
    },
    "parent_map": {
        "stg_a": ["source.orders"],
        "stg_b": ["source.orders"],
        "fct_a": ["stg_a"],
        "accounts": ["stg_b"],
    },
}


@pytest.mark.parametrize(
    ("unique_id", "layer"),
    [
        ("t_stg", "staging"),
        ("t_source", "staging"),
        ("t_upstream", "marts"),
        ("t_other_branch", "marts"),
        ("t_across", "audit"),
    ],
)
def test_a_test_belongs_to_the_latest_layer_that_it_looks_at(unique_id: str, layer: str):
    assert dbt.test_layer(MANIFEST, unique_id) == layer


def test_tests_that_compare_two_branches_are_asked_for_by_name():
    assert dbt.stray_tests(MANIFEST, "staging") == []
    assert dbt.stray_tests(MANIFEST, "marts") == ["p.t_other_branch"]
    assert dbt.stray_tests(MANIFEST, "audit") == ["p.t_across"]


def test_a_model_outside_the_layers_is_an_error():
    with pytest.raises(dbt.DbtError, match=r"models/stray/x.sql stands in no layer"):
        dbt.layer_of(model("x", "stray"))


def test_a_fingerprint_knows_names_and_contents(tmp_path: Path):
    one, two = tmp_path / "one.sql", tmp_path / "two.sql"
    one.write_text("select 1")
    first = dbt.fingerprint([one], tmp_path)
    assert dbt.fingerprint([one], tmp_path) == first
    one.rename(two)
    assert dbt.fingerprint([two], tmp_path) != first
    two.write_text("select 2")
    assert dbt.fingerprint([two], tmp_path) not in {first}
