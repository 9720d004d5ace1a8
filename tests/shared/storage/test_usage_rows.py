"""Sums over usage rows, the same on both databases."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from shared.storage import usage_rows
from shared.storage.database import Database
from shared.storage.usage_rows import Filters
from shared.usage.ledger import Entry, Ledger

NOON = datetime(2026, 3, 4, 12, tzinfo=UTC)
ENTRY = Entry(
    at=NOON,
    request_id="a",
    caller="local",
    model_id="m",
    provider="p",
    layer="L1",
    prompt_tokens=10,
    completion_tokens=5,
    cached_tokens=4,
    cost=Decimal("0.25"),
    outcome="ok",
    estimated=False,
    duration_ms=12,
    tags={},
    cache_write_tokens=3,
    reasoning_tokens=2,
)


async def store(database: Database, *changes: dict[str, Any]) -> None:
    ledger = Ledger(database, lambda: NOON)
    for change in changes:
        ledger.record(replace(ENTRY, **change))
    await ledger.flush()


async def summed(database: Database, group_by: str | None = None, **more: Any) -> list[dict[str, Any]]:
    span = NOON - timedelta(days=30), NOON + timedelta(days=30)
    return await database.read(lambda session: usage_rows.summed(session, *span, group_by, **more))


async def groups(database: Database, group_by: str, **more: Any) -> dict[str, int]:
    return {row["group"]: row["attempts"] for row in await summed(database, group_by, **more)}


async def test_all_is_summed(database: Database) -> None:
    await store(database, {}, {"request_id": "b"})
    (row,) = await summed(database)
    assert {name: int(value) for name, value in row.items() if name != "group"} == {
        "requests": 2,
        "attempts": 2,
        "failed": 0,
        "prompt_tokens": 20,
        "completion_tokens": 10,
        "cached_tokens": 8,
        "cache_write_tokens": 6,
        "reasoning_tokens": 4,
        "cost_pico": 5 * 10**11,
        "unpriced": 0,
        "overhead_pico": 0,
        "overhead_unpriced": 0,
    }


async def test_nothing_at_all_sums_to_nothing(database: Database) -> None:
    (row,) = await summed(database)
    assert {int(value) for name, value in row.items() if name != "group"} == {0}
    assert await summed(database, "day") == []


async def test_requests_are_distinct_and_attempts_are_not(database: Database) -> None:
    await store(
        database,
        {"model_id": "first", "outcome": "provider_failed", "cost": Decimal(0)},
        {"model_id": "second"},
        {"model_id": "second", "request_id": "b"},
        {"model_id": "second", "request_id": ""},
        {"model_id": "second", "request_id": ""},
    )
    (total,) = await summed(database)
    assert (total["requests"], total["attempts"]) == (4, 5)
    by_model = {row["group"]: (row["requests"], row["attempts"]) for row in await summed(database, "model")}
    assert by_model == {"first": (1, 1), "second": (4, 4)}


async def test_chats_with_the_same_request_id_are_told_apart_by_our_own(database: Database) -> None:
    await store(
        database,
        {"chat_id": "1", "model_id": "first", "outcome": "provider_failed"},
        {"chat_id": "1"},
        {"chat_id": "2"},
        {"chat_id": "3", "request_id": ""},
        {},
        {},
    )
    (total,) = await summed(database)
    assert (total["requests"], total["attempts"]) == (4, 6)


async def test_overhead_is_what_bought_no_answer(database: Database) -> None:
    await store(
        database,
        {},
        {"purpose": "hedge", "cost": Decimal("0.1")},
        {"purpose": "review", "cost": None},
        {"outcome": "cancelled", "cost": Decimal("0.02")},
    )
    (total,) = await summed(database)
    assert (int(total["cost_pico"]), int(total["overhead_pico"])) == (370 * 10**9, 120 * 10**9)
    assert (total["unpriced"], total["overhead_unpriced"]) == (1, 1)


async def test_groups_by_hour_purpose_and_outcome(database: Database) -> None:
    late = datetime.fromisoformat("2026-03-05T01:30:00+09:00")
    await store(database, {}, {"at": late, "purpose": "hedge", "outcome": "cancelled"})
    assert await groups(database, "hour") == {"2026-03-04T12:00Z": 1, "2026-03-04T16:00Z": 1}
    assert await groups(database, "purpose") == {"answer": 1, "hedge": 1}
    assert await groups(database, "outcome") == {"cancelled": 1, "ok": 1}


@pytest.mark.parametrize("name", ["team", "équipe", "a.b", "a b", "$", "0", "it's", "[0]", "100%"])
async def test_groups_by_the_values_of_a_tag(database: Database, name: str) -> None:
    await store(database, {"tags": {name: "red"}}, {"tags": {name: "blå"}}, {"tags": {"x": "red"}}, {})
    assert await groups(database, f"tag:{name}") == {"": 2, "blå": 1, "red": 1}
    assert await groups(database, "key", filters=Filters(tag=(name, "blå"))) == {"local": 1}


@pytest.mark.parametrize("name", ["model", "provider", "layer", "key"])
async def test_filters_leave_out_the_rest(database: Database, name: str) -> None:
    other = {"model_id": "n", "provider": "q", "layer": "L2", "caller": "key:1"}
    await store(database, {}, other, other)
    wanted = {"model": "n", "provider": "q", "layer": "L2", "key": "key:1"}[name]
    assert await groups(database, name, filters=Filters(**{name: wanted})) == {wanted: 2}
    assert await groups(database, name, filters=Filters(**{name: "none"})) == {}


async def test_groups_can_be_limited(database: Database) -> None:
    await store(database, *({"model_id": f"m{number}"} for number in range(5)))
    assert list(await groups(database, "model", limit=3)) == ["m0", "m1", "m2"]


async def test_a_tag_with_a_nul_in_it_holds_up_no_sum(database: Database) -> None:
    await store(
        database, {"tags": {"team": "red", "x": "a\x00b"}}, {"tags": {"team": "red"}}, {"tags": {"team": r"\u0000"}}
    )
    assert (await groups(database, "tag:team"))["red"] == 2
    assert await groups(database, "key", filters=Filters(tag=("team", "red"))) == {"local": 2}
