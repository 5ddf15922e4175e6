"""The per-customer measures as an analyst would compute them from `fct_interactions`: pandas or lifetimes.

Both are vectorised and get their rows from DuckDB through Arrow, texts as categories, so that no object per
row is made. They compute the current snapshot only. What does NOT belong here: measuring time.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date
from pathlib import Path

import duckdb
import numpy as np
import pandas as pd

CUSTOMER = "customer_id"


def read_interactions(published: Path, columns: list[str]) -> pd.DataFrame:
    """Return columns of every interaction that a person brought about, texts as categories.

    Args:
        published: Published file of a warehouse.
        columns: Columns of `fct_interactions`.
    """
    with duckdb.connect(str(published), read_only=True) as connection:
        table = connection.execute(
            f"select {', '.join(columns)} from marts.fct_interactions where prompt_status <> 'system'"  # noqa: S608
        ).to_arrow_table()
    frame: pd.DataFrame = table.to_pandas(strings_to_categorical=True, date_as_object=False)
    return frame


def by_pandas(published: Path, as_of: date) -> pd.DataFrame:
    """Return span, recency, tenure, gaps, entropy of types and proactive share of every customer.

    Args:
        published: Published file of a warehouse.
        as_of: Its snapshot date.

    Returns:
        A row per customer, with columns named as in the marts.
    """
    rows = read_interactions(published, [CUSTOMER, "occurred_on", "interaction_type", "prompt_status"])
    found = _days(rows, as_of)
    found["type_entropy"] = _entropy(rows)
    found["proactive_share"] = _proactive_share(rows)
    return found.reset_index()


def by_lifetimes(published: Path, as_of: date) -> pd.DataFrame:
    """Return the summary that `lifetimes` makes of transactions, under the names of the marts.

    Args:
        published: Published file of a warehouse.
        as_of: Its snapshot date.
    """
    from lifetimes.utils import summary_data_from_transaction_data  # type: ignore[import-untyped]

    rows = read_interactions(published, [CUSTOMER, "occurred_on"])
    summary = summary_data_from_transaction_data(
        rows, CUSTOMER, "occurred_on", observation_period_end=pd.Timestamp(as_of)
    )
    # its recency is our span, its frequency the active days after the first one
    return pd.DataFrame(
        {
            CUSTOMER: summary.index,
            "span_days": summary["recency"].to_numpy(),
            "tenure_days": summary["T"].to_numpy(),
            "active_days": summary["frequency"].to_numpy() + 1,
        }
    )


WAYS: Mapping[str, Callable[[Path, date], pd.DataFrame]] = {
    "pandas": by_pandas,
    "lifetimes": by_lifetimes,
}


def _days(rows: pd.DataFrame, as_of: date) -> pd.DataFrame:
    """What the active days say: their number, first and last, and the gaps between them."""
    days = rows[[CUSTOMER, "occurred_on"]].drop_duplicates().sort_values([CUSTOMER, "occurred_on"])
    is_first = days[CUSTOMER].cat.codes.diff().ne(0)
    gaps = days["occurred_on"].diff().dt.days.mask(is_first)
    by_customer = days.groupby(CUSTOMER, observed=True)["occurred_on"].agg(["min", "max", "size"])
    by_gap = gaps.groupby(days[CUSTOMER], observed=True).agg(["mean", "var", "max"])
    end = pd.Timestamp(as_of)
    number = by_customer["size"] - 1
    return pd.DataFrame(
        {
            "span_days": (by_customer["max"] - by_customer["min"]).dt.days,
            "tenure_days": (end - by_customer["min"]).dt.days,
            "recency_days": (end - by_customer["max"]).dt.days,
            "active_days": by_customer["size"],
            "longest_gap_days": by_gap["max"],
            "mean_gap_days": by_gap["mean"],
            # of the population; pandas divides by one less, which is nothing for a single gap
            "sd_gap_days": np.sqrt(by_gap["var"] * (number - 1) / number).mask(number == 1, 0.0),
        }
    )


def _entropy(rows: pd.DataFrame) -> pd.Series[float]:
    """Entropy of the types of every customer's interactions (nats)."""
    counts = rows.groupby([CUSTOMER, "interaction_type"], observed=True).size().rename("n").reset_index()
    counts["n_ln_n"] = counts["n"] * np.log(counts["n"])
    sums = counts.groupby(CUSTOMER, observed=True)[["n", "n_ln_n"]].sum()
    sums["ln_n"] = np.log(sums["n"])
    return sums["ln_n"] - sums["n_ln_n"] / sums["n"]


def _proactive_share(rows: pd.DataFrame) -> pd.Series[float]:
    """Unprompted interactions as a share of those whose prompt is known."""
    known = rows[rows["prompt_status"].isin(["unprompted", "prompted"])]
    is_unprompted = known["prompt_status"].eq("unprompted").astype(float)
    return is_unprompted.groupby(known[CUSTOMER], observed=True).mean()
