"""A business decision changes: the next night builds anew what depends on it, nothing else, and says why."""

import csv
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import duckdb
import pytest
from differences import differences
from nights import copy_project, open_published, try_night

pytestmark = pytest.mark.slow

AS_OF = "2025-12-31"


@pytest.fixture
def warehouse(sample_warehouse: Path, tmp_path: Path) -> Path:
    """A copy of the sample's warehouse."""
    return shutil.copytree(sample_warehouse, tmp_path / "warehouse")


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A copy of the project, to change a seed of."""
    return copy_project(tmp_path / "project")


def change_seed(project: Path, seed: str, change: Callable[[dict[str, str]], dict[str, str]]) -> None:
    """Rewrite a seed of a copied project, row by row."""
    file = project / "seeds" / f"{seed}.csv"
    with file.open(newline="") as lines:
        rows = list(csv.DictReader(lines))
    changed = [change(row) for row in rows]
    assert changed != rows
    with file.open("w", newline="") as lines:
        writer = csv.DictWriter(lines, list(rows[0]))
        writer.writeheader()
        writer.writerows(changed)


def restated_night(raw: Path, warehouse: Path, project: Path) -> subprocess.CompletedProcess[str]:
    night = try_night(raw, warehouse, AS_OF, project)
    assert night.returncode == 0, night.stdout[-3000:] + night.stderr[-3000:]
    return night


def assert_as_built_at_once(raw: Path, warehouse: Path, project: Path, refreshed: Path) -> None:
    """Insist that a warehouse holds what a first night of that project builds."""
    refreshed.mkdir()
    shutil.copy(warehouse / "hash.key", refreshed)
    restated_night(raw, refreshed, project)
    assert differences(warehouse / "engagement.duckdb", refreshed / "engagement.duckdb") == []


def test_a_changed_threshold_restates_the_one_mart_that_names_it(
    sample_raw: Path, sample_warehouse: Path, warehouse: Path, project: Path, tmp_path: Path
) -> None:
    change_seed(
        project,
        "thresholds",
        lambda row: row | {"value": "2"} if row["threshold"] == "frequent_active_days_90" else row,
    )
    night = restated_night(sample_raw, warehouse, project)

    # what and why: in the log, the summary and the audit
    why = "seed thresholds: frequent_active_days_90"
    assert f"{why} (read by fct_engagement_frequency)" in night.stdout
    summary = night.stdout.split("Rows per layer")[1]
    assert "Built anew" in summary and why in summary
    assert "Closed snapshots that say something else now" in summary
    with open_published(warehouse) as connection:
        basis, restated, run_id = connection.execute(
            "select basis, restated, run_id from audit.runs order by started_at desc limit 1"
        ).fetchone()
        assert (basis, restated) == (f"on the night of {AS_OF}", f"{why} (read by fct_engagement_frequency)")
        anew = dict(
            connection.execute(
                "select model_name, restated from audit.model_runs where run_id = ? and restated is not null",
                [run_id],
            ).fetchall()
        )
        # the mart that names it and what follows from that; what these are made from holds one night's rows
        # and was needed whole
        because = {name for name, cause in anew.items() if cause == why}
        assert because == {
            "fct_engagement_frequency",
            *("customer_engagement", "fct_customer_outcomes", "fct_engagement_outcomes"),
        }
        others = anew.keys() - because
        assert {anew[name] for name in others} == {"needed whole by others that are"}
        assert not any(name.startswith(("stg_", "dim_", "fct_engagement_")) for name in others)

    # exactly that: `pattern` in the one mart, and of every other mart no digit
    found = differences(sample_warehouse / "engagement.duckdb", warehouse / "engagement.duckdb")
    assert [difference.table for difference in found] == ["marts.fct_engagement_frequency"]
    with duckdb.connect() as connection:
        for name, folder in (("before", sample_warehouse), ("after", warehouse)):
            connection.execute(f"attach '{folder / 'engagement.duckdb'}' as {name} (read_only)")
        # by hand: who was sporadic with two to five active days is frequent now, nobody else changed
        (moved, wrong) = connection.execute(
            """
            select
                count(*) filter (where after.pattern <> before.pattern),
                count(*) filter (
                    where after.pattern is distinct from case
                        when active_days_90 between 2 and 5
                            then replace(before.pattern, 'sporadic', 'frequent')
                        else before.pattern
                    end
                )
            from before.marts.fct_engagement_frequency as before
            join after.marts.fct_engagement_frequency as after
                using (customer_id, snapshot_date, active_days_90)
            """
        ).fetchone()
        assert moved > 0 and wrong == 0
        # of closed snapshots each is recorded once, with its customer, column and cause
        assert connection.execute(
            """
            with
                recorded as (
                    select *, last_day(cast(unnest(generate_series(
                        date_trunc('month', first_snapshot_date), last_snapshot_date, interval 1 month
                    )) as date)) as snapshot_date
                    from after.audit.snapshot_changes
                ),
                changed as (
                    select customer_id, snapshot_date
                    from before.marts.fct_engagement_frequency as before
                    join after.marts.fct_engagement_frequency as after using (customer_id, snapshot_date)
                    where after.pattern <> before.pattern and not before.is_current
                )
            select count(*) > 0, bool_and(
                changed.customer_id is not null and recorded.customer_id is not null
                and change = 'changed' and changed_columns = 'pattern' and customers = 1 and causes = ?
            )
            from changed full join recorded using (customer_id, snapshot_date)
            """,
            [why],
        ).fetchone() == (True, True)

    # and equal to a full refresh
    assert_as_built_at_once(sample_raw, warehouse, project, tmp_path / "refreshed")


def test_a_changed_prompt_window_restates_what_follows_from_prompts(
    sample_raw: Path, sample_warehouse: Path, warehouse: Path, project: Path, tmp_path: Path
) -> None:
    change_seed(
        project,
        "prompt_windows",
        lambda row: row | {"window_days": "1"} if row["touch_channel"] == "email" else row,
    )
    night = restated_night(sample_raw, warehouse, project)
    assert "seed prompt_windows" in night.stdout.split("Rows per layer")[1]

    # who is prompted is another matter now; how long, how often and how much engagement there was is not
    found = differences(sample_warehouse / "engagement.duckdb", warehouse / "engagement.duckdb")
    changed = {difference.table for difference in found}
    assert {"marts.fct_interactions", "marts.fct_engagement_proactiveness"} <= changed
    assert (
        not {"marts.fct_engagement_longevity", "marts.fct_engagement_volume", "marts.dim_customers"} & changed
    )
    with open_published(warehouse) as connection:
        staged = connection.execute(
            "select count(*) from audit.model_runs where restated is not null and layer = 'staging'"
        ).fetchone()
        assert staged == (0,)

    assert_as_built_at_once(sample_raw, warehouse, project, tmp_path / "refreshed")


def test_a_reworded_description_restates_nothing(sample_raw: Path, warehouse: Path, project: Path) -> None:
    change_seed(
        project, "thresholds", lambda row: row | {"description": f"In other words: {row['description']}"}
    )
    night = restated_night(sample_raw, warehouse, project)
    assert "Built anew" not in night.stdout
    with open_published(warehouse) as connection:
        assert connection.execute(
            "select count(*) from audit.runs where restated is not null"
        ).fetchone() == (0,)
