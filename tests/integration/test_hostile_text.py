"""HTML, SQL, a template and a terminal's markup, in every text column of every raw table, do nothing.

It goes the whole way: through the models, into the report, and onto the terminal of whoever asks. Columns of
personal data hold an address and a telephone number besides, which end in staging.
"""

import csv
import json
import shutil
from collections.abc import Iterator
from datetime import date

import duckdb
import pytest
from bare_nights import HASH_KEY, BareWarehouse
from click.testing import CliRunner, Result
from nights import PROJECT

from orchestration.cli import main
from report import page
from warehouse.contract import RawColumn, RawTable, read_contract

pytestmark = pytest.mark.slow

HOSTILE = (
    "<img src=x onerror=alert(1)></td><script>alert(1)</script>'; drop table orders; --\" {{ 7 * 7 }} [/red]"
)
AS_OF = date(2024, 1, 31)
PERSONAL = "ann{}@example.org +49 151 2345678"
# Columns that are tagged by nothing and may hold anything.
FREE_TEXT = frozenset({"page_url", "referrer_url", "utm_source", "utm_medium", "utm_campaign"})
# a group of fewer is not shown in the report
PEOPLE = 12


def event_names() -> dict[str, str]:
    """An event of every table that knows some."""
    with (PROJECT / "seeds" / "interaction_types.csv").open(encoding="utf-8", newline="") as seed:
        return {row["source_table"]: row["event_name"] for row in reversed(list(csv.DictReader(seed)))}


EVENT_NAMES = event_names()


def value(table: RawTable, column: RawColumn, number: int) -> str:
    """What stands in a column of a row: something sound, and hostile where text is free."""
    if column.accepted_values:
        return column.accepted_values[0]
    if column.name == "event_name":
        return EVENT_NAMES[table.name]
    if column.data_type == "varchar":
        # rows and persons differ, groups of them have one name, and amounts a currency that has a rate
        differs = (column.is_key or column.is_identifier) and column.name != "currency"
        text = f"{number} {HOSTILE}" if differs else HOSTILE
        is_personal = column.is_personal or column.name in FREE_TEXT
        return f"{text} {PERSONAL.format(number)}" if is_personal else text
    if column.data_type in ("timestamp", "date"):
        return "2024-01-20" if column.name == "loaded_at" else "2024-01-05"
    if column.data_type == "boolean":
        return ""
    return {"scale_min": "0", "scale_max": "10"}.get(column.name, "1")


@pytest.fixture(scope="module")
def company(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BareWarehouse]:
    """A published warehouse of nothing but hostile rows."""
    nights = BareWarehouse(tmp_path_factory.mktemp("hostile"))
    for table in read_contract(PROJECT).values():
        (nights.raw / table.name).mkdir()
        with (nights.raw / table.name / f"{HOSTILE.replace('/', '')}.csv").open("w", newline="") as file:
            rows = csv.writer(file)
            rows.writerow([column.name for column in table.columns])
            for number in range(PEOPLE):
                rows.writerow([value(table, column, number) for column in table.columns])
    nights.night(AS_OF)
    shutil.copy(nights.place.marts_file, nights.place.published)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ENGAGEMENT_HASH_KEY", HASH_KEY)
        patch.setenv("ENGAGEMENT_RAW", str(nights.raw))
        patch.setenv("ENGAGEMENT_WAREHOUSE", str(nights.place.folder))
        yield nights


def engagement(*arguments: str) -> Result:
    return CliRunner().invoke(main, arguments)


def test_every_row_comes_through(company: BareWarehouse) -> None:
    """None is lost and none is held back."""
    with duckdb.connect(str(company.place.marts_file), read_only=True) as connection:
        assert connection.execute("select * from audit.quarantine").fetchall() == []
        tables = dict(
            connection.execute(
                "select source_table, count(*) from marts.fct_interactions group by all"
            ).fetchall()
        )
        assert tables.keys() >= {"orders", "web_events", "reviews", "survey_responses", "store_visits"}
        assert set(tables.values()) == {PEOPLE}


def test_no_address_and_no_number_leaves_staging(company: BareWarehouse) -> None:
    """Whatever column of the contract it stands in that is tagged as personal, or is free text."""
    found: dict[str, set[str]] = {}
    for file in (company.place.staging_file, company.place.marts_file):
        with duckdb.connect(str(file), read_only=True) as connection:
            for schema, table, column in connection.execute(
                "select schema_name, table_name, column_name from duckdb_columns()"
                " inner join duckdb_tables() using (database_name, schema_name, table_name)"
                " where data_type = 'VARCHAR'"
            ).fetchall():
                (count,) = connection.execute(
                    f"select count(*) from {file.stem}.{schema}.{table}"
                    f" where regexp_matches({column}, '@example|234 ?5678')"
                ).fetchone() or (0,)
                if count:
                    found.setdefault(schema, set()).add(f"{table}.{column}")
    personal = {
        column.name
        for table in read_contract(PROJECT).values()
        for column in table.columns
        if column.is_personal or column.name in FREE_TEXT
    }
    seen = {name.partition(".")[2] for name in found["staging"] if name.startswith("stg_")}
    assert personal <= seen, "it stood everywhere"
    # a seed knows addresses that are nobody's
    assert found.keys() - {"seeds"} == {"staging", "intermediate"}


def test_the_report_shows_it_as_text(company: BareWarehouse) -> None:
    shown = page.render(company.place.published)
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in shown, "there is something to see"
    assert "{{ 7 * 7 }}" in shown
    for tag in ("<script", "<img", "</td><"):
        assert tag not in shown.replace("</td></tr>", "").replace("</td><td", ""), tag


def test_the_terminal_shows_it_as_text(company: BareWarehouse) -> None:
    with duckdb.connect(str(company.place.marts_file), read_only=True) as connection:
        (customer,) = connection.execute(
            "select min(customer_id) from marts.fct_interactions where source_table = 'orders'"
        ).fetchone() or ("",)
    told = engagement("trace", "fct_engagement_volume", "--customer", customer)
    assert told.exit_code == 0, told.output
    assert "<script>alert(1)</script>'; drop table orders; --" in told.output
    assert "{{ 7 * 7 }} [/red]" in told.output
    told = engagement("trace", "fct_engagement_volume", "--customer", customer, "--json")
    assert json.loads(told.output)["agrees"] is True
    told = engagement("trace", "fct_engagement_volume", "--customer", HOSTILE)
    assert (told.exit_code, "has no customer" in told.output) == (2, True)
    named = f"customer_ref=3 {HOSTILE} {PERSONAL.format(3)}"
    told = engagement("erase", "--identifier", named, "--list-raw")
    assert told.exit_code == 0, told.output
    # an order, and the customer
    assert f" 3 {HOSTILE}\n" in told.output
    assert f" 3 {HOSTILE} {PERSONAL.format(3)}\n" in told.output
    out = company.place.folder / "person.json"
    told = engagement("export-person", "--identifier", named, "--out", str(out))
    assert told.exit_code == 0, told.output
    assert f"3 {HOSTILE}" in {row["key"] for row in json.loads(out.read_text(encoding="utf-8"))["raw_zone"]}
    assert engagement("status").exit_code == 0
