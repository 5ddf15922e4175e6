"""Puts a whole sample together and lands it."""

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from loaders.sample.campaigns import exchange_rate_frame, make_plans, plan_frames
from loaders.sample.clock import Clock
from loaders.sample.commerce import loyalty_frame, make_commerce, other_orders, store_visit_frame
from loaders.sample.defects import plant
from loaders.sample.dice import Dice
from loaders.sample.feedback import referral_frame, review_frame, survey_frame
from loaders.sample.identity import customer_frame, erasure_frame, link_frame, web_sightings
from loaders.sample.people import make_people
from loaders.sample.social import account_day_frame, community_frame, make_social
from loaders.sample.support import make_support
from loaders.sample.touches import make_messaging
from loaders.sample.truth import truth_tables
from loaders.sample.web import make_web
from loaders.sample.write import FileFormat, Writer

DEFAULT_END = date(2025, 12, 31)
EVENTS_PER_CUSTOMER_YEAR = 50.0
NOTE = "_SYNTHETIC.txt"
TRUTH = "_truth"

# Rows or acts per event of the sample; what is left over goes to the web site and the app.
WEB_SHARE = 0.76
TOUCH_SHARE = 0.055
STORE_AND_PHONE_SHARE = 0.012
STORE_VISIT_SHARE = 0.01
POINTS_REDEEMED_SHARE = 0.002
TICKET_SHARE = 0.005
SOCIAL_SHARE = 0.025
COMMUNITY_SHARE = 0.008
REVIEW_SHARE = 0.003
SURVEY_SHARE = 0.001
REFERRAL_SHARE = 0.001


class SampleError(ValueError):
    """A sample cannot be made as asked; the message says what to change."""


@dataclass(frozen=True)
class SampleSummary:
    """What one run of the generator wrote.

    Attributes:
        raw: The raw zone.
        customers: Number of true people.
        days: Length of the period in days.
        seed: Seed of the random numbers.
        end_on: Last day of the period.
        rows: Rows per raw table, in the order of writing.
        truth: Folder with the known truth.
    """

    raw: Path
    customers: int
    days: int
    seed: int
    end_on: date
    rows: Mapping[str, int]
    truth: Path

    @property
    def events(self) -> int:
        """Rows in all raw tables together."""
        return sum(self.rows.values())


