"""The sample is a test bed only if what it says about itself is true: all is read from its files."""

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import pytest

from loaders.sample import SampleError, SampleSummary, generate
from warehouse.contract import RawContract, read_contract
from warehouse.raw_zone import inspect

PROJECT = Path(__file__).parents[2]

Query = Callable[[str], list[tuple[Any, ...]]]


@pytest.fixture(scope="module")
def contract() -> RawContract:
    return read_contract(PROJECT)


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> SampleSummary:
    return generate(1_200, 365, 7, tmp_path_factory.mktemp("sample") / "raw")


@pytest.fixture(scope="module")
def query(sample: SampleSummary) -> Query:
    return reader(sample)


def reader(sample: SampleSummary) -> Query:
    """Views over the raw tables and the truth (as truth_<name>), and a function that asks them."""
    connection = duckdb.connect()
    connection.sql("set time zone 'UTC'")
    for table in sample.rows:
        files = sorted((sample.raw / table).iterdir())
        scan = {".parquet": "read_parquet", ".csv": "read_csv", ".jsonl": "read_json"}[files[0].suffix]
        options = "" if scan == "read_parquet" else ", auto_detect=true"
        names = ", ".join(f"'{path}'" for path in files)
        if files[0].suffix == ".csv":
            connection.sql(f"create view {table}_text as select * from read_csv([{names}], all_varchar=true)")
        connection.sql(f"create view {table} as select * from {scan}([{names}]{options})")
    for path in sample.truth.iterdir():
        connection.sql(f"create view truth_{path.stem} as select * from read_parquet('{path}')")
    return lambda text: connection.sql(text).fetchall()


