"""API keys, through the door that the surfaces use."""

from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from types import SimpleNamespace
from typing import Any

import pytest

from shared.domain.audit import AuditQuery
from shared.domain.identity import LOCAL
from shared.domain.models import LAYERS, Model
from shared.errors import Forbidden, InvalidInput, NotFound, Unauthenticated
from shared.operations import keys
from shared.operations.dispatch import call
from shared.registry.snapshot import Snapshot
from shared.security.api_keys import ApiKeys
from shared.security.audit import AuditTrail
from shared.security.redaction import Redactor
from shared.storage.database import Database
from shared.usage.budgets import Budgets

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


MODELS = [Model(id="p/m", provider="p", api_model_name="m", layer="L1")]


def now() -> datetime:
    return datetime.now(UTC)


@pytest.fixture
def gateway(database: Database) -> Any:
    return SimpleNamespace(
        api_keys=ApiKeys(database, now),
        audit=AuditTrail(database, now, Redactor()),
        budgets=Budgets(database, None, now),
        registry=SimpleNamespace(snapshot=Snapshot.build(1, MODELS, dict.fromkeys(LAYERS, True))),
        accounts_of_providers=SimpleNamespace(names=lambda: ("openai", "anthropic")),
    )


async def made(gateway: Any, **payload: Any) -> dict[str, Any]:
    answer = await call(gateway, LOCAL, keys.CREATE_KEY, {"name": "laptop", **payload})
    return answer.model_dump(mode="json", by_alias=True)


async def test_a_key_is_shown_whole_once(gateway: Any) -> None:
    answer = await made(gateway, scopes=["chat"], expiresAt="2090-01-01T00:00:00Z", rateLimitPerHour=10)
    assert answer["success"] is True
    assert gateway.api_keys.authenticate(answer["secret"]).id == answer["key"]["id"]
    listed = (await call(gateway, LOCAL, keys.LIST_KEYS, {})).model_dump(mode="json", by_alias=True)
    (key,) = listed["keys"]
    assert answer["secret"] not in str(listed)
    assert set(key) == {
        "id",
        "name",
        "prefix",
        "scopes",
        "createdAt",
        "expiresAt",
        "lastUsedAt",
        "rateLimitPerMinute",
        "rateLimitPerHour",
        "tokensPerMinute",
        "maxStreams",
        "commandsPerDay",
        "commandSecondsPerDay",
        "budgetUsd",
        "budgetPeriod",
        "models",
        "maxLayer",
    }
    assert (key["name"], key["scopes"], key["rateLimitPerHour"]) == ("laptop", ["chat"], 10)
    assert key["expiresAt"] == "2090-01-01T00:00:00.000Z"
    assert key["lastUsedAt"] is not None


async def test_a_key_can_be_bounded(gateway: Any) -> None:
    answer = await made(gateway, budgetUsd=0.25, models=["m", "p/m", "m"], maxLayer="L1")
    bounds = {name: answer["key"][name] for name in ("budgetUsd", "budgetPeriod", "models", "maxLayer")}
    assert bounds == {"budgetUsd": 0.25, "budgetPeriod": "month", "models": ["m", "p/m"], "maxLayer": "L1"}
    caller = gateway.api_keys.authenticate(answer["secret"])
    assert (caller.models, caller.max_layer) == ({"m", "p/m"}, "L1")
    bound = gateway.budgets.bound(caller, {})
    assert bound.left == Decimal("0.25")
    (created,) = (await gateway.audit.query(AuditQuery())).entries
    assert created.details["budgetUsd"] == "0.25"


@pytest.mark.parametrize("name", ["p/m", "m", "p", "openai"])
async def test_a_key_may_be_bound_to_an_id_a_name_or_a_provider(gateway: Any, name: str) -> None:
    assert (await made(gateway, models=[name]))["key"]["models"] == [name]


async def test_names_that_nobody_has_are_refused_with_the_nearest(gateway: Any) -> None:
    with pytest.raises(InvalidInput, match="there is no model or provider 'opnai'; the nearest are openai") as refused:
        await made(gateway, models=["p/m", "opnai", "n"])
    assert isinstance(refused.value.details, dict)
    assert len(refused.value.details["fields"]) == 2
    assert (await call(gateway, LOCAL, keys.LIST_KEYS, {})).keys == []


