"""The rows that a number follows from: read from the published file, and of orders from the build files.

Everything is read-only, and nothing is read that models have added up: interactions and touches one by one.
What does NOT belong here: what is counted (`warehouse.trace.counted`), raw rows (`warehouse.trace.raw_rows`).
"""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import duckdb

from warehouse.trace.counted import Act, Booking, Evidence, Rules, Touch, Value
from warehouse.trace.score import DIMENSIONS, MODEL, Peer, Ranking

_CANCELLED = frozenset({"cancelled", "canceled", "voided"})
_MONEY = Decimal("0.0001")


class TraceError(RuntimeError):
    """There is nothing to trace; the message is one sentence for whoever asked."""


@dataclass(frozen=True)
class Run:
    """The night that was published, as `audit.runs` has it."""

    run_id: str
    as_of: date
    business_time_zone: str
    reporting_currency: str
    code_version: str
    seeds_hash: str
    published_at: datetime | None
    night_number: int
    versions: Mapping[str, str]


def read_run(published: duckdb.DuckDBPyConnection) -> Run:
    """Return the night that readers see.

    Raises:
        TraceError: The file says of no night that it was published.
    """
    row = published.execute(
        """
        select run_id, as_of, business_time_zone, reporting_currency, code_version, seeds_hash, published_at,
            night_number, dbt_version, duckdb_version, dagster_version, great_expectations_version
        from audit.runs
        where outcome = 'succeeded'
        order by published_at desc
        limit 1
        """
    ).fetchone()
    if row is None:
        raise TraceError("The published file names no night that was published.")
    versions = dict(zip(("dbt", "DuckDB", "Dagster", "Great Expectations"), row[8:], strict=True))
    run_id, as_of, zone, currency, code, seeds, published_at, number = row[:8]
    return Run(run_id, as_of, zone, currency, code, seeds, published_at, number, versions)


def read_rules(seeds: Path) -> Rules:
    """Return the business decisions under a folder of seeds."""
    types = _types(_seed(seeds, "interaction_types"))
    return Rules(
        thresholds={row["threshold"]: float(row["value"]) for row in _seed(seeds, "thresholds")},
        windows={
            row["touch_channel"]: timedelta(days=float(row["window_days"]))
            for row in _seed(seeds, "prompt_windows")
        },
        weights={name: float(row["weight"] or 0) for name, row in types.items()},
        types=types,
    )


def read_ranking(published: duckdb.DuckDBPyConnection, seeds: Path, customer: str) -> Ranking:
    """Return what the score of a customer needs beside the customer's own rows."""
    measures = ", ".join(f"{name}_measure" for name in DIMENSIONS)
    query = f"select customer_id, tenure_band, {measures} from marts.{MODEL}"  # noqa: S608 - our own names
    rows = published.execute(query).fetchall()
    everybody = {name: Peer(band, dict(zip(DIMENSIONS, told, strict=True))) for name, band, *told in rows}
    own = everybody.pop(customer, Peer(None, {}))
    renewals = published.execute(
        "select occurred_on, revenue from marts.fct_interactions"
        " where customer_id = ? and prompt_status = 'system' and revenue is not null",
        [customer],
    ).fetchall()
    return Ranking(
        own=own.measures,
        peers=list(everybody.values()),
        renewals=renewals,
        dimensions=_seed(seeds, "score_dimensions"),
        bands=_seed(seeds, "tenure_bands"),
        tiers=_seed(seeds, "engagement_tiers"),
        stages=_seed(seeds, "engagement_stages"),
    )


def read_rows(
    published: duckdb.DuckDBPyConnection, model: str, part: str | None, customer: str, snapshot: date
) -> dict[str, dict[str, Value]]:
    """Return the published rows of a customer at a snapshot date, by context or channel.

    Args:
        published: The published file.
        model: The mart.
        part: Column that tells the customer's rows of one date apart; None where there is one row.
        customer: The customer.
        snapshot: The snapshot date.
    """
    query = f"select * from marts.{model} where customer_id = ? and snapshot_date = ?"  # noqa: S608 - our names
    result = published.execute(query, [customer, snapshot])
    names = [column[0] for column in result.description]
    rows = [dict(zip(names, row, strict=True)) for row in result.fetchall()]
    return {str(row[part]) if part else "": row for row in rows}


