"""Small warehouses for tests that need a whole night but no particular data."""

from pathlib import Path

import pytest
from nights import SAMPLE_END, run_night

from loaders.sample import generate


@pytest.fixture(scope="session")
def sample_raw(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small synthetic raw zone of every channel until `SAMPLE_END`; do not change it."""
    folder = tmp_path_factory.mktemp("sample") / "raw"
    generate(60, 60, 7, folder)
    return folder


@pytest.fixture(scope="session")
def sample_warehouse(sample_raw: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A warehouse with one published night over `sample_raw`; copy it before you change it."""
    folder = tmp_path_factory.mktemp("published") / "warehouse"
    run_night(sample_raw, folder, SAMPLE_END, "UTC")
    return folder
