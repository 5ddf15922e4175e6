"""What a person can do about what the engine says."""

from pathlib import Path

import pytest

from orchestration.advice import advised
from orchestration.settings import Settings

SETTINGS = Settings(warehouse=Path("/srv/warehouse"), memory_limit="1GB", threads=4)
OUT_OF_MEMORY = (
    "model a: Out of Memory Error: could not allocate block of size 256 KiB (953 MiB/953 MiB used) Possible "
    "solutions: * Reducing the number of threads (SET threads=X) * Increasing the memory limit "
    "(SET memory_limit='...GB') See also https://duckdb.org/docs"
)


@pytest.mark.parametrize(
    ("message", "advice"),
    [
        (OUT_OF_MEMORY, "1GB of memory for 4 models at a time: raise ENGAGEMENT_MEMORY_LIMIT"),
        ("OSError: [Errno 28] No space left on device", "The disk of /srv/warehouse is full: make room"),
        ("IO Error: Corrupt database file: computed checksum", "/srv/warehouse/build is damaged: move that"),
    ],
)
def test_what_is_known_is_advised(message: str, advice: str) -> None:
    said = advised(message, SETTINGS)
    assert advice in said.splitlines()[-1]
    assert said.startswith(message.split(" Possible")[0])
    assert "SET " not in said and "https" not in said


def test_the_same_fault_in_many_models_is_told_briefly() -> None:
    said = advised("\n".join(["staging: 40 of 90 nodes failed", *[OUT_OF_MEMORY] * 40]), SETTINGS)
    assert said.count("Out of Memory Error") == 4
    assert "... and 36 more like these" in said


def test_anything_else_stays_as_it_is() -> None:
    message = "gate raw: 1 of 9 expectations not met\n  x\n" + "y\n" * 20
    assert advised(message, SETTINGS) is message
