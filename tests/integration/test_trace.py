"""`engagement trace`: from a published number to its rows, counted anew; and what it says when it cannot."""

import hashlib
import json
import shutil
from pathlib import Path
from typing import Any

import duckdb
import pytest
from click.testing import CliRunner, Result
from nights import PROJECT, open_published

from orchestration.cli import main
from warehouse import lock
from warehouse.contract import read_contract
from warehouse.night import Warehouse
from warehouse.trace.walk import COVERED, PARTS, Trace, trace

pytestmark = pytest.mark.slow


def engagement(*arguments: str | Path) -> Result:
    """Run the command in this process: its start costs more than a trace."""
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


@pytest.fixture(scope="module")
def customers(sample_warehouse: Path) -> list[str]:
    """A few customers: busy, seen once, with cancelled orders, with returns, much written to."""
    with open_published(sample_warehouse) as published:
        return [
            customer
            for (customer,) in published.execute(
                """
                with
                    kinds as (
                        select
                            customer_id,
                            count(*) as acts,
                            count(distinct occurred_on) as days,
                            count_if(source_table = 'order_returns') as returns,
                            count_if(source_table = 'orders' and revenue = 0) as cancelled,
                            count_if(prompt_rule = 'window') as prompted
                        from marts.fct_interactions
                        where prompt_status <> 'system'
                        group by customer_id
                    )
                (select customer_id from kinds order by acts desc, customer_id limit 1)
                union
                (select customer_id from kinds where days = 1 order by customer_id limit 1)
                union
                (select customer_id from kinds where returns > 0 order by customer_id limit 1)
                union
                (select customer_id from kinds where cancelled > 0 order by customer_id limit 2)
                union
                (select customer_id from kinds order by prompted desc, customer_id limit 1)
                order by all
                """
            ).fetchall()
        ]


def traced(warehouse: Path, raw: Path, model: str, customer: str, **options: Any) -> Trace:
    return trace(
        Warehouse(warehouse),
        raw,
        read_contract(PROJECT),
        PROJECT / "seeds",
        model=model,
        customer=customer,
        **options,
    )


@pytest.mark.parametrize("model", COVERED)
def test_every_number_follows_from_its_rows(
    model: str, customers: list[str], sample_warehouse: Path, sample_raw: Path
):
    assert len(customers) >= 4
    for customer in customers:
        with open_published(sample_warehouse) as published:
            days = published.execute(
                f"select min(snapshot_date), max(snapshot_date) from marts.{model} where customer_id = ?",
                [customer],
            ).fetchone()
        assert days is not None
        for day in sorted(set(days)):
            found = traced(sample_warehouse, sample_raw, model, customer, snapshot=day)
            covered = [number for number in found.numbers if number.counted.unknown != "not covered by trace"]
            wrong = [number for number in covered if number.agrees is not True]
            assert not wrong, wrong
            assert len(found.numbers) - len(covered) == (13 if model == "customer_engagement" else 0)
            assert found.numbers
            with open_published(sample_warehouse) as published:
                columns = {row[0] for row in published.execute(f"describe marts.{model}").fetchall()}
            keys = {"customer_id", "snapshot_date", PARTS.get(model, "")}
            assert {number.column for number in found.numbers} == columns - keys
            for row in found.raw_rows.values():
                assert row.content is not None
                assert not row.note
                assert (sample_raw / str(row.file)).is_file()


def test_a_trace_reaches_run_checks_and_rows(customers: list[str], sample_warehouse: Path, sample_raw: Path):
    found = traced(sample_warehouse, sample_raw, "fct_engagement_proactiveness", customers[0])
    with open_published(sample_warehouse) as published:
        (run,) = published.execute("select run_id from audit.runs").fetchone() or ("",)
        (acts,) = published.execute(
            "select count(*) from marts.fct_interactions where customer_id = ? and prompt_status <> 'system'",
            [customers[0]],
        ).fetchone() or (0,)
    assert found.run.run_id == run
    assert len(found.acts) == acts
    assert {built.model for built in found.model_runs} >= {"fct_engagement_proactiveness", "fct_touches"}
    assert any(check.table == "fct_engagement_proactiveness" and check.checks > 1 for check in found.checks)
    assert all(check.passed == check.checks for check in found.checks)


def test_one_column_shows_only_its_rows(customers: list[str], sample_warehouse: Path, sample_raw: Path):
    for customer in customers:
        found = traced(
            sample_warehouse, sample_raw, "fct_engagement_proactiveness", customer, column="unprompted"
        )
        (number,) = found.numbers
        assert number.published == len(found.acts)
        assert {act.prompt_status for act in found.acts} <= {"unprompted"}


