"""The five facts against an independent computation by definition, on histories that hypothesis makes up.

Few customers, few instants, three years: ties, touches at the very instant of an act, cancelled orders,
daylight saving days, long silences and merged windows all come up.
"""

import dataclasses
import math
from collections.abc import Mapping
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import customers_reference
import measures_reference as reference
import pytest
from compiled_models import CompiledModels
from customers_reference import Deed
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from measures_reference import Act, Touch, World
from nights import run_night

AS_OF = date(2024, 6, 20)
ZONE = "America/New_York"
CUSTOMERS = ("x", "y", "z")
PURPOSES = {"sale": "promotional", "news": "informational"}
FIRST = datetime(2021, 5, 30, 3, 0)
STAGED = (
    *("customers__customers", "identity__links", "web__events", "messages__events", "coupons__redemptions"),
    *("orders__orders", "orders__returns", "support__tickets", "support__messages", "social__events"),
    *(
        "social__account_days",
        "reviews__reviews",
        "loyalty__events",
        "surveys__responses",
        "community__events",
    ),
    *("stores__visits", "referrals__referrals", "campaigns__campaigns", "promotions__promotions"),
    *("finance__exchange_rates", "privacy__erasure_requests"),
)


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> CompiledModels:
    folder = tmp_path_factory.mktemp("compiled")
    (folder / "raw" / "customers").mkdir(parents=True)
    (folder / "raw" / "customers" / "one.csv").write_text("customer_ref,loaded_at\nx,2021-01-01T00:00:00Z\n")
    run_night(folder / "raw", folder / "warehouse", AS_OF.isoformat(), ZONE)
    given_models = [*(f"stg_{name}" for name in STAGED), "int_identity__assignments"]
    return CompiledModels(folder / "warehouse", given_models)


# Days cluster, and so do the times of a day: what is close together is where the rules bite.
_days = st.one_of(
    st.sampled_from([0, 1, 40, 286, 287, 400, 730, 1019, 1020, 1100, 1115]), st.integers(0, 1120)
)
_seconds = st.sampled_from([0, 1, 1799, 1800, 3600, 7200, 43_200, 86_399])
_instants = st.builds(lambda days, seconds: FIRST + timedelta(days=days, seconds=seconds), _days, _seconds)
_customers = st.sampled_from(CUSTOMERS)
_campaigns = st.sampled_from([None, None, "sale", "news"])
_later = st.one_of(st.none(), st.sampled_from([0, 60, 86_400, 5 * 86_400, 45 * 86_400]))
_acts = st.fixed_dictionaries(
    {
        "kind": st.sampled_from(["web", "web", "web", "order", "order", "ticket", "store", "open"]),
        "customer": _customers,
        "at": _instants,
        "campaign": _campaigns,
        "event": st.sampled_from(["page_view", "product_view", "search", "login"]),
        "platform": st.sampled_from(["web", "app"]),
        "sales_channel": st.sampled_from(["online", "app", "in_store"]),
        "engaged": st.sampled_from([None, 3.0, 60.0]),
        "amount": st.integers(1, 50_000),
        "later": _later,
        "is_renewal": st.sampled_from([False, False, False, True]),
        "is_promotion": st.sampled_from([False, False, True]),
    }
)
_touches = st.fixed_dictionaries(
    {
        "customer": _customers,
        "at": _instants,
        "channel": st.sampled_from(["email", "push", "direct_mail"]),
        "campaign": _campaigns,
        # an act so many seconds after the touch, at the last instant of its window, or just past it
        "followed": st.sampled_from([None, None, 0, 1, "end", "past"]),
    }
)
_promotions = st.fixed_dictionaries(
    {
        "channel": st.sampled_from([None, "online", "in_store"]),
        "at": _instants,
        "days": st.sampled_from([0, 1, 30]),
    }
)
Drawn = list[dict[str, Any]]
_LOGIN = {"platform": "web", "event": "login", "campaign": None, "engaged": None}


def _world(acts: Drawn, touches: Drawn, promotions: Drawn) -> tuple[World, dict[str, list[dict[str, Any]]]]:
    """Return what the reference reads, and the same as staged rows."""
    staged: dict[str, list[dict[str, Any]]] = {f"stg_{name}": [] for name in STAGED}
    staged["int_identity__assignments"] = [
        {
            "identifier_key": f"{kind}:{customer}",
            "identifier_type": kind,
            "customer_id": customer,
            "priority": 1,
        }
        for kind in ("customer_ref", "user_id")
        for customer in CUSTOMERS
    ]
    staged["stg_campaigns__campaigns"] = [
        {"campaign_id": campaign, "purpose": purpose} for campaign, purpose in PURPOSES.items()
    ]
    world = World([], [], [], [], PURPOSES, AS_OF, ZoneInfo(ZONE))
    for number, drawn in enumerate(acts):
        _STAGE[drawn["kind"]](f"{number:03d}", drawn, world, staged)
    for number, drawn in enumerate(touches):
        key, customer, at = f"t{number:03d}", drawn["customer"], drawn["at"]
        staged["stg_messages__events"].append(
            {
                "event_id": key,
                "message_channel": drawn["channel"],
                "customer_ref": customer,
                "event_name": "sent",
            }
            | {"campaign_id": drawn["campaign"], "occurred_at": at}
        )
        world.touches.append(
            Touch(f"message_events:{key}", customer, drawn["channel"], at, drawn["campaign"])
        )
    for number, drawn in enumerate(promotions):
        ends_at = drawn["at"] + timedelta(days=drawn["days"])
        staged["stg_promotions__promotions"].append(
            {
                "promotion_id": str(number),
                "sales_channel": drawn["channel"],
                "starts_at": drawn["at"],
                "ends_at": ends_at,
            }
        )
        world.promotions.append((drawn["channel"], drawn["at"], ends_at))
    world.resolve()
    return world, staged


