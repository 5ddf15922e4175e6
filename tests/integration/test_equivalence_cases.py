"""What can change what was already built, one case at a time: a second night equals a full refresh.

All cases start from one small first night, `BASE`. When a history of `test_equivalence` fails, the case that
it comes down to belongs here. Rows are written as `table key [time] column=value ...`.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from unittest.mock import patch

import pytest
from bare_nights import BareWarehouse, in_child
from differences import assert_same, differences
from histories import CONTRACT, Arrival, History, land, scratch
from raw_rows import DAY, Values

from warehouse import raw_files, raw_zone

pytestmark = pytest.mark.slow

T = date(2024, 3, 10)
NEXT = date(2024, 3, 11)
# What rows say that do not say otherwise.
DEFAULTS: dict[str, Values] = {
    "exchange_rates": {"currency": "EUR"},
    "message_events": {"message_channel": "email", "event_name": "sent"},
    "orders": {"sales_channel": "online", "total_amount": "10"},
    "reviews": {"rating": "4"},
    "support_messages": {"author_role": "customer"},
    "survey_responses": {"metric": "nps", "score": "9"},
    "web_events": {"event_name": "product_view"},
}
# What a deletion says besides, to be a sound row.
DELETED: dict[str, Values] = {
    "exchange_rates": {"rate": "1"},
    "identity_links": {"left": "email:x", "right": "email:y"},
    "promotions": {"starts_at": "2024-01-01", "ends_at": "2024-01-02"},
    "support_messages": {"ticket_id": "t"},
}

BASE = """
customers ada created_at=2023-11-01 email=ada@x.org
customers bob created_at=2023-12-01 email=bob@x.org
customers cyd created_at=2023-12-01 email=cyd@x.org country=DE
identity_links l1 left=anonymous_id:a9 right=customer_ref:cyd observed_at=2024-03-01
identity_links l2 left=user_id:u1 right=customer_ref:ada observed_at=2024-01-01
exchange_rates 2024-01-01 1.1
exchange_rates 2024-03-01 1.2
campaigns g1 purpose=promotional
campaigns g2 purpose=informational
promotions p1 sales_channel=online starts_at=2024-02-20 ends_at=2024-03-05
# Ada looks and buys, writes to support, and is mailed to
web_events w1 2024-01-10T10:00:00 user_id=u1
web_events w2 2024-03-09T23:50:00 user_id=u1 engaged_seconds=3.3
web_events w3 2024-03-10T00:05:00 user_id=u1 event_name=page_view
orders o1 2024-01-15T12:00:00 customer_ref=ada email=ada@x.org
orders o2 2024-03-02T12:00:00 customer_ref=ada currency=EUR coupon_code=k1
order_returns r1 2024-02-01T12:00:00 order_id=o1 amount=5 currency=EUR
coupon_redemptions d1 2024-03-02T12:00:00 customer_ref=ada coupon_code=k1 campaign_id=g1
message_events m1 2024-03-01T08:00:00 email=ada@x.org campaign_id=g1
message_events m2 2024-03-01T09:00:00 email=ada@x.org campaign_id=g1 event_name=opened
support_tickets t1 2024-03-03T09:00:00 customer_ref=ada created_by=customer
support_messages a1 2024-03-03T09:30:00 ticket_id=t1
support_messages a2 2024-03-03T10:00:00 ticket_id=t1 author_role=agent
# Bob comes to the store, cancels in the future, and is helped in the future
web_events w4 2024-02-14T18:00:00 email=bob@x.org campaign_id=g2
orders o3 2024-02-16T12:00:00 customer_ref=bob sales_channel=in_store total_amount=30
orders o4 2024-03-08T12:00:00 customer_ref=bob cancelled_at=2024-03-11T12:00:00
web_events w5 2024-03-10T09:00:00 email=bob@x.org user_agent=Googlebot/2.1
web_events w6 2024-03-10T10:00:00 email=bob@x.org
support_tickets t2 2024-02-01T09:00:00 customer_ref=bob solved_at=2024-03-11T08:00:00
message_events m3 2024-03-10T08:00:00 email=bob@x.org campaign_id=g2
# Cyd has little, some of it held back
orders o5 2024-03-01T12:00:00 customer_ref=cyd currency=GBP
orders o6 2024-03-02T12:00:00 customer_ref=cyd is_test=true
orders o7 2024-02-25T12:00:00 customer_ref=cyd is_auto_renewal=true
web_events w7 2024-03-04T12:00:00 anonymous_id=a9
web_events w8 2024-03-05T12:00:00 anonymous_id=a9 event_name=nobody_knows_this
store_visits v1 2024-03-10T20:00:00 customer_ref=cyd left_at=2024-03-11T01:00:00
message_events m4 2024-03-09 customer_ref=cyd is_date_only=true
# Eve has been silent for more than two years
orders o8 2021-12-01T12:00:00 customer_ref=eve total_amount=5
# nobody knows who: before and after midnight
web_events w9 2024-03-10T23:45:00 anonymous_id=a4
web_events w10 2024-03-11T00:10:00 anonymous_id=a4
# what comes before what it belongs to
order_returns r2 2024-03-05T12:00:00 order_id=o9 amount=2
support_messages a3 2024-03-04T12:00:00 ticket_id=t3
# Ada's purchases, as the tracker and the messaging tool see them: with an order, beside one, before one
web_events p1 2024-03-02T11:59:58 user_id=u1 event_name=purchase order_id=o2
message_events p2 2024-03-02T12:05:00 email=ada@x.org event_name=purchased order_id=o2
web_events p3 2024-01-15T12:00:05 anonymous_id=a4 event_name=purchase
web_events p4 2024-03-05T12:00:00 user_id=u1 event_name=purchase order_id=o77
message_events p5 2024-03-05T11:00:00 email=bob@x.org event_name=purchased order_id=o77
web_events p6 2024-02-10T12:00:00 user_id=u1 event_name=purchase
web_events p7 2024-03-10T23:50:00 email=bob@x.org event_name=purchase
# a row each of the other channels
social_events s1 2024-03-06T12:00:00 network=x handle=ada event_name=mention customer_ref=ada
reviews y1 2024-03-06T13:00:00 customer_ref=bob has_text=true
loyalty_events z1 2024-03-06T14:00:00 loyalty_id=l-bob customer_ref=bob event_name=enrolled
survey_responses q1 2024-03-06T15:00:00 customer_ref=cyd invited_at=2024-03-05
community_events u1 2024-03-06T16:00:00 handle=cyd email=cyd@x.org event_name=answer
referrals f1 2024-03-06T17:00:00 referrer_ref=ada referred_email=bob@x.org
"""


@dataclass(frozen=True)
class Case:
    """What arrives before the second night.

    Attributes:
        title: One line.
        rows: What arrives.
        as_of: Snapshot date of the second night; that of the first one in most cases, so that all that
            differs comes from the rows.
        is_news: Whether readers shall see a difference.
    """

    title: str
    rows: Sequence[str]
    as_of: date
    is_news: bool


def case(title: str, *rows: str, as_of: date = T, is_news: bool = True) -> Case:
    """Make a case."""
    return Case(title, rows, as_of, is_news)


CASES = (
    # rows: late, corrected, deleted, held back
    case("nothing arrives", is_news=False),
    case("a row of years ago", "web_events n1 2020-05-05T05:05:05 user_id=u1"),
    case("a row of somebody new", "web_events n1 2024-03-05T05:05:05 user_id=u77"),
    case("a row without anybody", "web_events n1 2024-03-05T05:05:05", is_news=False),
    case("a row with a blocked identifier", "orders n1 2024-03-05 customer_ref=0", is_news=False),
    case("a row of a day", "message_events n1 2024-03-08 email=bob@x.org is_date_only=true"),
    case("a row at the last instant of the day", "web_events n1 2024-03-10T23:59:59 user_id=u1"),
    case("a row at the first instant of the month", "web_events n1 2024-03-01T00:00:00 user_id=u1"),
    case(
        "two rows at the same instant",
        "web_events n1 2024-03-09T23:50:00 user_id=u1",
        "message_events n2 2024-03-09T23:50:00 email=ada@x.org",
    ),
    case(
        "the same row again",
        "orders o1 2024-01-15T12:00:00 customer_ref=ada email=ada@x.org loaded_at=2024-03-11T02:00:00",
        is_news=False,
    ),
    case(
        "an older version comes late",
        "orders o1 2024-01-15T12:00:00 customer_ref=ada total_amount=99 loaded_at=2024-01-16",
        is_news=False,
    ),
    case("a corrected amount", "orders o1 2024-01-15T12:00:00 customer_ref=ada total_amount=99"),
    case("a corrected time", "orders o1 2022-01-15T12:00:00 customer_ref=ada"),
    case("a corrected time that is not known yet", "orders o3 2024-03-11T01:00:00 customer_ref=bob"),
    case("a corrected customer", "orders o1 2024-01-15T12:00:00 customer_ref=bob"),
    case("a corrected customer, to nobody", "orders o1 2024-01-15T12:00:00"),
    case("a deleted row", "orders o1 is_deleted=true"),
    case("the only row of a customer is deleted", "orders o8 is_deleted=true"),
    case(
        "a row that breaks a rule does not replace a sound one",
        "orders o1 2024-01-15 customer_ref=ada total_amount=-1",
    ),
    case("a row that was held back is corrected", "web_events w8 2024-03-05T12:00:00 anonymous_id=a9"),
    case("a bot turns out to be a person", "web_events w5 2024-03-10T09:00:00 email=bob@x.org"),
    case("a test order turns out to be one", "orders o6 2024-03-02T12:00:00 customer_ref=cyd"),
    case("an automatic renewal turns out to be none", "orders o7 2024-02-25T12:00:00 customer_ref=cyd"),
    case("what happened after the first night becomes known", as_of=NEXT),
    case("a visit goes on over midnight", "web_events n1 2024-03-11T00:30:00 anonymous_id=a4", as_of=NEXT),
    # who is who
    case(
        "a link merges two customers",
        "identity_links n1 left=customer_ref:ada right=customer_ref:bob observed_at=2024-03-05",
    ),
    case("a row merges two customers", "orders n1 2024-03-05T12:00:00 customer_ref=bob user_id=u1"),
    case("a link is deleted and splits a customer", "identity_links l1 is_deleted=true"),
    case(
        "a link is corrected to somebody else",
        "identity_links l1 left=anonymous_id:a9 right=customer_ref:bob observed_at=2024-03-01",
    ),
    case(
        "an e-mail was seen earlier beside somebody else",
        "message_events n1 2020-01-01T12:00:00 customer_ref=cyd email=bob@x.org",
    ),
    case(
        "an e-mail is seen later beside somebody else",
        "message_events n1 2024-03-05T12:00:00 customer_ref=cyd email=bob@x.org",
    ),
    case(
        "a group without a name gets one",
        "web_events n1 2024-03-05T12:00:00 anonymous_id=a4 email=bob@x.org",
    ),
    case(
        "a leading identifier was first seen later",
        "customers aaa created_at=2019-01-01 email=ada@x.org",
        "identity_links n1 left=customer_ref:aaa right=customer_ref:ada observed_at=2019-01-02",
    ),
    case("a deleted customer", "customers bob is_deleted=true"),
    case("a customer's e-mail changes", "customers bob created_at=2023-12-01 email=new@x.org"),
    case("a customer's country changes", "customers cyd created_at=2023-12-01 email=cyd@x.org country=FR"),
    case(
        "too many of a kind",
        *(
            f"identity_links n{day} left=customer_ref:a{day} right=customer_ref:ada observed_at=2024-02-{day}"
            for day in range(11, 18)
        ),
    ),
    # orders
    case("an earlier first order", "orders n1 2023-12-24T12:00:00 customer_ref=ada"),
    case(
        "a cancellation of an old order restages what followed",
        "orders o2 2024-03-02T12:00:00 customer_ref=ada cancelled_at=2024-03-02T13:00:00",
    ),
    case("a cancellation that was known ahead takes place", as_of=date(2024, 3, 12)),
    case(
        "a cancellation is taken back",
        "orders o4 2024-03-08T12:00:00 customer_ref=bob",
        as_of=date(2024, 3, 12),
    ),
    case("a late return", "order_returns n1 2024-02-20T12:00:00 order_id=o3 amount=7"),
    case("an order comes after its return", "orders o9 2024-03-04T12:00:00 customer_ref=cyd"),
    case("a return changes its order", "order_returns r1 2024-02-01T12:00:00 order_id=o3 amount=5"),
    case(
        "a coupon code becomes ambiguous",
        "coupon_redemptions n1 2024-03-05T12:00:00 customer_ref=bob coupon_code=k1 campaign_id=g2",
    ),
    case(
        "a redemption names an old order",
        "coupon_redemptions n1 2024-02-16T12:00:00 customer_ref=bob campaign_id=g1 order_id=o3",
    ),
    case("a redemption is deleted", "coupon_redemptions d1 is_deleted=true"),
    # purchases that several sources see
    case(
        "orders come after others saw them, one of them a test",
        "orders o77 2024-03-05T12:00:01 customer_ref=cyd is_test=true",
        "orders n1 2024-02-10T12:10:00 customer_ref=ada",
    ),
    case(
        "the better sighting is deleted, and the next one counts",
        "orders o2 is_deleted=true",
        "web_events p4 event_name=purchase is_deleted=true",
    ),
    case(
        "a tracked purchase was another one, or none",
        "web_events p4 2024-03-05T12:00:00 user_id=u1 event_name=purchase order_id=o3",
        "web_events p1 2024-03-02T11:59:58 user_id=u1 event_name=login order_id=o2",
    ),
    case(
        "a purchase without a number gets an owner, who has ordered; another source saw an old order",
        "web_events n1 2024-03-01T12:00:00 anonymous_id=a4 user_id=u1",
        "web_events n2 2024-02-16T12:00:09 anonymous_id=a7 event_name=purchase order_id=o3",
    ),
    case(
        "orders of the next day that were seen before midnight",
        "orders n1 2024-03-11T00:05:00 customer_ref=bob",
        "orders n2 2024-03-11T00:00:01 customer_ref=cyd",
        "web_events n3 2024-03-10T23:59:59 user_id=u1 event_name=purchase order_id=n2",
        as_of=NEXT,
    ),
    # money
    case("a late rate between two others", "exchange_rates 2024-03-02 2.5"),
    case("a corrected rate", "exchange_rates 2024-01-01 3.5"),
    case("a deleted rate", "exchange_rates 2024-03-01 is_deleted=true"),
    case("the first rate of a currency", "exchange_rates 2024-02-01 1.3 currency=GBP"),
    case(
        "all rates of a currency are deleted",
        "exchange_rates 2024-01-01 is_deleted=true",
        "exchange_rates 2024-03-01 is_deleted=true",
    ),
    # campaigns and promotions
    case("a campaign changes its purpose", "campaigns g2 purpose=promotional"),
    case("a campaign is deleted", "campaigns g1 is_deleted=true"),
    case("a promotion arrives late", "promotions n1 starts_at=2024-01-05 ends_at=2024-02-20"),
    case(
        "a promotion is moved",
        "promotions p1 sales_channel=online starts_at=2024-01-14 ends_at=2024-01-16",
    ),
    case("a promotion is deleted", "promotions p1 is_deleted=true"),
    # prompts
    case("a late touch prompts what was unprompted", "message_events n1 2024-03-09T12:00:00 email=ada@x.org"),
    case("a touch is deleted", "message_events m1 message_channel=email event_name=sent is_deleted=true"),
    case(
        "a message bounces after the night",
        "message_events n1 2024-03-11T08:00:00 email=bob@x.org campaign_id=g2 event_name=bounced",
        as_of=NEXT,
    ),
    case(
        "a message is delivered after the night",
        "message_events n1 2024-03-11T08:00:00 email=bob@x.org campaign_id=g2 event_name=delivered",
        as_of=NEXT,
    ),
    case(
        "a late sending of a delivery",
        "message_events n1 2024-03-09T08:00:00 email=bob@x.org campaign_id=g2",
        "message_events n2 2024-03-09T09:00:00 email=bob@x.org campaign_id=g2 event_name=delivered",
    ),
    case("the first feed starts earlier", "message_events n1 2023-06-01T12:00:00 email=cyd@x.org"),
    case(
        "the first feed starts later",
        "support_messages a2 ticket_id=t1 author_role=agent is_deleted=true",
        "message_events m1 message_channel=email event_name=sent is_deleted=true",
    ),
    case(
        "an agent's message comes late",
        "support_messages n1 2024-02-13T12:00:00 ticket_id=t2 author_role=agent",
    ),
    # support
    case("a ticket comes after its messages", "support_tickets t3 2024-03-04T11:00:00 customer_ref=cyd"),
    case(
        "a ticket is solved, in a later version",
        "support_tickets t1 2024-03-03T09:00 customer_ref=ada created_by=customer solved_at=2024-03-04T09:00",
    ),
    case("a ticket that was to be solved is", as_of=NEXT),
    case(
        "a ticket changes its customer",
        "support_tickets t1 2024-03-03T09:00:00 customer_ref=cyd created_by=customer",
    ),
    # what all have in common
    case(
        "the population's gap changes",
        *(
            f"web_events n{month} 2023-{month:02}-01T12:00:00 email=n{month % 3}@x.org"
            for month in range(1, 13)
        ),
    ),
    case("a source's history starts earlier", "orders n1 2019-01-01T12:00:00 customer_ref=fay"),
    # time
    case(
        "back after more than 24 months",
        "web_events n1 2024-03-11T12:00:00 user_id=u5",
        "orders n2 2024-03-11T12:00:00 customer_ref=eve user_id=u5",
        as_of=NEXT,
    ),
    case("everybody leaves the snapshots", as_of=date(2026, 7, 1)),
    case("a month is closed", "web_events n1 2024-03-31T23:59:59 user_id=u1", as_of=date(2024, 3, 31)),
    case(
        "the first day of the next month",
        "web_events n1 2024-04-01T00:00:00 user_id=u1",
        as_of=date(2024, 4, 1),
    ),
    case(
        "months are closed at once",
        "web_events n1 2024-04-15T12:00:00 user_id=u1",
        as_of=date(2024, 6, 30),
    ),
)


@pytest.fixture(scope="module")
def base() -> Iterator[BareWarehouse]:
    """The warehouse after its first night."""
    with scratch() as folder:
        warehouse = BareWarehouse(folder)
        _land(warehouse.raw, BASE.strip().splitlines(), 0, T)
        warehouse.night(T)
        yield warehouse


@pytest.mark.parametrize("told", CASES, ids=[told.title for told in CASES])
def test_a_second_night_equals_a_full_refresh(base: BareWarehouse, told: Case) -> None:
    with scratch() as folder:
        lived = _copy(base, folder)
        _land(lived.raw, told.rows, 1, told.as_of)
        _compare(lived, told.as_of, folder)
        news = differences(base.place.marts_file, lived.place.marts_file)
        assert bool(news) == told.is_news, "the case is none"


def test_what_files_no_longer_say_is_forgotten(base: BareWarehouse) -> None:
    with scratch() as folder:
        lived = _copy(base, folder)
        (lived.raw / "support_tickets" / "0-0.jsonl").unlink()
        orders = lived.raw / "orders" / "0-0.jsonl"
        orders.write_text("".join(orders.read_text().splitlines(keepends=True)[1::2]))
        _compare(lived, T, folder)
        assert differences(base.place.marts_file, lived.place.marts_file)


def _copy(base: BareWarehouse, folder: Path) -> BareWarehouse:
    """Copy a warehouse with its raw zone; the files keep their times, as the ledger knows them."""
    shutil.copytree(base.raw, folder / "lived" / "raw")
    shutil.copytree(base.place.folder, folder / "lived" / "warehouse")
    return BareWarehouse(folder / "lived")


def _compare(lived: BareWarehouse, as_of: date, folder: Path) -> None:
    """Run the second night, and hold it against a full refresh that is made meanwhile."""
    full = BareWarehouse(folder / "full", raw=lived.raw)
    with (
        in_child(lambda: full.night(as_of, is_full_refresh=True)) as child,
        # no view reads files of earlier nights, unless it was foreseen that somebody might ask for them
        patch.object(raw_zone, "FILES_AT_ONCE", 1),
        patch.object(raw_files, "FILES_AT_ONCE", 1),
    ):
        night = lived.night(as_of)
    assert child.exit_code == 0
    assert night.basis.last_number, "it should build on the first night"
    assert_same(lived.place.marts_file, full.place.marts_file)


def _land(raw: Path, rows: Sequence[str], night: int, as_of: date) -> None:
    """Write rows as one file per table, loaded in the morning after the night's day unless they say when."""
    morning = f"{as_of + DAY} 02:0{night}:00"
    arrivals = [_arrival(row, night, morning) for row in rows if not row.startswith("#")]
    land(History([as_of] * (night + 1), arrivals), night, raw)


def _arrival(row: str, night: int, loaded_at: str) -> Arrival:
    table, key, *said = row.split()
    contract = CONTRACT[table]
    values = {**DEFAULTS.get(table, {}), contract.key[0]: key, "loaded_at": loaded_at}
    if "is_deleted=true" in said:
        values |= DELETED.get(table, {})
        if contract.event_time:
            values[contract.event_time] = "2024-01-01"
    for part in said:
        column, _, value = part.rpartition("=")
        values[column or contract.event_time or "rate"] = value
    for side in ("left", "right"):
        if side in values:
            values[f"{side}_type"], _, values[f"{side}_value"] = values.pop(side).partition(":")
    return Arrival(table, values, night)
