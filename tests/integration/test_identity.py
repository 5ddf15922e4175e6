"""Customers as the warehouse resolves them, against an independent reading of the rules, on random graphs.

The graphs share no identifier, so one night resolves all of them at once.
"""

import csv
import random
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import duckdb
import pytest
from identity_reference import Identifier, Sighting, resolve
from nights import PROJECT, run_night

KINDS = ("customer_ref", "user_id", "loyalty_id", "email", "phone", "handle", "anonymous_id")
GRAPHS = 300
CHAIN = 1_000
START = datetime(2024, 1, 1, tzinfo=UTC)


def _maximum() -> dict[str, int]:
    with (PROJECT / "seeds" / "identifier_rules.csv").open(encoding="utf-8") as seed:
        return {row["identifier_type"]: int(row["max_per_customer"]) for row in csv.DictReader(seed)}


def _value(kind: str, graph: int, number: int) -> str:
    """Return a value that normalisation leaves as it is."""
    if kind == "email":
        return f"g{graph}n{number}@example.com"
    if kind == "phone":
        return f"49{graph:04d}{number:04d}"
    return f"network/g{graph}n{number}" if kind == "handle" else f"g{graph}n{number}"


def _random_graph(graph: int) -> list[Sighting]:
    """Return links of one graph: few values and few distinct times, so that ties and conflicts abound."""
    dice = random.Random(graph)
    kinds = dice.sample(KINDS, dice.randint(2, len(KINDS)))
    values = [(kind, _value(kind, graph, number)) for kind in kinds for number in range(dice.randint(1, 7))]
    sightings: list[Sighting] = []
    for _ in range(dice.randint(1, 14)):
        left, right = dice.sample(values, 2) if len(values) > 1 else (values[0], values[0])
        if left != right:
            sightings.append((left, right, START + timedelta(hours=dice.randint(0, 5))))
    return sightings


def _chain() -> list[Sighting]:
    """Return a chain of weak identifiers, its links in no order of time, with a customer at its far end."""
    dice = random.Random("chain")
    values: list[Identifier] = [("anonymous_id", f"chain{number:05d}") for number in range(CHAIN + 1)]
    dice.shuffle(values)
    links = [
        (left, right, START + timedelta(seconds=dice.randint(0, 10_000))) for left, right in pairwise(values)
    ]
    return [
        *links,
        (("email", "chain@example.com"), values[0], START),
        (("customer_ref", "chained"), ("email", "chain@example.com"), START),
    ]


# Tables in which two kinds of identifiers stand in one row: key, time, identifiers, what else is required.
TABLES = {
    "orders": ("order_id", "ordered_at", KINDS[:5], {"sales_channel": "online", "total_amount": "1"}),
    "web_events": ("event_id", "occurred_at", ("user_id", "email", "anonymous_id"), {"event_name": "login"}),
    "support_tickets": ("ticket_id", "created_at", ("customer_ref", "user_id", "email", "handle"), {}),
}


def _land(raw: Path, sightings: list[Sighting]) -> None:
    """Write every sighting as a row of a table that has both kinds, where there is one, or as a link."""
    dice = random.Random("land")
    rows: dict[str, list[dict[str, str]]] = {table: [] for table in (*TABLES, "identity_links")}
    for number, (left, right, at) in enumerate(sightings):
        loaded_at = (at + timedelta(hours=1)).isoformat()
        fitting = [table for table, (_, _, kinds, _) in TABLES.items() if {left[0], right[0]} <= set(kinds)]
        if left[0] != right[0] and fitting and dice.random() < 0.7:
            table = dice.choice(fitting)
            key, time, kinds, required = TABLES[table]
            values = dict.fromkeys(kinds, "") | dict((left, right)) | required
            rows[table].append({key: str(number), time: at.isoformat(), "loaded_at": loaded_at} | values)
        else:
            ends = {
                "left_type": left[0],
                "left_value": left[1],
                "right_type": right[0],
                "right_value": right[1],
            }
            link = {"link_id": str(number), "observed_at": at.isoformat(), "loaded_at": loaded_at}
            rows["identity_links"].append(link | ends)
    for table, written in rows.items():
        (raw / table).mkdir(parents=True)
        with (raw / table / "rows.csv").open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, list(written[0]))
            writer.writeheader()
            writer.writerows(written)


@pytest.fixture(scope="module")
def sightings() -> list[Sighting]:
    return [sighting for graph in range(GRAPHS) for sighting in _random_graph(graph)] + _chain()


@pytest.fixture(scope="module")
def warehouse(tmp_path_factory: pytest.TempPathFactory, sightings: list[Sighting]) -> Path:
    folder = tmp_path_factory.mktemp("identity")
    _land(folder / "raw", sightings)
    run_night(folder / "raw", folder / "warehouse", "2024-12-31", "UTC")
    return folder / "warehouse"


@pytest.fixture(scope="module")
def resolved(warehouse: Path) -> dict[Identifier, str]:
    with duckdb.connect(str(warehouse / "build" / "staging.duckdb"), read_only=True) as connection:
        rows = connection.execute(
            "select identifier_key, customer_id from intermediate.int_identity__assignments"
        ).fetchall()
    return {(key.split(":", 1)[0], key.split(":", 1)[1]): customer for key, customer in rows}


def test_customers_equal_the_reference(sightings: list[Sighting], resolved: dict[Identifier, str]) -> None:
    expected = {frozenset(customer) for customer in resolve(sightings, _maximum())}
    found: dict[str, set[Identifier]] = {}
    for identifier, customer in resolved.items():
        found.setdefault(customer, set()).add(identifier)
    assert {frozenset(customer) for customer in found.values()} == expected


def test_a_chain_of_a_thousand_links_is_one_customer(resolved: dict[Identifier, str]) -> None:
    # a customer may have more cookies than the chain has links
    links = {customer for (kind, value), customer in resolved.items() if value.startswith("chain0")}
    assert links == {resolved["customer_ref", "chained"]}


def test_the_graphs_are_worth_testing(sightings: list[Sighting], resolved: dict[Identifier, str]) -> None:
    # customers with several strong ids, and strong ids that a shared weak one did not merge
    strong: dict[str, set[Identifier]] = {}
    for identifier, customer in resolved.items():
        if identifier[0] in ("customer_ref", "user_id"):
            strong.setdefault(customer, set()).add(identifier)
    assert sum(len(ids) > 1 for ids in strong.values()) > 20
    assert len(strong) > GRAPHS


def test_every_retired_id_leads_to_a_customer(warehouse: Path) -> None:
    with duckdb.connect(str(warehouse / "engagement.duckdb"), read_only=True) as connection:
        lost = connection.execute(
            "select count(*) from audit.identity_merges anti join marts.dim_customers using (customer_id)"
        ).fetchone()
        chained = connection.execute(
            "select count(*) from audit.identity_merges group by customer_id order by 1 desc"
        ).fetchone()
        hidden = connection.execute(
            "select count(*) from marts.dim_customers where email_hash like '%@%'"
        ).fetchone()
    assert lost == (0,)
    assert chained is not None and chained[0] >= CHAIN
    assert hidden == (0,)


def test_conflicts_are_recorded(warehouse: Path) -> None:
    with duckdb.connect(str(warehouse / "engagement.duckdb"), read_only=True) as connection:
        reasons = dict(
            connection.execute(
                "select conflict_reason, count(*) from audit.identity_conflicts group by 1"
            ).fetchall()
        )
    assert reasons.get("two_strong_ids", 0) > 0
    assert reasons.get("too_many_values", 0) > 0