def _stage_web(
    key: str, drawn: dict[str, Any], world: World, staged: dict[str, list[dict[str, Any]]]
) -> None:
    staged["stg_web__events"].append(
        {
            "event_id": key,
            "platform": drawn["platform"],
            "user_id": drawn["customer"],
            "event_name": drawn["event"],
        }
        | {"occurred_at": drawn["at"], "campaign_id": drawn["campaign"], "engaged_seconds": drawn["engaged"]}
        | {"is_bot": False}
    )
    world.acts.append(
        Act(
            f"web_events:{key}",
            drawn["customer"],
            drawn["platform"],
            drawn["event"],
            drawn["at"],
            explicit=drawn["campaign"] is not None,
            campaign=drawn["campaign"],
            engaged_seconds=drawn["engaged"],
        )
    )


def _stage_order(
    key: str, drawn: dict[str, Any], world: World, staged: dict[str, list[dict[str, Any]]]
) -> None:
    cancelled_at = None if drawn["later"] is None else drawn["at"] + timedelta(seconds=drawn["later"])
    amount = drawn["amount"] / 100
    staged["stg_orders__orders"].append(
        {"order_id": key, "customer_ref": drawn["customer"], "sales_channel": drawn["sales_channel"]}
        | {"ordered_at": drawn["at"], "total_amount": amount, "cancelled_at": cancelled_at}
        | {"promotion_id": "p" if drawn["is_promotion"] else None, "is_auto_renewal": drawn["is_renewal"]}
    )
    world.acts.append(
        Act(
            f"orders:{key}",
            drawn["customer"],
            {"online": "web", "app": "app", "in_store": "store"}[drawn["sales_channel"]],
            "order_renewal" if drawn["is_renewal"] else "order",
            drawn["at"],
            on_promotion=drawn["is_promotion"],
            amount=amount,
            cancelled_at=cancelled_at,
        )
    )


def _stage_ticket(
    key: str, drawn: dict[str, Any], world: World, staged: dict[str, list[dict[str, Any]]]
) -> None:
    solved_at = None if drawn["later"] is None else drawn["at"] + timedelta(seconds=drawn["later"])
    staged["stg_support__tickets"].append(
        {"ticket_id": key, "user_id": drawn["customer"], "created_by": "customer"}
        | {"created_at": drawn["at"], "solved_at": solved_at}
    )
    world.acts.append(
        Act(f"support_tickets:{key}", drawn["customer"], "support", "ticket_opened", drawn["at"])
    )
    world.tickets.append((drawn["customer"], drawn["at"], solved_at))


def _stage_store(
    key: str, drawn: dict[str, Any], world: World, staged: dict[str, list[dict[str, Any]]]
) -> None:
    staged["stg_stores__visits"].append(
        {"visit_id": key, "customer_ref": drawn["customer"], "entered_at": drawn["at"]}
    )
    world.acts.append(Act(f"store_visits:{key}", drawn["customer"], "store", "store_visit", drawn["at"]))


def _stage_open(
    key: str, drawn: dict[str, Any], world: World, staged: dict[str, list[dict[str, Any]]]
) -> None:
    staged["stg_messages__events"].append(
        {
            "event_id": key,
            "message_channel": "email",
            "customer_ref": drawn["customer"],
            "event_name": "opened",
        }
        | {"campaign_id": drawn["campaign"], "occurred_at": drawn["at"], "is_machine": False}
    )
    world.acts.append(
        Act(
            f"message_events:{key}",
            drawn["customer"],
            "email",
            "message_open",
            drawn["at"],
            explicit=True,
            campaign=drawn["campaign"],
        )
    )


_STAGE = {
    "web": _stage_web,
    "order": _stage_order,
    "ticket": _stage_ticket,
    "store": _stage_store,
    "open": _stage_open,
}


