"""A year of the synthetic sample through the real night, against the truth that was written beside it.

The sample knows who is who, what prompted what and which rows are duplicates, bots or machines; the
warehouse sees only the raw tables.
"""

from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest
from nights import run_night

from loaders.sample import generate

pytestmark = pytest.mark.slow

AS_OF = "2025-12-31"
TIME_ZONE = "America/New_York"


@pytest.fixture(scope="module")
def raw(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("truth") / "raw"
    generate(800, 365, 11, folder)
    return folder


@pytest.fixture(scope="module")
def warehouse(raw: Path) -> Path:
    folder = raw.parent / "warehouse"
    run_night(raw, folder, AS_OF, TIME_ZONE)
    return folder


@pytest.fixture(scope="module")
def database(raw: Path, warehouse: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """Build files and truth side by side; `known` maps every usable identifier to person and customer."""
    with duckdb.connect() as connection:
        connection.execute(f"attach '{warehouse / 'build' / 'staging.duckdb'}' as staging (read_only)")
        connection.execute(f"attach '{warehouse / 'build' / 'engagement.duckdb'}' as engagement (read_only)")
        for file in (raw / "_truth").glob("*.parquet"):
            connection.execute(f"create view true_{file.stem} as from read_parquet('{file}')")
        connection.execute(
            """
            create table known as
            select identifiers.*, assignments.customer_id
            from true_identifiers as identifiers
            join staging.intermediate.int_identity__assignments as assignments
                on assignments.identifier_key
                = identifiers.identifier_type || ':' || identifiers.identifier_value
            where not is_shared and not is_blocked
            """
        )
        yield connection


def _one(database: duckdb.DuckDBPyConnection, query: str) -> tuple[object, ...]:
    row = database.execute(query).fetchone()
    assert row is not None
    return row


def test_no_customer_is_two_people(database: duckdb.DuckDBPyConnection) -> None:
    merged = database.execute(
        "select customer_id from known group by customer_id having count(distinct person_id) > 1"
    ).fetchall()
    assert merged == []


def test_people_are_split_only_where_strong_ids_were_never_seen_together(
    database: duckdb.DuckDBPyConnection,
) -> None:
    # one person, several customers: then several of these bear a strong id of their own
    split = database.execute(
        """
        select person_id
        from known
        where is_linked
        group by person_id
        having count(distinct customer_id)
            > greatest(1, count(distinct customer_id) filter (identifier_type in ('customer_ref', 'user_id')))
        """
    ).fetchall()
    assert split == []
    whole, people = _one(
        database,
        """
        select count(*) filter (customers = 1), count(*)
        from (select count(distinct customer_id) as customers from known where is_linked group by person_id)
        """,
    )
    assert whole > 0.9 * people


def test_shared_mailboxes_are_recorded_conflicts(database: duckdb.DuckDBPyConnection) -> None:
    shared = _one(
        database,
        """
        select count(*) from true_identifiers as identifiers
        join staging.intermediate.int_identity__conflicts as conflicts
            on list_contains(
                [left_key, right_key], identifiers.identifier_type || ':' || identifiers.identifier_value
            )
        where identifiers.is_shared
        """,
    )
    assert shared[0] > 0


def test_every_row_is_accounted_for_as_planted(database: duckdb.DuckDBPyConnection) -> None:
    differing = database.execute(
        """
        select planted.*, staged.*
        from true_row_counts as planted
        full join (
            select
                source_table,
                sum(row_count) filter (outcome = 'in') as rows_in,
                sum(row_count) filter (outcome = 'out') as rows_out,
                coalesce(sum(row_count) filter (outcome = 'quarantined'), 0) as quarantined,
                coalesce(sum(row_count) filter (outcome = 'superseded'), 0) as superseded,
                coalesce(sum(row_count) filter (outcome = 'deleted'), 0) as deleted
            from engagement.audit.row_accounts
            where layer = 'staging'
            group by source_table
        ) as staged using (source_table)
        where (rows_written, rows_current, rows_quarantined, rows_superseded, rows_deleted)
            is distinct from (rows_in, rows_out, quarantined, superseded, deleted)
        """
    ).fetchall()
    assert differing == []


@pytest.mark.parametrize("trait", ["bot", "machine", "brand", "agent", "test", "deleted", "quarantined"])
def test_what_is_no_act_of_a_customer_is_no_interaction(
    database: duckdb.DuckDBPyConnection, trait: str
) -> None:
    planted, found = _one(
        database,
        f"""
        select count(distinct (source_table, source_key)), count(interaction_id)
        from true_rows
        left join engagement.marts.fct_interactions using (source_table, source_key)
        where trait = '{trait}'
            -- a good version of the same key stays in force
            and (source_table, source_key) not in (
                select (source_table, source_key) from true_rows
                where '{trait}' = 'quarantined' and trait in ('first_version', 'corrected', 'updated')
            )
        """,
    )
    assert planted > 0
    assert found == 0


def test_duplicates_count_once(database: duckdb.DuckDBPyConnection) -> None:
    planted, most = _one(
        database,
        """
        select count(*), max(interactions)
        from (
            select source_table, source_key, count(distinct interaction_id) as interactions
            from true_rows
            join engagement.marts.fct_interactions using (source_table, source_key)
            where trait in ('duplicate_exact', 'duplicate_later')
            group by all
        )
        """,
    )
    assert planted > 0
    assert most == 1


def test_late_rows_are_there(database: duckdb.DuckDBPyConnection) -> None:
    planted, found = _one(
        database,
        """
        select count(distinct source_key), count(distinct interaction_id)
        from true_rows
        left join engagement.marts.fct_interactions using (source_table, source_key)
        where trait = 'late' and source_table in ('web_events', 'orders')
            and source_key not in (
                select source_key from true_rows
                where trait in (
                    'bot', 'deleted', 'quarantined', 'test', 'no_consent', 'unidentified', 'seen_by_shop'
                )
            )
        """,
    )
    assert planted > 0
    assert found == planted


def test_a_purchase_that_shop_and_tracker_saw_counts_once(database: duckdb.DuckDBPyConnection) -> None:
    """The order counts; where the warehouse has no order that names somebody, what the tracker saw."""
    database.execute(
        """
        create or replace table purchases as
        select distinct
            events.event_id,
            events.order_id,
            counted.order_id is not null as is_order_counted,
            tracked.interaction_id is not null as is_tracked_counted,
            evidence.counted_interaction_id = 'orders:' || events.order_id
                and evidence.match_rule = 'same_order' as is_linked
        from true_rows
        join staging.staging.stg_web__events as events on true_rows.source_key = events.event_id
        left join engagement.marts.fct_interactions as counted
            on counted.source_table = 'orders' and counted.order_id = events.order_id
        left join engagement.marts.fct_interactions as tracked
            on tracked.source_table = 'web_events' and tracked.source_key = events.event_id
        left join engagement.marts.fct_purchase_evidence as evidence
            on evidence.source_table = 'web_events' and evidence.source_key = events.event_id
        where true_rows.trait = 'seen_by_shop' and true_rows.source_table = 'web_events'
        """
    )
    wrong = database.execute(
        """
        select * from purchases
        where
            is_order_counted is distinct from not is_tracked_counted
            or is_order_counted is distinct from coalesce(is_linked, false)
        """
    ).fetchall()
    assert wrong == []
    planted, linked, evidence = _one(
        database,
        """
        select count(*), count(*) filter (is_linked),
            (select count(*) from engagement.marts.fct_purchase_evidence)
        from purchases
        """,
    )
    assert isinstance(planted, int)
    assert isinstance(linked, int)
    assert 0.9 * planted < linked == evidence
    accounted = _one(
        database,
        """
        select sum(row_count) from engagement.audit.row_accounts
        where source_table = 'web_events' and reason = 'seen_by_a_better_source'
        """,
    )
    assert accounted == (evidence,)


def test_what_was_prompted_is_prompted(database: duckdb.DuckDBPyConnection) -> None:
    """Every act that a touch caused counts as prompted, where act and touch belong to one customer."""
    database.execute(
        """
        create or replace table prompted as
        select
            acts.prompt_rule as true_rule,
            interactions.prompt_status,
            interactions.customer_id = touches.customer_id as is_one_customer
        from true_prompted_acts as acts
        join engagement.marts.fct_interactions as interactions using (source_table, source_key)
        left join engagement.marts.fct_touches as touches
            on touches.source_table = acts.touch_table and touches.source_key = acts.touch_key
        """
    )
    explicit = _one(
        database,
        "select count(*), count(*) filter (prompt_status = 'prompted') from prompted"
        " where true_rule = 'explicit'",
    )
    windowed = _one(
        database,
        """
        select count(*), count(*) filter (prompt_status = 'prompted')
        from prompted where true_rule = 'window' and is_one_customer
        """,
    )
    assert explicit[0] > 0
    assert explicit[0] == explicit[1]
    assert windowed[0] > 0
    assert windowed[0] == windowed[1]


def test_renewals_and_points_are_the_systems(database: duckdb.DuckDBPyConnection) -> None:
    statuses = database.execute(
        """
        select distinct prompt_status
        from true_rows
        join engagement.marts.fct_interactions using (source_table, source_key)
        where trait = 'system' and source_table in ('orders', 'loyalty_events')
        """
    ).fetchall()
    assert statuses == [("system",)]
