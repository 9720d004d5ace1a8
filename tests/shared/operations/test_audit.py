"""The audit trail, through the door that the surfaces use."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from sqlmodel import col, update

from shared.domain.identity import LOCAL
from shared.errors import Forbidden, InvalidInput
from shared.operations import audit
from shared.operations.dispatch import call
from shared.security.audit import AuditTrail
from shared.security.redaction import Redactor
from shared.storage.database import Database
from shared.storage.tables import AuditRow

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


def now() -> datetime:
    return datetime.now(UTC)


@pytest.fixture
async def gateway(database: Database) -> Any:
    trail = AuditTrail(database, now, Redactor())
    for number in range(3):
        await trail.record(LOCAL, f"action-{number}", {"number": number}, "ok")
    return SimpleNamespace(audit=trail)


async def test_the_trail_is_read_newest_first_page_by_page(gateway: Any) -> None:
    page = await call(gateway, LOCAL, audit.LIST_AUDIT, {"limit": 2})
    answer = page.model_dump(mode="json", by_alias=True)
    assert [entry["action"] for entry in answer["entries"]] == ["action-2", "action-1"]
    assert set(answer["entries"][0]) == {
        "sequence",
        "at",
        "caller",
        "address",
        "requestId",
        "action",
        "outcome",
        "details",
        "traceId",
        "causeRequestId",
        "previousHash",
        "hash",
    }
    assert answer["entries"][0]["at"].endswith("Z")
    rest = await call(gateway, LOCAL, audit.LIST_AUDIT, {"cursor": answer["nextCursor"]})
    assert [entry.action for entry in rest.entries] == ["action-0"]
    assert rest.next_cursor is None


async def test_filters_come_as_text_too(gateway: Any) -> None:
    later = (now() + timedelta(hours=1)).isoformat()
    query = {"limit": "2", "action": "action-1", "to": later, "from": "2020-01-01T00:00:00Z"}
    page = await call(gateway, LOCAL, audit.LIST_AUDIT, query, strict=False)
    assert [entry.action for entry in page.entries] == ["action-1"]
    assert (await call(gateway, LOCAL, audit.LIST_AUDIT, {"from": later})).entries == []


@pytest.mark.parametrize("query", [{"limit": 0}, {"limit": 1001}, {"cursor": 0}, {"from": "yesterday"}, {"what": 1}])
async def test_malformed_queries_are_bad_input(gateway: Any, query: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput):
        await call(gateway, LOCAL, audit.LIST_AUDIT, query)


async def test_a_check_tells_the_first_broken_entry(gateway: Any, database: Database) -> None:
    whole = (await call(gateway, LOCAL, audit.VERIFY_AUDIT, {})).model_dump(mode="json", by_alias=True)
    assert whole == {
        "valid": True,
        "entries": 3,
        "pruned": 0,
        "prunedUntil": None,
        "firstBroken": None,
        "reason": "",
    }
    change = update(AuditRow).where(col(AuditRow.sequence) == 2).values(outcome="forged")
    await database.run(lambda session: session.exec(change))
    broken = await call(gateway, LOCAL, audit.VERIFY_AUDIT, {})
    assert (broken.valid, broken.first_broken) == (False, 2)


@pytest.mark.parametrize("operation", [audit.LIST_AUDIT, audit.VERIFY_AUDIT])
async def test_the_trail_is_for_administrators(gateway: Any, operation: Any) -> None:
    with pytest.raises(Forbidden):
        await call(gateway, replace(LOCAL, kind="key", scopes=frozenset({"chat", "terminal"})), operation, {})