# An example takes half a second: shrinking one that fails would take minutes, and the message names the row.
@settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    phases=[Phase.explicit, Phase.generate],
)
@given(
    acts=st.lists(_acts, min_size=1, max_size=25),
    touches=st.lists(_touches, max_size=12),
    promotions=st.lists(_promotions, max_size=3),
)
def test_marts_equal_the_definitions(
    models: CompiledModels, acts: Drawn, touches: Drawn, promotions: Drawn
) -> None:
    world, staged = _world(acts, touches, promotions)
    models.run(staged)
    _compare_interactions(models, world)
    for fact, measure in (
        ("fct_engagement_longevity", reference.longevity),
        ("fct_engagement_proactiveness", reference.proactiveness),
        ("fct_engagement_frequency", reference.frequency),
    ):
        _compare(models, fact, (), {key: {(): measure(world, *key)} for key in _keys(world)})
    for fact, column, measures in (
        ("fct_engagement_context", "context", reference.contexts),
        ("fct_engagement_volume", "channel", reference.volumes),
    ):
        _compare(
            models,
            fact,
            (column,),
            {key: {(part,): row for part, row in measures(world, *key).items()} for key in _keys(world)},
        )
    _compare_customers(models, world)


def _keys(world: World) -> list[tuple[str, date]]:
    return [(customer, snapshot) for customer in CUSTOMERS for snapshot in world.snapshots(customer)]


def _compare_interactions(models: CompiledModels, world: World) -> None:
    found = {
        row["interaction_id"]: row for row in models.rows("select * from engagement.marts.fct_interactions")
    }
    assert found.keys() == {act.id for act in world.acts}
    for act in world.acts:
        row = found[act.id]
        assert row["visit_id"] == act.visit, act
        assert (row["prompt_rule"], row["prompt_touch_id"]) == (act.rule, act.touch), act
        assert _equal(row["prompt_lag_seconds"], act.lag), act
        assert (row["context"], row["in_promotion"]) == (act.context, act.in_promotion), act
        assert row["occurred_on"] == world.day(act.at), act


def _compare(
    models: CompiledModels,
    fact: str,
    parts: tuple[str, ...],
    expected: Mapping[tuple[str, date], Mapping[tuple[str, ...], Mapping[str, Any]]],
) -> None:
    rows = models.rows(f"select * from engagement.marts.{fact}")
    found = {(row["customer_id"], row["snapshot_date"], *(row[part] for part in parts)): row for row in rows}
    assert len(found) == len(rows)
    wanted = {
        (*key, *part): measures
        for key, given_parts in expected.items()
        for part, measures in given_parts.items()
    }
    assert found.keys() == wanted.keys(), fact
    for key, measures in wanted.items():
        assert found[key]["is_current"] == (key[1] == AS_OF)
        for name, value in measures.items():
            assert _equal(found[key][name], value), (fact, key, name, found[key][name], value)


def _compare_customers(models: CompiledModels, world: World) -> None:
    """Score, tier and journey of the current snapshot."""
    rows = {
        row["customer_id"]: row for row in models.rows("select * from engagement.marts.customer_engagement")
    }
    current = [customer for customer, snapshot in _keys(world) if snapshot == AS_OF]
    assert rows.keys() == set(current)
    measures: dict[str, dict[str, Any]] = {}
    for customer in current:
        of_contexts = reference.contexts(world, customer, AS_OF).values()
        of_channels = reference.volumes(world, customer, AS_OF).values()
        longevity = reference.longevity(world, customer, AS_OF)
        measures[customer] = {
            "tenure_days": longevity["tenure_days"],
            "longevity": longevity["active_months"],
            "proactiveness": reference.proactiveness(world, customer, AS_OF)["proactive_share_lower"],
            "frequency": reference.frequency(world, customer, AS_OF)["active_days_90"],
            "context": 1 - next(row["promotion_share"] for row in of_contexts),
            "volume": sum(row["weighted_interactions_to_date"] for row in of_channels),
        }
    for customer, wanted in customers_reference.scores(measures).items():
        for name, value in wanted.items():
            assert _equal(rows[customer][name], value), (customer, name, rows[customer][name], value)
        deeds = [
            Deed(
                world.day(act.at),
                act.type,
                is_order=act.id.startswith("orders:"),
                is_cancelled=act.cancelled_at is not None,
                is_system=act.is_system,
            )
            for act in world.by_customer[customer]
        ]
        told = (rows[customer]["tier"], rows[customer]["tier_acts"], rows[customer]["tier_act_types"])
        assert told == customers_reference.tier(deeds, AS_OF)
        touched_on = [world.day(touch.at) for touch in world.touches if touch.customer == customer]
        walked = customers_reference.journey(deeds, touched_on, AS_OF)
        stays = models.rows(
            "select journey_stage, reached_on, days_in_stage, times_dropped_back, is_held, is_current_stage"
            f" from engagement.marts.fct_customer_journey where customer_id = '{customer}'"
        )
        assert {tuple(stay.values()) for stay in stays} == {
            (stage, *dataclasses.astuple(stay)) for stage, stay in walked.items()
        }


def _equal(found: Any, expected: Any) -> bool:
    if found is None or expected is None or isinstance(expected, str | bool | date):
        return bool(found == expected)
    return math.isclose(float(found), float(expected), rel_tol=1e-9, abs_tol=1e-9)