def test_text_and_json_say_the_same_and_always_the_same(
    customers: list[str], sample_warehouse: Path, sample_raw: Path
):
    asked = ("trace", "fct_engagement_volume", "--customer", customers[0])
    places = ("--warehouse", sample_warehouse, "--raw", sample_raw)
    shown, again = (engagement(*asked, *places) for _ in range(2))
    assert shown.exit_code == 0, shown.output
    assert shown.output == again.output
    told = json.loads(engagement(*asked, *places, "--json").output)
    assert told["agrees"] is True
    assert f"{len(told['numbers'])} of {len(told['numbers'])} numbers agree" in shown.output
    assert told["interactions"][-1]["interaction_id"] in shown.output
    assert told["interactions"][-1]["raw_row"]["file"] in shown.output
    assert {"run_id", "code_version", "seeds_hash"} <= told["run"].keys()


def test_identifiers_are_hashed_as_in_the_marts(sample_warehouse: Path, sample_raw: Path):
    with open_published(sample_warehouse) as published:
        customer, email_hash = published.execute(
            """
            select customer_id, email_hash
            from marts.dim_customers
            inner join marts.fct_interactions using (customer_id)
            where email_hash is not null and source_table = 'support_tickets' and prompt_status <> 'system'
            order by all
            limit 1
            """
        ).fetchone() or ("", "")
    model = "fct_engagement_longevity"
    hashed = traced(sample_warehouse, sample_raw, model, customer)
    clear = traced(sample_warehouse, sample_raw, model, customer, in_clear=True)
    emails = {
        row.content["email"] for row in clear.raw_rows.values() if row.content and row.content.get("email")
    }
    assert emails
    assert all("@" in str(email) for email in emails)
    shown = json.dumps([dict(row.content or {}) for row in hashed.raw_rows.values()])
    assert "@" not in shown
    assert email_hash in shown


def test_who_may_not_see_the_build_files_sees_no_raw_rows(
    customers: list[str], sample_warehouse: Path, sample_raw: Path, tmp_path: Path
):
    shutil.copy(sample_warehouse / "engagement.duckdb", tmp_path)
    found = traced(tmp_path, sample_raw, "fct_engagement_volume", customers[0])
    assert not found.raw_rows
    assert found.agrees
    unknown = {number.column for number in found.numbers if number.agrees is None}
    assert unknown == {"orders", "orders_to_date", "revenue", "revenue_to_date"}
    assert any("There are no build files" in note for note in found.notes)


def test_a_running_night_is_not_disturbed(
    customers: list[str], sample_warehouse: Path, sample_raw: Path, tmp_path: Path
):
    copy = Warehouse(shutil.copytree(sample_warehouse, tmp_path / "warehouse"))
    with lock.hold(copy.lock, run_id="night", command="a test", as_of="2026-01-01"):
        found = traced(copy.folder, sample_raw, "fct_engagement_longevity", customers[0])
    assert found.agrees
    assert not found.raw_rows
    assert any("A night is running" in note for note in found.notes)


def test_a_file_that_is_gone_or_changed_is_said_in_its_rows(
    customers: list[str], sample_warehouse: Path, sample_raw: Path, tmp_path: Path
):
    raw = shutil.copytree(sample_raw, tmp_path / "raw")
    model = "fct_engagement_longevity"
    before = traced(sample_warehouse, raw, model, customers[0])
    files = sorted({str(row.file) for row in before.raw_rows.values()})
    for file in files[1:]:
        (raw / file).unlink()
    (raw / files[0]).touch()
    after = traced(sample_warehouse, raw, model, customers[0])
    assert after.agrees
    for row in after.raw_rows.values():
        if row.file == files[0]:
            assert row.content is not None
            assert row.note == "the file has changed since it was read"
        else:
            assert row.content is None
            assert row.note == "the file is no longer in the raw zone"
    (raw / files[0]).write_text("no longer what it was")
    broken = traced(sample_warehouse, raw, model, customers[0])
    assert {row.note for row in broken.raw_rows.values() if row.file == files[0]} <= {
        "the file can no longer be read as it was",
        "the file no longer has this row",
        "the file has changed since it was read",
    }
    assert all(row.content is None for row in broken.raw_rows.values())


WRONG = {
    "fct_engagement_longevity": ("longest_gap_days", "coalesce(longest_gap_days, 0) + 1"),
    "fct_engagement_proactiveness": ("proactive_share_lower", "coalesce(proactive_share_lower, 0) + 0.0001"),
    "fct_engagement_frequency": ("pattern", "'frequent_monotonous'"),
    "fct_engagement_context": ("offline_interactions", "offline_interactions + 1"),
    "fct_engagement_volume": ("revenue_to_date", "revenue_to_date + 0.01"),
    "customer_engagement": ("score", "score + 0.001"),
}


