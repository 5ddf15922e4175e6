"""Small warehouses for tests that need a whole night but no particular data."""

import shutil
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest
from bare_nights import BareWarehouse
from nights import SAMPLE_END, run_night

from loaders.sample import generate


@pytest.fixture(scope="session", autouse=True)
def _without_reports() -> Iterator[None]:
    """Nights of tests draw no report: that is tested by itself, and costs each of them seconds."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ENGAGEMENT_REPORT", "false")
        yield


@pytest.fixture(scope="session")
def sample_raw(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small synthetic raw zone of every channel until `SAMPLE_END`; do not change it."""
    folder = tmp_path_factory.mktemp("sample") / "raw"
    generate(60, 60, 7, folder)
    return folder


@pytest.fixture(scope="session")
def sample_warehouse(sample_raw: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A warehouse with one published night over `sample_raw`; copy it before you change it.

    Beside it stand the events that the night told a lineage catalogue.
    """
    folder = tmp_path_factory.mktemp("published") / "warehouse"
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("ENGAGEMENT_OPENLINEAGE", str(folder.parent / "openlineage.jsonl"))
        run_night(sample_raw, folder, SAMPLE_END, "UTC")
    return folder


@pytest.fixture(scope="session")
def year_warehouse(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A synthetic year of every channel, with marts where readers look for them; do not change it."""
    folder = tmp_path_factory.mktemp("year")
    generate(300, 365, 1, folder / "raw")
    bare = BareWarehouse(folder)
    bare.night(date.fromisoformat(SAMPLE_END))
    shutil.copy(bare.place.marts_file, bare.place.published)
    return bare.place.folder
