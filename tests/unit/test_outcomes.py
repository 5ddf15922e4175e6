"""Which features of outcomes may be missing is said twice, to dbt's macros and in the contract: the same."""

import re
from pathlib import Path

import yaml

PROJECT = Path(__file__).resolve().parents[2]


def listed(macro: str) -> list[str]:
    """The names that a macro of macros/outcomes.sql returns."""
    text = (PROJECT / "macros" / "outcomes.sql").read_text(encoding="utf-8")
    body = re.search(rf"macro {macro}\(\)(.*?)endmacro", text, re.DOTALL)
    assert body
    return re.findall(r'"(\w+)"', body.group(1))


def test_a_feature_that_may_be_missing_is_ranked_among_those_who_have_it() -> None:
    path = PROJECT / "models" / "marts" / "outcomes" / "fct_customer_outcomes.yml"
    (model,) = yaml.safe_load(path.read_text(encoding="utf-8"))["models"]
    nullable = {column["name"] for column in model["columns"] if "constraints" not in column}
    features = listed("outcome_features")
    assert len(features) > 1
    assert [feature for feature in features if feature in nullable] == listed("features_that_may_be_missing")
