"""The models' unit tests, beside them in YAML: dbt runs them on a warehouse that has the tables."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from nights import PROJECT, SAMPLE_END

pytestmark = pytest.mark.slow


def test_hand_computed_values(sample_warehouse: Path, tmp_path: Path):
    warehouse = tmp_path / "warehouse"
    shutil.copytree(sample_warehouse, warehouse)
    arguments = ["test", "--select", "test_type:unit", "--vars", f"{{as_of: {SAMPLE_END}}}"]
    folders = ["--project-dir", PROJECT, "--profiles-dir", PROJECT, "--target-path", tmp_path / "target"]
    outcome = subprocess.run(
        [Path(sys.executable).with_name("dbt"), "--no-use-colors", *arguments, *folders],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "ENGAGEMENT_WAREHOUSE": str(warehouse)},
    )
    assert outcome.returncode == 0, outcome.stdout
    # fewer would mean that dbt did not find them
    assert outcome.stdout.count("PASS") >= 14
