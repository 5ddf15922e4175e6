"""Counting anew: the definitions' own examples, computed by hand."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from warehouse.contract import read_contract
from warehouse.trace.counted import (
    Act,
    Booking,
    Evidence,
    Prompt,
    Rules,
    Touch,
    agrees,
    context,
    frequency,
    longevity,
    proactiveness,
    prompts,
    volume,
)
from warehouse.trace.evidence import read_rules
from warehouse.trace.raw_rows import HIDDEN, hashed

PROJECT = Path(__file__).resolve().parents[2]
FIRST = date(2026, 1, 1)


@pytest.fixture(scope="module")
def rules() -> Rules:
    return read_rules(PROJECT / "seeds")


def act(name: str, at: datetime, **given: object) -> Act:
    plain = Act(
        interaction_id=name,
        channel="web",
        interaction_type="page_view",
        occurred_at=at,
        occurred_on=at.date(),
        visit_id=name,
        prompt_status="unprompted",
        prompt_rule="no_prompt",
        prompt_touch_id=None,
        campaign_id=None,
        context="first_consideration",
        in_promotion=False,
        is_offline=False,
        engaged_seconds=None,
        sentiment=None,
        revenue=None,
        source_table="web_events",
        source_key=name,
        loaded_at=at,
    )
    return replace(plain, **given)  # type: ignore[arg-type]


def touch(name: str, at: datetime, channel: str = "email", campaign: str | None = None) -> Touch:
    return Touch(name, channel, campaign, at, at.date(), "message_events", name, at)


def evidence(
    rules: Rules,
    acts: Sequence[Act],
    touches: Sequence[Touch] = (),
    snapshot: date = FIRST + timedelta(days=20),
    bookings: Mapping[str, Booking] | None = None,
    zone: str = "UTC",
    population_gaps: Mapping[int, int] | None = None,
) -> Evidence:
    return Evidence(
        customer_id="ada",
        snapshot_date=snapshot,
        as_of=snapshot,
        zone=ZoneInfo(zone),
        rules=rules,
        acts=acts,
        touches=touches,
        feeds_start_at=min((one.touched_at for one in touches), default=None),
        history_starts_on=FIRST,
        population_gaps=population_gaps or {},
        bookings=bookings,
    )


def on_day(number: int, name: str = "", **given: object) -> Act:
    at = datetime(2026, 1, 1, 12) + timedelta(days=number)
    return act(name or f"day {number}", at, **given)


def test_the_test_vector_of_the_definitions(rules: Rules):
    """Active days 0, 3, 10 and T = 20."""
    three = evidence(rules, [on_day(0), on_day(3), on_day(10)])
    long, often = longevity(three)[""], frequency(three)[""]
    assert [long[name].value for name in ("span_days", "tenure_days", "recency_days")] == [10, 20, 10]
    assert [often[name].value for name in ("mean_gap_days", "sd_gap_days", "cv_gap")] == [5, 2, 0.4]
    assert often["burstiness"].value == pytest.approx(-0.428571, abs=1e-6)
    assert often["burstiness_adjusted"].value == pytest.approx(-0.344056, abs=1e-6)
    # 3 x the mean gap of 5 is below the floor
    assert long["lapse_threshold_days"].value == 30
    assert long["is_left_truncated"].value is True
    # from Thursday 1 to Wednesday 21 January 2026 there are four calendar weeks, and acts in two of them
    assert long["active_weeks"].value == 2
    assert long["active_week_ratio"].value == 2 / 4
    assert long["lifecycle_state"].value == "new"
    assert long["last_active_on"].acts == ("day 10",)


def test_too_few_gaps_take_those_of_the_population(rules: Rules):
    """Of eleven gaps 90 % are 9.9: nine of 10 days are too few, with the one of 40 days there are ten."""
    one_gap = evidence(rules, [on_day(0), on_day(3)], population_gaps={10: 9, 40: 1, 100: 1})
    assert longevity(one_gap)[""]["lapse_threshold_days"].value == 40
    assert longevity(evidence(rules, [on_day(0)]))[""]["lapse_threshold_days"].value == 30


NOON = datetime(2026, 1, 10, 12)


@pytest.mark.parametrize(
    ("touches", "given", "expected"),
    [
        # a window of five days, its end included
        ([touch("t", NOON - timedelta(days=5))], {}, Prompt("window", "t", 5 * 86400.0)),
        ([touch("t", NOON - timedelta(days=5, seconds=1))], {}, Prompt("no_prompt")),
        # a touch at the very same instant does not count, but its feed has begun
        ([touch("t", NOON)], {}, Prompt("no_prompt")),
        ([touch("t", NOON + timedelta(days=1))], {}, Prompt("no_coverage")),
        ([], {}, Prompt("no_coverage")),
        # the latest of several; at one instant the last by id
        (
            [touch("a", NOON - timedelta(days=2)), touch("b", NOON - timedelta(days=1))],
            {},
            Prompt("window", "b", 86400.0),
        ),
        (
            [touch("b", NOON - timedelta(days=1)), touch("a", NOON - timedelta(days=1))],
            {},
            Prompt("window", "b", 86400.0),
        ),
        # push reaches a day, and a channel without a window prompts nothing
        ([touch("t", NOON - timedelta(days=2), "push")], {}, Prompt("no_prompt")),
        ([touch("t", NOON - timedelta(seconds=1), "pigeon")], {}, Prompt("no_prompt")),
        # a campaign on the record: its last touch, however long ago
        (
            [touch("old", NOON - timedelta(days=9), campaign="c"), touch("new", NOON - timedelta(days=1))],
            {"prompt_rule": "explicit", "campaign_id": "c"},
            Prompt("explicit", "old", 9 * 86400.0),
        ),
        (
            [touch("new", NOON - timedelta(days=1), campaign="d")],
            {"prompt_rule": "explicit", "campaign_id": "c"},
            Prompt("explicit"),
        ),
        (
            [touch("new", NOON - timedelta(days=1))],
            {"prompt_rule": "explicit"},
            Prompt("explicit", "new", 86400.0),
        ),
    ],
)
def test_prompts(rules: Rules, touches: Sequence[Touch], given: Mapping[str, object], expected: Prompt):
    assert prompts(evidence(rules, [act("act", NOON, **given)], touches)) == {"act": expected}


def test_proactiveness_by_hand(rules: Rules):
    """One touch at noon of day 0, open until noon of day 5: two acts in the window, one after it."""
    three = evidence(rules, [on_day(1), on_day(2), on_day(10)], [touch("t", datetime(2026, 1, 1, 12))])
    row = proactiveness(three)[""]
    assert {name: row[name].value for name in ("unprompted", "prompted", "unknown")} == {
        "unprompted": 1,
        "prompted": 2,
        "unknown": 0,
    }
    assert row["prompted_by_window"].acts == ("day 1", "day 2")
    assert row["prompted_by_window"].touches == ("t",)
    assert row["proactive_share"].value == 1 / 3
    assert row["strict_proactive_share"].value == 1
    # Wilson's bounds of 1 in 3, with z = 1.96
    assert row["proactive_share_lower"].value == pytest.approx(0.061492, abs=1e-6)
    assert row["proactive_share_upper"].value == pytest.approx(0.792340, abs=1e-6)
    # the first answer came a day after the touch
    assert [row[name].value for name in ("touches_received", "touches_answered", "response_rate")] == [
        1,
        1,
        1,
    ]
    assert row["mean_response_seconds"].value == 86400
    # tenure from the start of day 1 to the end of day 20: 20 days; open from then until noon of day 5
    saturation = 4.5 / 20
    assert row["saturation"].value == pytest.approx(saturation)
    assert row["adjusted_prompted_share"].value == pytest.approx((2 / 3 - saturation) / (1 - saturation))
    assert row["is_low_sample"].value is True


def test_days_begin_at_local_midnight(rules: Rules):
    """A window that ends at midnight UTC saturates nothing of a day that begins five hours later."""
    one = evidence(rules, [on_day(1)], [touch("t", datetime(2026, 1, 1), "push")], zone="America/New_York")
    # open until 2 January 00:00 UTC; the day starts at 05:00 UTC
    assert proactiveness(one)[""]["saturation"].value == 0


def test_contexts_add_up(rules: Rules):
    rows = context(
        evidence(
            rules,
            [
                on_day(0),
                on_day(1, in_promotion=True, is_offline=True),
                on_day(2, context="post_purchase", in_promotion=True),
            ],
        )
    )
    assert {name: row["interactions"].value for name, row in rows.items()} == {
        "first_consideration": 2,
        "post_purchase": 1,
    }
    assert rows["first_consideration"]["share"].value == 2 / 3
    assert rows["first_consideration"]["promotion_interactions"].acts == ("day 1",)
    assert rows["first_consideration"]["offline_interactions"].value == 1
    assert rows["post_purchase"]["promotion_share"].value == 2 / 3
    assert rows["post_purchase"]["is_promotion_only"].value is False


def test_a_cancelled_order_is_taken_back_on_its_day(rules: Rules):
    """Ordered in January for 10, cancelled in February."""
    order = on_day(5, "order", channel="online_shop", interaction_type="order", revenue=Decimal(0))
    kept = on_day(6, "kept", channel="online_shop", interaction_type="order", revenue=Decimal(7))
    bookings = {
        "order": Booking(Decimal(10), date(2026, 2, 3)),
        "kept": Booking(Decimal(7), None),
    }
    january = evidence(rules, [order, kept], snapshot=date(2026, 1, 31), bookings=bookings)
    february = evidence(rules, [order, kept], snapshot=date(2026, 2, 28), bookings=bookings)
    (then,), (later,) = volume(january).values(), volume(february).values()
    named = ("orders", "revenue", "orders_to_date", "revenue_to_date")
    assert [then[name].value for name in named] == [2, 17, 2, 17]
    assert [later[name].value for name in named] == [-1, -10, 1, 7]
    unknown = volume(evidence(rules, [order, kept]))["online_shop"]
    assert all(unknown[name].unknown for name in named)
    # 25 days since the first act count as 30
    assert then["interactions_per_30_days"].value == 2


@pytest.mark.parametrize(
    ("published", "counted", "expected"),
    [
        (1, 1, True),
        (1, 2, False),
        (1, 1.0, True),
        (0.1 + 0.2, 0.3, True),
        (0.3, 0.3001, False),
        (None, None, True),
        (None, 0, False),
        (0, None, False),
        (True, True, True),
        (True, 1, False),
        (Decimal("1.0001"), Decimal("1.0002"), True),
        (Decimal("1.00"), Decimal("1.01"), False),
        ("a", "b", False),
        (date(2026, 1, 1), date(2026, 1, 1), True),
        (math.inf, 1.0, False),
    ],
)
def test_agreement(published: object, counted: object, expected: bool):
    assert agrees(published, counted) is expected  # type: ignore[arg-type]


def test_raw_rows_show_no_person():
    """Hashes are those of the marts; other texts that repeat an identifier are hidden."""
    contract = read_contract(PROJECT)
    web = contract["web_events"]
    shown = hashed(
        web,
        {
            "event_id": "e1",
            "email": " Ada@Example.com",
            "user_id": "user-77",
            "page_url": "https://shop.example/?u=USER-77",
            "referrer_url": "https://mail.example/?to=bob%40example.com",
            "utm_source": "letter",
            "order_id": None,
        },
        "key",
    )
    assert shown["email"] == hashed(web, {"email": "ada@example.com"}, "key")["email"]
    assert shown["email"] != hashed(web, {"email": "ada@example.com"}, "other")["email"]
    assert len(str(shown["email"])) == len(str(shown["user_id"])) == 32
    assert (shown["page_url"], shown["referrer_url"]) == (HIDDEN, HIDDEN)
    assert (shown["event_id"], shown["utm_source"], shown["order_id"]) == ("e1", "letter", None)
    social = contract["social_events"]
    handles = [
        hashed(social, {"handle": handle, "network": network}, "key")["handle"]
        for handle, network in (("@Ada", "X"), ("ada", "x"), ("ada", "y"))
    ]
    assert handles[0] == handles[1] != handles[2]
    numbers = {
        hashed(contract["orders"], {"phone": phone}, "key")["phone"] for phone in ("+1 (555) 01", "0015550 1")
    }
    assert len(numbers) == 1