def read_evidence(
    published: duckdb.DuckDBPyConnection,
    run: Run,
    rules: Rules,
    customer: str,
    snapshot: date,
    bookings: Mapping[str, Booking] | None,
) -> Evidence:
    """Return what the numbers of a customer at a snapshot date follow from.

    Raises:
        TraceError: The customer did nothing until that day.
    """
    acts = _acts(published, customer, snapshot)
    if not acts:
        raise TraceError(f"Customer {customer} did nothing until {snapshot}.")
    first_day = min(act.occurred_on for act in acts)
    first_source = min(act.source_table for act in acts if act.occurred_on == first_day)
    (history_starts_on,) = _one(
        published, "select min(occurred_on) from marts.fct_interactions where source_table = ?", first_source
    )
    (feeds_start_at,) = _one(published, "select min(touched_at) from marts.fct_touches")
    active_days = len({act.occurred_on for act in acts})
    return Evidence(
        customer_id=customer,
        snapshot_date=snapshot,
        as_of=run.as_of,
        zone=ZoneInfo(run.business_time_zone),
        rules=rules,
        acts=acts,
        touches=_touches(published, customer, snapshot),
        feeds_start_at=feeds_start_at,
        history_starts_on=history_starts_on,
        # with two gaps of one's own nobody else matters
        population_gaps=_population_gaps(published, snapshot) if active_days < 3 else {},
        bookings=bookings,
    )


def read_bookings(
    build: duckdb.DuckDBPyConnection, published: duckdb.DuckDBPyConnection, run: Run, customer: str
) -> dict[str, Booking] | None:
    """Return what the customer's orders and returns were booked with, from their staged rows.

    Args:
        build: The build file with schema staging.
        published: The published file, which says what orders and returns the customer has.
        run: The published night.
        customer: The customer.

    Returns:
        Booking by interaction; None when the build files no longer hold one of the rows.
    """
    keys = published.execute(
        "select interaction_id, source_table, source_key from marts.fct_interactions"
        " where customer_id = ? and source_table in ('orders', 'order_returns')",
        [customer],
    ).fetchall()
    returned = [key for _, table, key in keys if table == "order_returns"]
    returns = {
        row["return_id"]: row
        for row in _records(
            build,
            "select return_id, order_id, returned_at, amount, currency"
            " from staging.staging.stg_orders__returns where return_id in (select unnest(?))",
            returned,
        )
    }
    wanted = [key for _, table, key in keys if table == "orders"]
    wanted += [row["order_id"] for row in returns.values()]
    ordered = {
        row["order_id"]: row
        for row in _records(
            build,
            "select order_id, ordered_at, cancelled_at, status, total_amount, currency"
            " from staging.staging.stg_orders__orders where order_id in (select unnest(?))",
            wanted,
        )
    }
    till = _Till(build, run)
    bookings: dict[str, Booking] = {}
    for interaction, table, key in keys:
        row = ordered.get(key) if table == "orders" else returns.get(key)
        order = row if table == "orders" else ordered.get(row["order_id"]) if row else None
        if row is None or order is None:
            return None
        cancelled_at = till.cancelled_at(order)
        if table == "orders":
            amount = till.amount(row["total_amount"], row["currency"], row["ordered_at"])
        elif cancelled_at is None or row["returned_at"] < cancelled_at:
            amount = -till.amount(row["amount"], row["currency"], row["returned_at"])
        else:
            amount = Decimal()
        bookings[interaction] = Booking(amount, till.day(cancelled_at) if cancelled_at else None)
    return bookings


