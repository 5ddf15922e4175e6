"""Customers that nights resolve step by step are those of a full build over the same rows, on random graphs.

Rows come late, again with other identifiers, as deletions and before their time, and nights die between the
tables of identity. What does NOT belong here: what the rules make of a graph.
"""

from __future__ import annotations

import csv
import os
import random
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from functools import partial
from operator import eq
from pathlib import Path

import duckdb
import pytest
from bare_nights import BareWarehouse

pytestmark = pytest.mark.slow

# Many small graphs, which share no identifier, so that one history is hundreds of them.
GRAPHS = 400
NIGHTS = [date(2024, 12, 28) + timedelta(days=number) for number in range(4)]
SEEDS = int(os.environ.get("IDENTITY_HISTORIES", "1"))
KINDS = {
    "customer_ref": "g{}n{}",
    "user_id": "g{}n{}",
    "loyalty_id": "g{}n{}",
    "email": "g{}n{}@example.com",
    "phone": "49{:04d}{:04d}",
    "handle": "network/g{}n{}",
    "anonymous_id": "g{}n{}",
}
# Key, time, identifiers and what else is required of the tables that identifiers stand in.
TABLES = {
    "customers": ("customer_ref", "created_at", ("customer_ref", "loyalty_id", "email", "phone"), {}),
    "orders": (
        "order_id",
        "ordered_at",
        ("customer_ref", "user_id", "loyalty_id", "email", "phone"),
        {"sales_channel": "online", "total_amount": "1"},
    ),
    "web_events": ("event_id", "occurred_at", ("user_id", "email", "anonymous_id"), {"event_name": "login"}),
    "support_tickets": ("ticket_id", "created_at", ("customer_ref", "user_id", "email", "handle"), {}),
}
KILLED_AFTER = (
    "int_identity__combinations",
    "int_identity__edges",
    "int_identity__groups",
    "int_identity__assignments",
)
IDENTITY = ("+int_identity__conflicts",)
TABLES_OF_IDENTITY = (
    "select table_name from duckdb_tables() where table_name like 'int\\_identity\\_\\_%' escape '\\'"
    " and table_name not like '%\\_\\_changes' escape '\\' order by 1"
)


class Graphs:
    """A raw zone that grows from night to night; a graph is a few rows over a few identifiers."""

    def __init__(self, seed: int) -> None:
        self._dice = random.Random(seed)
        self._keys: dict[tuple[str, int], list[str]] = {}

    def land(self, raw: Path, night: int) -> None:
        """Write what a night brings: rows of some of the graphs, some with a key that was there before."""
        rows: dict[str, list[dict[str, str]]] = {table: [] for table in (*TABLES, "identity_links")}
        for graph in range(GRAPHS):
            for _ in range(self._dice.choice((0, 0, 1, 2, 5) if night else (1, 2, 3, 6))):
                table = self._dice.choice(list(rows))
                rows[table].append(self._row(table, graph, night))
        for table, written in rows.items():
            (raw / table).mkdir(parents=True, exist_ok=True)
            with (raw / table / f"night-{night}.csv").open("w", encoding="utf-8", newline="") as file:
                writer = csv.DictWriter(file, list(written[0]))
                writer.writeheader()
                writer.writerows(written)

    def _row(self, table: str, graph: int, night: int) -> dict[str, str]:
        dice = self._dice
        at = self._time(night)
        loaded_at = datetime.combine(NIGHTS[night], datetime.min.time(), UTC) + timedelta(
            minutes=dice.randint(0, 1_000)
        )
        row = {
            "loaded_at": loaded_at.isoformat(),
            "is_deleted": str(night > 0 and dice.random() < 0.3).lower(),
        }
        if table == "identity_links":
            ends = dice.sample([(kind, number) for kind in KINDS for number in range(3)], 2)
            for side, (kind, number) in zip(("left", "right"), ends, strict=True):
                row |= {f"{side}_type": kind, f"{side}_value": KINDS[kind].format(graph, number)}
            return row | {"link_id": self._key(table, graph), "observed_at": at.isoformat()}
        key, time, kinds, required = TABLES[table]
        named = dice.sample(kinds, dice.randint(1, len(kinds)))
        for kind in kinds:
            row[kind] = KINDS[kind].format(graph, dice.randint(0, 2)) if kind in named else ""
        if table == "customers":
            row["customer_ref"] = KINDS["customer_ref"].format(graph, dice.randint(0, 2))
        else:
            row[key] = self._key(table, graph)
        return row | {time: at.isoformat()} | required

    def _key(self, table: str, graph: int) -> str:
        """Return a new key, or one that an earlier row has."""
        known = self._keys.setdefault((table, graph), [])
        if not known or self._dice.random() < 0.6:
            known.append(f"{graph}-{len(known)}")
        return self._dice.choice(known)

    def _time(self, night: int) -> datetime:
        """Return one of few instants, so that ties abound: long ago, on the night's day, or after it."""
        day = self._dice.choice((date(2024, 1, 1), date(2024, 1, 2), NIGHTS[night], NIGHTS[-1]))
        return datetime.combine(day, datetime.min.time(), UTC) + timedelta(hours=self._dice.randint(0, 3))


def _contents(file: Path) -> Iterator[tuple[str, list[tuple[object, ...]]]]:
    with duckdb.connect(str(file), read_only=True) as connection:
        for (table,) in connection.execute(TABLES_OF_IDENTITY).fetchall():
            yield table, connection.execute(f"select * from intermediate.{table} order by all").fetchall()


@pytest.mark.timeout(0)
@pytest.mark.parametrize("seed", range(SEEDS))
def test_nights_resolve_what_a_full_build_does(tmp_path: Path, seed: int) -> None:
    graphs, dice = Graphs(seed), random.Random(f"kills of {seed}")
    lived = BareWarehouse(tmp_path / "lived")
    for number, as_of in enumerate(NIGHTS):
        graphs.land(lived.raw, number)
        if number in (1, 2):
            # what a killed night has read arrives again, with more of the next day
            last = dice.choice(KILLED_AFTER)
            assert lived.killed_night(as_of, is_the_end=partial(eq, last), select=IDENTITY)
        if number != 1:
            night = lived.night(as_of, select=IDENTITY)
            assert (night.basis.last_as_of is None) == (number == 0)
    full = BareWarehouse(tmp_path / "full", raw=lived.raw)
    full.night(NIGHTS[-1], is_full_refresh=True, select=IDENTITY)

    expected = dict(_contents(full.place.staging_file))
    assert len(expected) == 9
    assert len(expected["int_identity__conflicts"]) > GRAPHS / 10
    for table, rows in _contents(lived.place.staging_file):
        assert rows == expected[table], table
