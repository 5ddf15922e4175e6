"""Which features of outcomes may be missing is said twice, to dbt's macros and in the contract: the same."""

import yaml
from macro_lists import PROJECT, names_from


def test_a_feature_that_may_be_missing_is_ranked_among_those_who_have_it() -> None:
    path = PROJECT / "models" / "marts" / "outcomes" / "fct_customer_outcomes.yml"
    (model,) = yaml.safe_load(path.read_text(encoding="utf-8"))["models"]
    nullable = {column["name"] for column in model["columns"] if "constraints" not in column}
    features = names_from("outcomes.sql", "outcome_features")
    assert len(features) > 1
    assert [feature for feature in features if feature in nullable] == names_from(
        "outcomes.sql", "features_that_may_be_missing"
    )