class _Till:
    """Values orders: rates by business day, and what of a cancellation is known at the snapshot date."""

    def __init__(self, build: duckdb.DuckDBPyConnection, run: Run) -> None:
        self._zone = ZoneInfo(run.business_time_zone)
        self._currency = run.reporting_currency
        self._as_of = run.as_of
        self._rates = build.execute(
            "select currency, rate_on, rate from staging.staging.stg_finance__exchange_rates order by all"
        ).fetchall()

    def day(self, moment: datetime) -> date:
        return moment.replace(tzinfo=ZoneInfo("UTC")).astimezone(self._zone).date()

    def amount(self, amount: Decimal | None, currency: str | None, moment: datetime) -> Decimal:
        """Return an amount in the reporting currency, at the last rate at or before the business day."""
        if amount is None or currency is None or currency == self._currency:
            return Decimal(amount or 0)
        day = self.day(moment)
        rates = [rate for name, since, rate in self._rates if name == currency and since <= day]
        if not rates:
            return Decimal()
        return Decimal(float(amount) * rates[-1]).quantize(_MONEY, ROUND_HALF_UP)

    def cancelled_at(self, order: Mapping[str, Any]) -> datetime | None:
        """Return when an order was cancelled, if that is known at the snapshot date."""
        moment: datetime | None = None
        if order["cancelled_at"] is not None:
            moment = max(order["cancelled_at"], order["ordered_at"])
        elif (order["status"] or "").lower() in _CANCELLED:
            moment = order["ordered_at"]
        return moment if moment is not None and self.day(moment) <= self._as_of else None


def _acts(published: duckdb.DuckDBPyConnection, customer: str, snapshot: date) -> list[Act]:
    rows = published.execute(
        """
        select interaction_id, channel, interaction_type, occurred_at, occurred_on, visit_id, prompt_status,
            prompt_rule, prompt_touch_id, campaign_id, context, in_promotion, is_offline, engaged_seconds,
            sentiment, revenue, source_table, source_key, loaded_at
        from marts.fct_interactions
        where customer_id = ? and occurred_on <= ? and prompt_status <> 'system'
        order by occurred_at, interaction_id
        """,
        [customer, snapshot],
    ).fetchall()
    return [Act(*row) for row in rows]


def _touches(published: duckdb.DuckDBPyConnection, customer: str, snapshot: date) -> list[Touch]:
    rows = published.execute(
        """
        select touch_id, channel, campaign_id, touched_at, touched_on, source_table, source_key, loaded_at
        from marts.fct_touches
        where customer_id = ? and touched_on <= ?
        order by touched_at, touch_id
        """,
        [customer, snapshot],
    ).fetchall()
    return [Touch(*row) for row in rows]


def _population_gaps(published: duckdb.DuckDBPyConnection, snapshot: date) -> dict[int, int]:
    """Return how many gaps of all customers, over by the end of the snapshot's month, had which length."""
    rows = published.execute(
        """
        with
            days as (
                select distinct customer_id, occurred_on
                from marts.fct_interactions
                where prompt_status <> 'system' and occurred_on <= last_day(?::date)
            ),
            gaps as (
                select
                    occurred_on - lag(occurred_on) over (
                        partition by customer_id order by occurred_on
                    ) as gap_days
                from days
            )
        select gap_days, count(*) from gaps where gap_days is not null group by gap_days
        """,
        [snapshot],
    ).fetchall()
    return dict(rows)


def _records(connection: duckdb.DuckDBPyConnection, query: str, keys: Sequence[str]) -> list[dict[str, Any]]:
    if not keys:
        return []
    result = connection.execute(query, [list(keys)])
    names = [column[0] for column in result.description]
    return [dict(zip(names, row, strict=True)) for row in result.fetchall()]


def _one(connection: duckdb.DuckDBPyConnection, query: str, *values: object) -> tuple[Any, ...]:
    row = connection.execute(query, list(values)).fetchone()
    if row is None:
        raise TraceError("The published file holds no interactions.")
    return row


def _types(rows: Sequence[Mapping[str, str]]) -> dict[str, dict[str, str]]:
    """Return what is said of every type of interaction; of several events that are one type, the first."""
    found: dict[str, dict[str, str]] = {}
    for row in rows:
        if row["route"] == "interaction":
            known = found.setdefault(row["interaction_type"], dict(row))
            known.update({name: min(known[name], value) for name, value in row.items()})
    return found


def _seed(folder: Path, name: str) -> list[dict[str, str]]:
    with (folder / f"{name}.csv").open(encoding="utf-8", newline="") as lines:
        return list(csv.DictReader(lines))
