"""CDNOW through the same models equals the summary of `lifetimes`, customer by customer.

That package's words are not ours: its frequency is our active days less one, its recency our span, its T our
tenure.
"""

from collections.abc import Iterator
from pathlib import Path

import duckdb
import pandas as pd
import pytest
from lifetimes.utils import summary_data_from_transaction_data
from nights import open_published, run_night

from loaders import cdnow
from loaders.write import installed_file

pytestmark = pytest.mark.slow

CALIBRATION_END = "1997-09-30"


@pytest.fixture(scope="module")
def raw(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Everything until mid 1998: a night as of the calibration's end must not look beyond it."""
    return cdnow.land(tmp_path_factory.mktemp("cdnow")).raw


@pytest.fixture(scope="module")
def published(raw: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    warehouse = raw.parent / f"{raw.name}-warehouse"
    run_night(raw, warehouse, CALIBRATION_END, "UTC")
    with open_published(warehouse) as connection:
        yield connection


@pytest.fixture(scope="module")
def summary() -> pd.DataFrame:
    """What `lifetimes` makes of the file, read here anew, by customer."""
    lines = pd.read_csv(
        installed_file("lifetimes", "datasets", "CDNOW_sample.txt", remedy=""),
        sep=r"\s+",
        names=["customer_ref", "sample_number", "bought_on", "cds", "dollars"],
        dtype={"customer_ref": str, "bought_on": str},
    )
    return summary_data_from_transaction_data(
        lines,
        "customer_ref",
        "bought_on",
        datetime_format="%Y%m%d",
        observation_period_end=CALIBRATION_END.replace("-", ""),
    )


@pytest.fixture(scope="module")
def longevity(published: duckdb.DuckDBPyConnection, raw: Path) -> pd.DataFrame:
    """The current snapshot by `customer_ref`, in the words of the literature."""
    found = published.execute(
        """
        select distinct
            orders.customer_ref,
            cast(longevity.active_days - 1 as double) as frequency,
            cast(longevity.span_days as double) as recency,
            cast(longevity.tenure_days as double) as T,
        from marts.fct_engagement_longevity as longevity
        inner join marts.fct_interactions as interactions on longevity.customer_id = interactions.customer_id
        inner join read_parquet(?) as orders on interactions.source_key = orders.order_id
        where longevity.is_current
        """,
        [str(raw / "orders" / "*.parquet")],
    ).df()
    return found.set_index("customer_ref").sort_index()


def test_the_published_totals(longevity: pd.DataFrame) -> None:
    assert len(longevity) == 2_357
    assert longevity.sum().to_dict() == {"frequency": 2_457, "recency": 112_949, "T": 539_779}
    assert (longevity["frequency"] == 0).sum() == 1_411


def test_every_customer_equals_the_literature(longevity: pd.DataFrame, summary: pd.DataFrame) -> None:
    pd.testing.assert_frame_equal(longevity, summary.sort_index(), check_exact=True)


def test_the_night_knows_nothing_of_later_orders(published: duckdb.DuckDBPyConnection) -> None:
    row = published.execute(
        "select count(*), cast(max(occurred_on) as varchar) from marts.fct_interactions"
    ).fetchone()
    assert row == (4_960, CALIBRATION_END)
