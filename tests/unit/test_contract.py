"""The raw contract: read from the dbt sources, complete, and strict about what it does not understand."""

import re
from datetime import date
from pathlib import Path

import pytest
import yaml

from warehouse.contract import ContractError, read_contract

PROJECT = Path(__file__).resolve().parents[2]
STAGING = PROJECT / "models" / "staging"

IDENTIFIERS = {"customer_ref", "user_id", "anonymous_id", "email", "phone", "loyalty_id", "handle"}

COLUMN = """
          - name: {name}
            description: A column.
            data_type: {data_type}
            config:
              meta: {meta}
"""


def write_sources(project: Path, columns: str, channel: str = "things", table: str = "things") -> None:
    folder = project / "models" / "staging" / channel
    folder.mkdir(parents=True)
    (folder / "_sources.yml").write_text(
        "version: 2\nsources:\n  - name: raw\n    schema: raw\n    tables:\n"
        f"      - name: {table}\n        description: Things.\n        columns:\n{columns}"
    )


def column(name: str, data_type: str = "varchar", meta: str = "{}") -> str:
    return COLUMN.format(name=name, data_type=data_type, meta=meta)


KEY = column("thing_id", meta="{key: true, required: true}")
CLOSING = column("is_deleted", "boolean") + column("loaded_at", "timestamp", "{required: true}")


def test_project_declares_all_tables_of_the_contract() -> None:
    contract = read_contract(PROJECT)
    assert set(contract) == {
        *("customers", "identity_links", "web_events", "message_events", "coupon_redemptions", "orders"),
        *("order_returns", "support_tickets", "support_messages", "social_events", "social_account_days"),
        *("reviews", "loyalty_events", "survey_responses", "community_events", "store_visits", "referrals"),
        *("campaigns", "promotions", "exchange_rates", "erasure_requests"),
    }


def test_every_table_is_well_formed() -> None:
    for table in read_contract(PROJECT).values():
        assert set(table.key) <= set(table.required), table.name
        assert "loaded_at" in table.required, table.name
        assert table.column("is_deleted").data_type == "boolean"
        assert table.description and all(column.description for column in table.columns)
        if table.event_time is not None:
            assert table.column(table.event_time).data_type in {"timestamp", "date"}
        for name in IDENTIFIERS & {column.name for column in table.columns}:
            assert table.column(name).is_identifier and table.column(name).is_personal, f"{table.name}.{name}"


def test_composite_keys_closed_lists_and_limits_are_read() -> None:
    contract = read_contract(PROJECT)
    assert contract["social_account_days"].key == ("network", "account_id", "observed_on")
    assert contract["exchange_rates"].key == ("rate_on", "currency")
    assert contract["orders"].column("sales_channel").accepted_values == (
        "online",
        "in_store",
        "app",
        "phone",
    )
    assert contract["social_events"].column("in_reply_to").accepted_values == ("none", "brand", "customer")
    sentiment = contract["reviews"].column("sentiment")
    assert (sentiment.minimum, sentiment.maximum) == (-1, 1)
    assert contract["web_events"].column("occurred_at").earliest == date(1991, 8, 6)
    assert contract["orders"].column("ordered_at").earliest is None
    assert contract["web_events"].has_taxonomy and not contract["orders"].has_taxonomy
    assert contract["identity_links"].identifiers == ("left_value", "right_value")
    with pytest.raises(KeyError, match="orders has no column colour"):
        contract["orders"].column("colour")


def test_every_table_has_its_models_with_its_columns() -> None:
    """Names the missing piece when a channel is added or a column is forgotten on the way."""
    registry = re.findall(r'"(\w+)": "(\w+__\w+)"', (PROJECT / "macros" / "staging.sql").read_text())
    contract = read_contract(PROJECT)
    assert [table for table, _ in registry] and {table for table, _ in registry} == set(contract)
    for name, model in registry:
        table = contract[name]
        folder = STAGING / table.channel
        assert (folder / f"base_{model}.sql").is_file(), f"{name}: no base_{model}.sql"
        assert (folder / f"stg_{model}.sql").is_file(), f"{name}: no stg_{model}.sql"
        described = yaml.safe_load((folder / "_models.yml").read_text())["models"]
        columns = next(entry for entry in described if entry["name"] == f"stg_{model}")["columns"]
        expected = [column.name for column in table.columns if column.name not in {"is_deleted", "loaded_at"}]
        documented = [column["name"] for column in columns if column["name"] != "is_bot"]
        of_the_night = ["is_deleted", "identity_hash", "changed_in"]
        assert documented == [*expected, "source_file", "loaded_at", *of_the_night], model
        test = next(entry for entry in described if entry["name"] == f"stg_{model}")["data_tests"][0]
        arguments = test["unique_and_complete"]["arguments"]
        assert tuple(arguments["key"]) == table.key, model
        assert {*arguments["key"], *arguments["required"]} == set(table.required), model


def test_no_contract_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ContractError, match="No raw contract"):
        read_contract(tmp_path)


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        (KEY + column("x", "text") + CLOSING, "things.x has data_type 'text'"),
        (KEY + column("x", meta="{requird: true}") + CLOSING, "things.x has unknown meta requird"),
        (KEY + column("x") + column("x") + CLOSING, "table things has a column twice"),
        (column("x") + CLOSING, "table things has no key"),
        (KEY + column("loaded_at", "timestamp"), "must end with is_deleted and loaded_at"),
        (
            KEY + "".join(column(x, "timestamp", "{event_time: true}") for x in "ab") + CLOSING,
            "more than one event_time",
        ),
        (
            KEY + column("x", "timestamp", "{earliest: '2010-01-31'}") + CLOSING,
            "things.x has meta earliest, which only an event_time may have",
        ),
        (
            KEY + column("x", "timestamp", "{event_time: true, earliest: 2010}") + CLOSING,
            "things.x has meta earliest 2010; write a day in quotes",
        ),
    ],
)
def test_mistakes_in_the_sources_are_named(tmp_path: Path, columns: str, message: str) -> None:
    write_sources(tmp_path, columns)
    with pytest.raises(ContractError, match=re.escape(message)):
        read_contract(tmp_path)


def test_a_table_declared_twice_is_an_error(tmp_path: Path) -> None:
    write_sources(tmp_path, KEY + CLOSING, channel="a")
    write_sources(tmp_path, KEY + CLOSING, channel="b")
    with pytest.raises(ContractError, match="things is declared twice"):
        read_contract(tmp_path)


def test_files_that_are_no_sources_are_errors(tmp_path: Path) -> None:
    write_sources(tmp_path, KEY + CLOSING)
    file = tmp_path / "models" / "staging" / "things" / "_sources.yml"
    file.write_text(file.read_text().replace("name: raw", "name: landing"))
    with pytest.raises(ContractError, match="source landing is not raw"):
        read_contract(tmp_path)
    file.write_text("sources: [")
    with pytest.raises(ContractError, match="cannot be read"):
        read_contract(tmp_path)