async def test_an_unbounded_key_has_no_bounds(gateway: Any) -> None:
    answer = await made(gateway, budgetPeriod="day")
    caller = gateway.api_keys.authenticate(answer["secret"])
    assert (caller.models, caller.max_layer, answer["key"]["budgetPeriod"]) == (None, None, None)
    await gateway.budgets.refresh()
    assert gateway.budgets.bound(caller, {}) is None


async def test_without_scopes_a_key_may_chat_and_see_models(gateway: Any) -> None:
    assert (await made(gateway))["key"]["scopes"] == ["chat", "models:read"]


async def test_a_date_alone_means_midnight_in_utc(gateway: Any) -> None:
    assert (await made(gateway, expiresAt="2090-01-01"))["key"]["expiresAt"] == "2090-01-01T00:00:00.000Z"


async def test_a_deleted_key_is_gone(gateway: Any) -> None:
    answer = await made(gateway)
    gone = await call(gateway, LOCAL, keys.DELETE_KEY, {"keyId": answer["key"]["id"]})
    assert gone.model_dump(mode="json", by_alias=True) == {"success": True, "keyId": answer["key"]["id"]}
    with pytest.raises(Unauthenticated):
        gateway.api_keys.authenticate(answer["secret"])
    with pytest.raises(NotFound):
        await call(gateway, LOCAL, keys.DELETE_KEY, {"keyId": answer["key"]["id"]})


async def test_a_key_cannot_hand_out_more_than_it_has(gateway: Any) -> None:
    admin = replace(LOCAL, scopes=frozenset({"admin", "chat"}))
    with pytest.raises(Forbidden) as refused:
        await call(gateway, admin, keys.CREATE_KEY, {"name": "more", "scopes": ["chat", "terminal"]})
    assert refused.value.details == {"field": "scopes", "scopes": ["terminal"]}
    assert (await call(gateway, LOCAL, keys.LIST_KEYS, {})).keys == []


@pytest.mark.parametrize("operation", [keys.CREATE_KEY, keys.LIST_KEYS, keys.DELETE_KEY])
async def test_keys_are_for_administrators(gateway: Any, operation: Any) -> None:
    chatter = replace(LOCAL, kind="key", scopes=frozenset({"chat", "models:write", "terminal"}))
    with pytest.raises(Forbidden):
        await call(gateway, chatter, operation, {"name": "x", "keyId": "x"})


@pytest.mark.parametrize(
    "payload",
    [
        {"name": ""},
        {"name": "a\nb"},
        {"name": "x", "scopes": []},
        {"name": "x", "scopes": ["everything"]},
        {"name": "x", "scopes": "chat"},
        {"name": "x", "expiresAt": "tomorrow"},
        {"name": "x", "expiresAt": 4e9},
        {"name": "x", "expiresAt": "2020-01-01T00:00:00Z"},
        {"name": "x", "rateLimitPerHour": -1},
        {"name": "x", "rateLimitPerHour": "10"},
        {"name": "x", "budgetUsd": -1},
        {"name": "x", "budgetUsd": 5, "budgetPeriod": "week"},
        {"name": "x", "models": []},
        {"name": "x", "models": [""]},
        {"name": "x", "models": "a"},
        {"name": "x", "maxLayer": "L4"},
        {"name": "x", "perMinute": 5},
    ],
)
async def test_malformed_keys_are_bad_input(gateway: Any, payload: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput):
        await call(gateway, LOCAL, keys.CREATE_KEY, payload)
    assert (await call(gateway, LOCAL, keys.LIST_KEYS, {})).keys == []


async def test_making_and_deleting_leaves_a_trace_without_the_secret(gateway: Any) -> None:
    answer = await made(gateway, scopes=["chat"])
    await call(gateway, LOCAL, keys.DELETE_KEY, {"keyId": answer["key"]["id"]})
    deleted, created = (await gateway.audit.query(AuditQuery())).entries
    assert (created.action, created.outcome) == ("create_key", "ok")
    assert created.details == {
        "name": "laptop",
        "scopes": ["chat"],
        "expiresAt": None,
        "rateLimitPerMinute": None,
        "rateLimitPerHour": None,
        "tokensPerMinute": None,
        "maxStreams": None,
        "commandsPerDay": None,
        "commandSecondsPerDay": None,
        "budgetUsd": None,
        "budgetPeriod": None,
        "models": None,
        "maxLayer": None,
    }
    assert (deleted.action, deleted.details) == ("delete_key", {"keyId": answer["key"]["id"]})
    assert answer["secret"] not in created.model_dump_json()
