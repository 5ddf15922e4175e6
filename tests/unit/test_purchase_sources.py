"""Seed `purchase_sources`: who is believed when several sources saw a purchase."""

import csv
from pathlib import Path

SEEDS = Path(__file__).resolve().parents[2] / "seeds"


def test_orders_come_first_and_no_two_sources_are_equal() -> None:
    with (SEEDS / "purchase_sources.csv").open(encoding="utf-8") as file:
        ranks = {row["source_table"]: int(row["precedence"]) for row in csv.DictReader(file)}
    assert min(ranks, key=lambda source: ranks[source]) == "orders"
    assert len({*ranks.values()}) == len(ranks)


def test_a_purchase_weighs_the_same_whoever_saw_it() -> None:
    with (SEEDS / "interaction_types.csv").open(encoding="utf-8") as file:
        weights = {row["interaction_type"]: float(row["weight"]) for row in csv.DictReader(file)}
    assert weights["web_purchase"] == weights["message_purchase"] == weights["order"] > 0
