"""Which measures a score may be made of is said twice, to dbt's macros and to the seed's test: the same."""

import yaml
from macro_lists import PROJECT, names_from


def test_the_seed_may_choose_what_the_macro_offers() -> None:
    offered = names_from("scores.sql", "score_measures")
    seeds = yaml.safe_load((PROJECT / "seeds" / "_seeds.yml").read_text(encoding="utf-8"))["seeds"]
    columns = next(seed for seed in seeds if seed["name"] == "score_dimensions")["columns"]
    tests = next(column for column in columns if column["name"] == "measure")["data_tests"]
    assert tests == [{"accepted_values": {"arguments": {"values": offered}}}]
