"""What a changed seed or model restates."""

from collections.abc import Mapping

from orchestration import dbt, restatement


def changed(model: str, part: str) -> restatement.Restatement:
    """The restatement when that part of a model differs from the last night's."""
    manifest = dbt.project().manifest
    now = restatement.fingerprints(manifest)
    before: dict[str, Mapping[str, str]] = {**now, model: {**now[model], part: "as it was"}}
    return restatement.restatement(manifest, now, before)


def test_a_changed_rule_of_one_table_leaves_the_rows_of_others() -> None:
    """The quarantine holds rows of all tables; those of others are neither lost nor read again."""
    anew = changed("base_web__events", "sql")
    assert {"base_web__events", "stg_web__events", "int_web__interactions"} <= {*anew.models}
    assert not {"base_stores__visits", "stg_stores__visits", "stg_quarantine__rows"} & {*anew.models}


def test_a_quarantine_that_is_itself_changed_reads_all_rows() -> None:
    anew = changed("stg_quarantine__rows", "sql")
    assert {"base_web__events", "base_stores__visits", "stg_quarantine__rows"} <= {*anew.models}


def test_a_threshold_is_followed_by_who_names_it_and_its_version_by_who_carries_it() -> None:
    fingerprints = restatement.fingerprints(dbt.project().manifest)

    def followers(part: str) -> set[str]:
        return {model for model, parts in fingerprints.items() if f"seed thresholds: {part}" in parts}

    assert followers("frequent_active_days_90") == {"fct_engagement_frequency"}
    assert followers("cart_abandonment_hours") == {"int_carts__closed"}
    assert followers("thresholds_version") == {"fct_channel_days", "fct_survey_scores"}