@pytest.mark.parametrize(("model", "planted"), WRONG.items())
def test_a_wrong_number_is_told(
    model: str,
    planted: tuple[str, str],
    customers: list[str],
    sample_warehouse: Path,
    sample_raw: Path,
    tmp_path: Path,
):
    copy = shutil.copytree(sample_warehouse, tmp_path / "warehouse")
    column, wrong = planted
    with duckdb.connect(str(copy / "engagement.duckdb")) as published:
        published.execute(
            f"update marts.{model} set {column} = {wrong}"
            " where customer_id = ? and snapshot_date = '2025-12-31'",
            [customers[0]],
        )
    shown = engagement("trace", model, "--customer", customers[0], "--warehouse", copy, "--raw", sample_raw)
    assert shown.exit_code == 1
    assert "DIFFERS" in shown.stdout
    assert f"{column} " in shown.stderr
    assert "is published as" in shown.stderr
    assert "and counted as" in shown.stderr
    assert "Traceback" not in shown.output


def test_a_row_too_many_and_a_wrong_prompt_are_told(
    customers: list[str], sample_warehouse: Path, sample_raw: Path, tmp_path: Path
):
    copy = shutil.copytree(sample_warehouse, tmp_path / "warehouse")
    with duckdb.connect(str(copy / "engagement.duckdb")) as published:
        published.execute(
            """
            insert into marts.fct_engagement_context
            select * replace ('reactivation' as context)
            from marts.fct_engagement_context
            where customer_id = $1 and is_current and context <> 'reactivation'
            limit 1
            """,
            [customers[0]],
        )
        published.execute(
            """
            update marts.fct_interactions
            set prompt_status = 'unprompted', prompt_rule = 'no_prompt', prompt_touch_id = null
            where prompt_rule = 'window'
            """
        )
        (prompted,) = published.execute(
            "select customer_id from marts.fct_engagement_proactiveness where is_current"
            " order by prompted_by_window desc, customer_id limit 1"
        ).fetchone() or ("",)
    context = traced(copy, sample_raw, "fct_engagement_context", customers[0])
    assert not context.agrees
    assert {number.part for number in context.numbers if number.agrees is False} == {"reactivation"}
    # prompts are found anew among the touches: the facts are right, the interactions are not
    proactiveness = traced(copy, sample_raw, "fct_engagement_proactiveness", prompted)
    assert proactiveness.agrees
    assert any("its touches give window" in note for note in proactiveness.notes)


def test_what_is_not_there_is_said_in_a_sentence(
    customers: list[str], sample_warehouse: Path, sample_raw: Path, tmp_path: Path
):
    places = ("--warehouse", sample_warehouse, "--raw", sample_raw)
    known = ("--customer", customers[0])
    model = "fct_engagement_longevity"
    for arguments, sentence in (
        (("fct_engagement_longevty", *known), "did you mean fct_engagement_longevity?"),
        (("fct_channel_days", *known), "trace does not cover 'fct_channel_days'"),
        ((model, "--customer", "nobody; drop table"), "has no customer"),
        ((model, *known, "--column", "tenure"), "did you mean tenure_days?"),
        ((model, *known, "--column", "customer_id"), "has no column 'customer_id' to trace"),
        ((model, *known, "--snapshot", "2001-01-31"), "months' ends and the current"),
    ):
        refused = engagement("trace", *arguments, *places)
        assert refused.exit_code == 2, refused.output
        assert sentence in refused.stderr
        assert refused.stderr.count("\n") == 1
    assert engagement("trace", model, *places).exit_code == 2
    assert engagement("trace", model, *known, "--snapshot", "yesterday", *places).exit_code == 2
    nothing = engagement("trace", model, *known, "--warehouse", tmp_path)
    assert nothing.exit_code == 1
    assert "Nothing is published" in nothing.stderr
    (tmp_path / "engagement.duckdb").write_text("no database")
    damaged = engagement("trace", model, *known, "--warehouse", tmp_path)
    assert damaged.exit_code == 2
    assert "cannot be read" in damaged.stderr


def test_a_trace_writes_nothing(customers: list[str], sample_warehouse: Path, sample_raw: Path):
    def state() -> dict[str, str]:
        files = [path for path in sample_warehouse.rglob("*.duckdb") if path.is_file()]
        return {str(path): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}

    before = state()
    traced(sample_warehouse, sample_raw, "fct_engagement_volume", customers[0], snapshot=None)
    assert state() == before