def generate(
    customers: int,
    days: int,
    seed: int,
    out: Path,
    *,
    end_on: date = DEFAULT_END,
    events_per_customer: float | None = None,
    file_format: FileFormat = "parquet",
) -> SampleSummary:
    """Write a synthetic raw zone of all channels, and the truth about it.

    The same arguments give the same rows in the same order. Tables of an earlier sample in the folder are
    replaced; files of other loaders stay where they are.

    Args:
        customers: Number of true people, at least 1.
        days: Length of the period, at least 14.
        seed: Whole number of at least 0.
        out: Raw zone to write; made as needed.
        end_on: Last day of the period, in UTC.
        events_per_customer: Rows per person that are aimed at; by default 50 per year. Small samples hold
            more, because they show every case.
        file_format: "parquet" writes most tables as Parquet and small ones as CSV and JSON lines; "csv" and
            "jsonl" write all tables so.

    Returns:
        What was written.

    Raises:
        SampleError: An argument is out of range.
        OSError: The folder cannot be written.
    """
    if customers < 1 or days < 14 or seed < 0:
        raise SampleError("A sample takes at least 1 customer, 14 days and a seed of 0 or more")
    if events_per_customer is not None and events_per_customer <= 0:
        raise SampleError("The events per customer must be above 0")
    per_customer = (
        EVENTS_PER_CUSTOMER_YEAR * days / 365 if events_per_customer is None else events_per_customer
    )
    dice = Dice(seed, customers, days)
    clock = Clock(days, end_on)
    target = per_customer * customers

    people = make_people(dice, clock, customers)
    plans = make_plans(clock)
    least = 3 * len(plans.channel)
    messaging = make_messaging(dice, clock, people, plans, max(least, round(target * TOUCH_SHARE)))
    tickets, messages, touches = make_support(
        dice, clock, people, _acts(target, TICKET_SHARE), messaging.touches
    )
    social, touches = make_social(dice, clock, people, _acts(target, SOCIAL_SHARE, 15), touches)
    web, orders, devices = make_web(dice, clock, people, messaging.visits, touches, _acts(target, WEB_SHARE))
    seen = web_sightings(people, devices, web)
    orders = orders.followed_by(
        other_orders(dice, clock, people, _acts(target, STORE_AND_PHONE_SHARE), messaging.store_orders)
    )
    order_rows, returns, redemptions = make_commerce(dice, clock, people, plans, orders, touches)
    campaigns, promotions = plan_frames(clock, plans)
    frames = [
        customer_frame(dice, clock, people),
        link_frame(dice, clock, people, devices, seen),
        web,
        messaging.frame,
        redemptions,
        order_rows,
        returns,
        tickets,
        messages,
        social,
        account_day_frame(dice, clock),
        review_frame(dice, clock, people, _acts(target, REVIEW_SHARE), messaging.reviews, touches),
        loyalty_frame(dice, clock, people, orders, _acts(target, POINTS_REDEEMED_SHARE)),
        survey_frame(dice, clock, people, _acts(target, SURVEY_SHARE), messaging.surveys, touches),
        community_frame(dice, clock, people, _acts(target, COMMUNITY_SHARE, 15)),
        store_visit_frame(dice, clock, people, _acts(target, STORE_VISIT_SHARE), orders),
        referral_frame(dice, clock, people, _acts(target, REFERRAL_SHARE)),
        campaigns,
        promotions,
        exchange_rate_frame(dice, clock),
        erasure_frame(clock, people),
    ]
    del web
    for place, frame in enumerate(frames):
        frames[place] = plant(dice, clock, frame)
    rows = {frame.table: len(frame) for frame in frames}
    parameters = {
        "customers": customers,
        "days": days,
        "seed": seed,
        "end_on": end_on,
        "events_per_customer": round(per_customer, 6),
        "file_format": file_format,
    }
    draft = out / f".sample-{seed}.tmp"
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(parents=True)
    try:
        writer = Writer(draft, clock, people.zone, file_format)
        for frame in frames:
            writer.raw_table(frame)
        for name, parts in truth_tables(people, devices, seen, touches, frames).items():
            writer.truth_table(name, parts)
        _place(draft, out, [frame.table for frame in frames])
        (out / NOTE).write_text(_note(parameters, rows), encoding="utf-8")
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    return SampleSummary(
        raw=out, customers=customers, days=days, seed=seed, end_on=end_on, rows=rows, truth=out / TRUTH
    )


def _acts(target: float, share: float, least: int = 8) -> int:
    """Number of acts of one kind; enough of them for every case even in a small sample."""
    return max(least, round(target * share))


def _place(draft: Path, out: Path, tables: Sequence[str]) -> None:
    """Replace an earlier sample in the raw zone by the files of the draft."""
    for name in [*tables, TRUTH]:
        folder = out / name
        folder.mkdir(parents=True, exist_ok=True)
        for old in folder.glob("*.parquet" if name == TRUTH else "sample-*.*"):
            old.unlink()
        for new in sorted((draft / name).iterdir()):
            new.replace(folder / new.name)


def _note(parameters: Mapping[str, object], rows: Mapping[str, int]) -> str:
    """Text that says, beside the data, what the data is."""
    lines = [
        "SYNTHETIC DATA",
        "",
        "Nobody in this folder exists. The rows were made by the sample generator of the engagement",
        "warehouse (docs/sample.md) and say nothing about any company, customer or market. Addresses are in",
        "domains kept for examples, telephone numbers in the range kept for fiction.",
        "",
        "Parameters",
        *(f"  {name} = {value}" for name, value in parameters.items()),
        "",
        "Rows",
        *(f"  {table} = {count}" for table, count in rows.items()),
        "",
        f"The known truth about the rows is in {TRUTH}/.",
        "",
    ]
    return "\n".join(lines)