def content(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def test_the_same_parameters_give_the_same_files_and_another_seed_gives_others(tmp_path: Path) -> None:
    for name, seed in (("one", 3), ("two", 3), ("other", 4)):
        generate(40, 60, seed, tmp_path / name)
    assert content(tmp_path / "one") == content(tmp_path / "two")
    one, other = content(tmp_path / "one"), content(tmp_path / "other")
    assert one["web_events/sample-0000.parquet"] != other["web_events/sample-0000.parquet"]
    assert one["_truth/rows.parquet"] != other["_truth/rows.parquet"]


def test_landing_again_replaces_the_sample_and_leaves_other_loaders_alone(tmp_path: Path) -> None:
    generate(40, 60, 3, tmp_path / "raw")
    foreign = tmp_path / "raw" / "orders" / "shop.parquet"
    foreign.write_bytes(b"kept")
    (tmp_path / "raw" / "orders" / "sample-0009.parquet").write_bytes(b"of an earlier, larger sample")
    generate(40, 60, 4, tmp_path / "raw")
    generate(40, 60, 4, tmp_path / "fresh")
    assert foreign.read_bytes() == b"kept"
    foreign.unlink()
    assert content(tmp_path / "raw") == content(tmp_path / "fresh")


def test_all_tables_of_the_contract_are_there_with_their_columns(
    sample: SampleSummary, contract: RawContract
) -> None:
    assert set(sample.rows) == set(contract)
    assert min(sample.rows.values()) > 0
    zone = inspect(sample.raw, contract)
    found = {table.table.name: table for table in zone.tables}
    for name, table in contract.items():
        written = {column for file in found[name].files for column in file.columns}
        known = {column.name for column in table.columns}
        assert set(table.required) | set(table.key) <= written, name
        assert written <= known, name
        assert known - written <= {"is_deleted"}, name


@pytest.mark.parametrize("file_format", ["csv", "jsonl"])
def test_every_format_holds_the_same_rows(tmp_path: Path, file_format: Any, contract: RawContract) -> None:
    plain = generate(20, 60, 3, tmp_path / "parquet")
    other = generate(20, 60, 3, tmp_path / file_format, file_format=file_format)
    assert plain.rows == other.rows
    inspect(other.raw, contract)
    for table in ("web_events", "orders", "message_events"):
        key = contract[table].key[0]
        time = contract[table].event_time
        text = f"select {key}, {time}::timestamptz, loaded_at::timestamptz from {table} order by all"
        assert reader(plain)(text) == reader(other)(text)


def test_small_samples_hold_every_kind_of_act(tmp_path: Path) -> None:
    small = reader(generate(20, 60, 1, tmp_path / "raw"))
    acts = {
        "message_events": 8,
        "social_events": 11,
        "loyalty_events": 6,
        "community_events": 8,
    }
    for table, kinds in acts.items():
        assert small(f"select count(distinct event_name) from {table}") == [(kinds,)]
    assert small("select count(distinct metric) from survey_responses") == [(4,)]
    assert small("select count(distinct purpose), count(distinct channel) from campaigns") == [(6, 5)]
    assert small("select count(distinct author_role) from support_messages") == [(3,)]
    assert small("select count(*) > 0 from orders where status = 'cancelled'") == [(True,)]
    assert small("select count(*) > 0 from order_returns") == [(True,)]


def test_the_tiniest_sample_works(tmp_path: Path) -> None:
    assert generate(1, 14, 0, tmp_path / "raw").events > 0


@pytest.mark.parametrize("arguments", [(0, 60, 1), (10, 13, 1), (10, 60, -1)])
def test_wrong_arguments_are_refused(tmp_path: Path, arguments: tuple[int, int, int]) -> None:
    with pytest.raises(SampleError):
        generate(*arguments, tmp_path / "raw")
    assert not (tmp_path / "raw").exists()


def test_the_data_says_that_it_is_synthetic(sample: SampleSummary, query: Query) -> None:
    note = (sample.raw / "_SYNTHETIC.txt").read_text()
    assert "SYNTHETIC" in note
    assert "seed = 7" in note
    assert query("select count(*) from campaigns where name not like 'Synthetic campaign %'") == [(0,)]
    emails = "select distinct lower(trim(email)) as email from customers where email is not null"
    assert query(
        f"select count(*) from ({emails}) where not regexp_matches(email, '@example\\.(com|org)$')"
    ) == [(0,)]
    digits = "select regexp_replace(phone, '[^0-9]', '', 'g') as phone from customers where phone is not null"
    assert query(f"select count(*) from ({digits}) where not regexp_matches(phone, '^1[2-9]..55501..$')") == [
        (0,)
    ]


def test_rows_are_loaded_after_they_happened_and_late_ones_days_later(query: Query) -> None:
    on_time = query("""
        select count(*) from web_events
        where loaded_at not between occurred_at and occurred_at + interval 1 day
          and event_id not in (select source_key from truth_rows where source_key is not null)
    """)
    assert on_time == [(0,)]
    late = query("""
        select count(*), count(*) filter (web_events.loaded_at >= occurred_at + interval 2 day)
        from web_events
        join truth_rows on source_key = event_id and truth_rows.loaded_at = web_events.loaded_at
        where source_table = 'web_events' and trait = 'late'
    """)
    assert late[0][0] == late[0][1] > 0


def test_row_counts_add_up_and_match_the_files(sample: SampleSummary, query: Query) -> None:
    counts = query("""
        select source_table, rows_written, rows_quarantined + rows_superseded + rows_deleted + rows_current
        from truth_row_counts
    """)
    assert {table: rows for table, rows, _ in counts} == dict(sample.rows)
    assert all(rows == parts for _, rows, parts in counts)


def test_current_rows_are_what_is_left_after_deduplication(
    sample: SampleSummary, query: Query, contract: RawContract
) -> None:
    broken = dict(query("select source_table, rows_quarantined from truth_row_counts"))
    for table, current in query("select source_table, rows_current from truth_row_counts"):
        key = ", ".join(contract[table].key)
        columns = {name for name, *_ in query(f"describe {table}")}
        deleted = "coalesce(is_deleted, false)" if "is_deleted" in columns else "false"
        left = query(f"""
            select count(*) from (
                select * from {table}
                qualify row_number() over (partition by {key} order by loaded_at desc) = 1
            ) where not {deleted}
        """)
        assert left == [(current + broken[table],)], table


@pytest.mark.parametrize("trait", ["duplicate_exact", "duplicate_later", "corrected", "updated", "deleted"])
def test_keys_of_repeated_rows_exist_twice(query: Query, contract: RawContract, trait: str) -> None:
    tables = query(f"select source_table, count(*) from truth_rows where trait = '{trait}' group by all")
    assert len(tables) >= 3
    for table, rows in tables:
        key = contract[table].key[0]
        condition = {
            "duplicate_exact": "count(*) = 2 and min(loaded_at) = max(loaded_at)",
            "deleted": "count(*) = 2 and max_by(is_deleted, loaded_at) and not min_by(is_deleted, loaded_at)",
        }.get(trait, "count(*) = 2 and min(loaded_at) < max(loaded_at)")
        fitting = query(f"""
            select count(*) from (
                select {key} from {table}
                where {key} in (select source_key from truth_rows
                                where source_table = '{table}' and trait = '{trait}')
                group by {key} having {condition}
            )
        """)
        assert fitting == [(rows,)], table


def test_corrections_change_the_row_and_duplicates_do_not(query: Query) -> None:
    for trait, versions in (("corrected", 2), ("duplicate_later", 1), ("duplicate_exact", 1)):
        changed = query(f"""
            select distinct versions from (
                select order_id, count(distinct total_amount) as versions from orders
                where order_id in (select source_key from truth_rows
                                   where source_table = 'orders' and trait = '{trait}')
                group by order_id
            )
        """)
        assert changed == [(versions,)], trait


def test_prompted_acts_follow_a_touch_of_the_same_person_in_its_window(query: Query) -> None:
    connection = f"read_csv('{PROJECT / 'seeds' / 'prompt_windows.csv'}')"
    wrong = query(f"""
        select * from truth_prompted_acts
        left join {connection} as windows using (touch_channel)
        where touch_key is not null
          and not coalesce(lag_seconds > 0 and lag_seconds <= 86400 * window_days, false)
    """)
    assert wrong == []
    channels = query("select distinct touch_channel from truth_prompted_acts where touch_key is not null")
    assert len(channels) == 7
    assert query(
        "select count(*) from truth_prompted_acts where touch_key is null and prompt_rule = 'window'"
    ) == [(0,)]
    keys = query("select count(*), count(distinct (source_table, source_key)) from truth_prompted_acts")
    assert keys[0][0] == keys[0][1] > 1_000


@pytest.mark.parametrize(
    ("table", "key", "time", "is_touch"),
    [
        ("message_events", "event_id", "occurred_at", "event_name in ('sent', 'delivered')"),
        ("social_events", "event_id", "occurred_at", "is_brand_author and in_reply_to = 'customer'"),
        ("support_messages", "message_id", "sent_at", "author_role = 'agent' and is_public"),
    ],
)
def test_the_touches_of_prompted_acts_are_in_the_data(
    query: Query, table: str, key: str, time: str, is_touch: str
) -> None:
    missing = query(f"""
        select count(*) from truth_prompted_acts
        where touch_table = '{table}' and not exists (
            select 1 from {table}
            where {table}.{key} = touch_key and {is_touch} and {table}.{time}::timestamp = touched_at
        )
    """)
    assert missing == [(0,)]


def test_touches_and_answers_name_the_same_person(query: Query) -> None:
    named = query("""
        with owners as (
            select identifier_type, identifier_value, min(person_id) as person_id
            from truth_identifiers where not is_shared and not is_blocked group by all
        )
        select count(*), count(*) filter (owners.person_id = truth_prompted_acts.person_id)
        from truth_prompted_acts
        join message_events on event_id = touch_key and touch_table = 'message_events'
        join owners on (identifier_type = 'customer_ref' and identifier_value = customer_ref)
            or (identifier_type = 'email' and identifier_value = lower(trim(email)))
            or (identifier_type = 'phone' and identifier_value = regexp_replace(phone, '[^0-9]', '', 'g'))
    """)
    assert named[0][0] == named[0][1] > 1_000
    visits = query("""
        select count(*), count(*) filter (truth_identifiers.person_id = truth_prompted_acts.person_id)
        from truth_prompted_acts
        join web_events on event_id = source_key and source_table = 'web_events'
        join truth_identifiers on identifier_type = 'anonymous_id' and identifier_value = anonymous_id
        where is_linked
    """)
    assert visits[0][0] == visits[0][1] > 500


def test_every_identifier_has_one_owner_unless_it_is_shared(query: Query) -> None:
    assert (
        query("""
        select identifier_type, identifier_value from truth_identifiers
        group by all
        having not bool_or(is_blocked) and (count(*) > 1) <> bool_or(is_shared)
    """)
        == []
    )
    kinds = query("select identifier_type from truth_identifiers group by all order by all")
    assert [kind for (kind,) in kinds] == [
        "anonymous_id", "customer_ref", "email", "handle", "loyalty_id", "phone", "user_id",
    ]  # fmt: skip
    shared = query("select distinct identifier_type from truth_identifiers where is_shared order by all")
    assert shared == [("anonymous_id",), ("email",)]


def test_linked_identifiers_lead_to_their_owner_and_to_nobody_else(query: Query) -> None:
    """Connected components over the rows, without identifiers of several people, are the true people."""
    shared = "select identifier_value from truth_identifiers where is_shared or is_blocked"
    email, phone = "lower(trim(email))", "regexp_replace(phone, '[^0-9]', '', 'g')"
    pairs = query(f"""
        with seen as (
            select 'a' || anonymous_id as one, 'u' || user_id as two from web_events
            union select 'a' || anonymous_id, 'e' || {email} from web_events
            union select 'u' || user_id, 'e' || {email} from web_events
            union select 'c' || customer_ref, 'e' || {email} from customers
            union select 'c' || customer_ref, 'p' || {phone} from customers
            union select 'c' || customer_ref, 'l' || loyalty_id from customers
            union select 'c' || customer_ref, 'u' || user_id from orders
            union select left_type[1] || left_value, right_type[1] || right_value from identity_links
        )
        select one, two from seen
        where one is not null and two is not null
          and one[2:] not in ({shared}) and two[2:] not in ({shared})
    """)
    parent: dict[str, str] = {}

    def root(name: str) -> str:
        while (above := parent.setdefault(name, name)) != name:
            parent[name] = name = parent[above]
        return name

    for one, two in pairs:
        parent[root(one)] = root(two)
    owners = query("""
        select identifier_type[1] || identifier_value, person_id, is_linked from truth_identifiers
        where not is_shared and not is_blocked and identifier_value not like 'reviews.%'
    """)
    people: dict[str, set[int]] = {}
    components: dict[int, set[str]] = {}
    for name, person, is_linked in owners:
        people.setdefault(root(name), set()).add(person)
        if is_linked:
            components.setdefault(person, set()).add(root(name))
    assert all(len(found) == 1 for found in people.values())
    assert all(len(found) == 1 for found in components.values())
    unlinked = [name for name, person, is_linked in owners if not is_linked]
    assert unlinked
    chain = query(
        "select count(*) from identity_links where left_value like 'chain-%' or right_value like 'chain-%'"
    )
    assert chain == [(1_000,)]


def test_clock_changes_and_midnight_are_covered(query: Query) -> None:
    repeated = query("""
        select count(distinct entered_at) from store_visits_text
        where entered_at like '2025-11-02T01:30:00%'
    """)
    assert repeated == [(2,)]
    crossing = """
        select count(*) from (
            select min(occurred_at) as first_at, max(occurred_at) as last_at
            from web_events join truth_rows on source_key = event_id and source_table = 'web_events'
            where trait = '{}' group by web_events.anonymous_id, date_trunc('month', occurred_at)
        ) where {}
    """
    for change in (
        "2025-11-02 06:00:00+00",
        "2025-10-26 01:00:00+00",
        "2025-03-09 07:00:00+00",
        "2025-03-30 01:00:00+00",
    ):
        found = query(crossing.format("dst", f"first_at < '{change}'::timestamptz and last_at > '{change}'"))
        assert found[0][0] >= 1, change
    assert query(crossing.format("midnight", "first_at::date <> last_at::date"))[0][0] >= 1


def test_currencies_have_a_rate_every_day(query: Query) -> None:
    assert query("select distinct currency from orders order by all nulls last") == [
        ("EUR",), ("GBP",), ("JPY",), ("USD",), (None,),
    ]  # fmt: skip
    assert query("select currency, count(*) from exchange_rates group by all order by all") == [
        ("EUR", 372), ("GBP", 372), ("JPY", 372),
    ]  # fmt: skip


def test_quarantined_rows_are_few_and_each_breaks_its_rule(sample: SampleSummary, query: Query) -> None:
    for table, written, quarantined in query(
        "select source_table, rows_written, rows_quarantined from truth_row_counts"
    ):
        assert quarantined <= written / 1_000, table
    rules = {
        rule for (rule,) in query("select distinct expected_rule from truth_rows where trait = 'quarantined'")
    }
    assert {"unknown_event_name", "impossible_time", "missing_event_name"} <= rules
    assert query(
        "select count(*) from truth_rows where (trait = 'quarantined') <> (expected_rule is not null)"
    ) == [(0,)]
    known = f"read_csv('{PROJECT / 'seeds' / 'interaction_types.csv'}')"
    unknown = query(f"""
        select event_id from web_events
        where event_name not in (select event_name from {known} where source_table = 'web_events')
        order by all
    """)
    assert unknown == query("""
        select source_key from truth_rows
        where source_table = 'web_events' and expected_rule = 'unknown_event_name' order by all
    """)


def test_machines_bots_brand_agents_and_systems_are_told_apart(query: Query) -> None:
    def marked(table: str, trait: str) -> str:
        return f"select source_key from truth_rows where source_table = '{table}' and trait = '{trait}'"

    pairs = [
        ("message_events", "event_id", "is_machine", "machine"),
        ("social_events", "event_id", "is_brand_author", "brand"),
        ("support_messages", "message_id", "author_role = 'agent'", "agent"),
        ("support_messages", "message_id", "author_role = 'system'", "system"),
        ("orders", "order_id", "is_auto_renewal", "system"),
        ("orders", "order_id", "is_test", "test"),
        ("orders", "order_id", "status = 'cancelled'", "cancelled"),
        (
            "web_events",
            "event_id",
            "regexp_matches(user_agent, '(?i)bot|spider|headless|python')",
            "bot",
        ),
    ]
    for table, key, condition, trait in pairs:
        said = query(f"""
            select distinct {key} from {table}
            where ({condition}) and {key} not in (
                select coalesce(source_key, '') from truth_rows
                where source_table = '{table}' and trait = 'quarantined'
            ) order by all
        """)
        told = query(f"select distinct source_key from ({marked(table, trait)}) order by all")
        assert said == told, (table, trait)
        assert said, (table, trait)
    assert query("select count(*) from web_events where user_agent is null")[0][0] > 0
