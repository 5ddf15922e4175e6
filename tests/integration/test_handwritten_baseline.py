"""The benchmark's hand-written SQL and the project's models say the same, row for row.

The two share no line: one goes straight from the files to the marts, the other through layers. So this is
both the proof that the benchmark compares like with like, and a second computation of every mart.
"""

import json
from datetime import date
from pathlib import Path

import duckdb
import pytest
from nights import run_night

from benchmarks.comparison import KEYS, differences, row_counts
from benchmarks.handwritten import Night, build
from loaders.sample import generate

pytestmark = pytest.mark.slow

HASH_KEY = "a key for tests and nothing else"
# In the middle of a month and of the sample, whose last weeks are the future that no row may know of; in a
# zone whose days are not UTC's.
AS_OF = date(2025, 9, 17)
ZONE = "America/New_York"


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The published file of a night, and the file that the hand-written SQL builds from the same raw zone."""
    folder = tmp_path_factory.mktemp("baseline")
    raw = generate(300, 400, 7, folder / "raw").raw
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("ENGAGEMENT_HASH_KEY", HASH_KEY)
        run_night(raw, folder / "warehouse", AS_OF.isoformat(), ZONE)
    handwritten = folder / "handwritten.duckdb"
    build(Night(raw=raw, as_of=AS_OF, time_zone=ZONE, currency="USD", hash_key=HASH_KEY), handwritten)
    return folder / "warehouse" / "engagement.duckdb", handwritten


def test_every_mart_is_equal_row_for_row(both: tuple[Path, Path]) -> None:
    found = differences(*both)
    assert not found, json.dumps([vars(difference) for difference in found], indent=2)


def test_every_mart_is_compared_and_none_is_empty(both: tuple[Path, Path]) -> None:
    published, _ = both
    with duckdb.connect(str(published), read_only=True) as connection:
        marts = connection.execute(
            "select table_name from duckdb_tables() where schema_name = 'marts'"
        ).fetchall()
    # what only adds up these marts is checked by its own tests
    assert {name for (name,) in marts} >= set(KEYS)
    assert all(row_counts(published).values())


def test_a_difference_is_seen(both: tuple[Path, Path], tmp_path: Path) -> None:
    published, handwritten = both
    changed = tmp_path / "changed.duckdb"
    changed.write_bytes(handwritten.read_bytes())
    with duckdb.connect(str(changed)) as connection:
        connection.execute(
            "update marts.fct_engagement_longevity set span_days = span_days + 1 where is_current"
        )
        connection.execute(
            "delete from marts.fct_touches where touched_at = (select max(touched_at) from marts.fct_touches)"
        )
    found = {(difference.table, difference.what) for difference in differences(published, changed)}
    assert found == {("fct_engagement_longevity", "span_days"), ("fct_touches", "keys only in the left file")}
