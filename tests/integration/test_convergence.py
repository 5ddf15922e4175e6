"""A chain of links that the permitted rounds cannot follow fails the night; nobody sees half a customer."""

from itertools import pairwise
from pathlib import Path

import pytest
from nights import copy_project, try_night

pytestmark = pytest.mark.slow


def test_a_run_that_has_not_converged_fails(tmp_path: Path):
    project = copy_project(tmp_path / "project")
    model = project / "models" / "intermediate" / "identity" / "int_identity__groups.sql"
    sql = model.read_text()
    limited = sql.replace('connected_components"', 'connected_components", max_rounds=2')
    assert limited != sql
    model.write_text(limited)

    links = tmp_path / "raw" / "identity_links"
    links.mkdir(parents=True)
    rows = [
        f"{number},anonymous_id,c{left},anonymous_id,c{right},2024-01-01,2024-01-02"
        for number, (left, right) in enumerate(pairwise(number * 7 % 101 for number in range(101)))
    ]
    header = "link_id,left_type,left_value,right_type,right_value,observed_at,loaded_at"
    (links / "links.csv").write_text("\n".join([header, *rows]))

    night = try_night(tmp_path / "raw", tmp_path / "warehouse", "2024-06-30", project)
    assert night.returncode == 1, night.stdout + night.stderr
    assert "int_identity__groups" in night.stdout + night.stderr
    assert "raise max_rounds" in night.stdout + night.stderr
    assert not (tmp_path / "warehouse" / "engagement.duckdb").exists()
