import asyncio
import csv
import io
import threading
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from shared.errors import Unavailable
from shared.gateway import Gateway
from shared.usage.ledger import Entry
from tests.support.http_gateway import MODEL, surface, without_models
from tests.support.http_stack import error_of
from tests.support.webhook_receiver import receiver

PRICED = {**MODEL, "pricePer1kInputTokens": 1, "pricePer1kOutputTokens": 2}
HELLO = {"model": MODEL["id"], "messages": [{"role": "user", "content": "hi"}]}


def record(gateway: Gateway, **more: Any) -> None:
    entry = Entry(
        at=gateway.clock(),
        request_id="r",
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
    )
    gateway.ledger.record(replace(entry, **more))


async def test_what_chats_used_is_summed(tmp_path: Path) -> None:
    async with surface(tmp_path) as made:
        await made.http.post("/v1/models", json=PRICED)
        spent = 0.0
        for _ in range(2):
            spent += (await made.http.post("/v1/chat/completions", json=HELLO)).json()["usage"]["cost"]
        report = (await made.http.get("/v1/usage?groupBy=model&from=2020-01-01T00:00:00Z")).json()
        assert [(group["group"], group["requests"]) for group in report["groups"]] == [(MODEL["id"], 2)]
        assert report["total"]["costUsd"] == pytest.approx(spent)
        stats = (await made.http.get("/v1/stats")).json()
        assert stats["byModel"] == {MODEL["id"]: 2}
        assert stats["costUsd"] == pytest.approx(spent)
        assert stats["byPurpose"] == {"answer": 2}


async def test_a_request_with_two_attempts_is_one_request_in_all(tmp_path: Path) -> None:
    async with surface(tmp_path) as made:
        record(made.gateway, model_id="first", outcome="provider_failed", cost=Decimal("0.5"))
        record(made.gateway, model_id="second", cache_write_tokens=3, reasoning_tokens=2)
        report = (await made.http.get("/v1/usage?groupBy=model")).json()
        assert [(group["group"], group["requests"], group["attempts"]) for group in report["groups"]] == [
            ("first", 1, 1),
            ("second", 1, 1),
        ]
        total = report["total"]
        assert (total["requests"], total["attempts"], total["failed"]) == (1, 2, 1)
        assert (total["cacheWriteTokens"], total["reasoningTokens"]) == (3, 2)
        assert (total["costUsd"], total["overheadUsd"]) == (0.75, 0.5)


async def test_an_unknown_price_is_null_and_flagged_never_0(tmp_path: Path) -> None:
    async with surface(tmp_path) as made:
        record(made.gateway, model_id="new", cost=None, purpose="hedge")
        record(made.gateway, model_id="free", cost=Decimal(0))
        (free, new) = (await made.http.get("/v1/usage?groupBy=model")).json()["groups"]
        assert (free["costUsd"], free["overheadUsd"], free["unpriced"]) == (0, 0, 0)
        assert (new["costUsd"], new["overheadUsd"], new["unpriced"]) == (None, None, 1)
        stats = (await made.http.get("/v1/stats")).json()
        assert (stats["costUsd"], stats["costTodayUsd"], stats["unpriced"]) == (None, None, 1)
        record(made.gateway, model_id="new", cost=Decimal("0.25"))
        total = (await made.http.get("/v1/usage")).json()["total"]
        assert (total["costUsd"], total["unpriced"]) == (0.25, 1)
        assert (await made.http.get("/v1/stats")).json()["costTodayUsd"] == 0.25


async def test_rows_can_be_chosen_and_grouped_by_tags(tmp_path: Path) -> None:
    async with surface(tmp_path) as made:
        record(made.gateway, tags={"team": "red: a"}, layer="L2")
        record(made.gateway, tags={"team": "blue"}, provider="q")
        record(made.gateway, caller="key:1")

        async def groups(query: str) -> list[str]:
            answer = await made.http.get(f"/v1/usage?{query}")
            assert answer.status_code == 200, answer.text
            return [group["group"] for group in answer.json()["groups"]]

        assert await groups("groupBy=tag:team") == ["", "blue", "red: a"]
        assert await groups("groupBy=layer&tag=team:red: a") == ["L2"]
        assert await groups("groupBy=key&provider=p") == ["key:1", "local"]
        assert await groups("groupBy=provider&key=key:1&model=m&layer=L1") == ["p"]
        total = (await made.http.get("/v1/usage?tag=team:green")).json()["total"]
        assert (total["attempts"], total["costUsd"], total["unpriced"]) == (0, 0, 0)


@pytest.mark.parametrize(
    "query",
    [
        "from=yesterday",
        "groupBy=colour",
        "groupBy=tag:",
        'groupBy=tag:a"b',
        "groupBy=tag:a%0Ab",
        "tag=noname",
        "layer=L9",
        "format=xml",
        "from=2026-02-01T00:00:00Z&to=2026-01-01T00:00:00Z",
    ],
)
async def test_a_query_that_makes_no_sense_is_refused(tmp_path: Path, query: str) -> None:
    async with surface(tmp_path) as made:
        answer = await made.http.get(f"/v1/usage?{query}")
        assert answer.status_code == 400
        assert error_of(answer)["error"]


async def test_too_many_groups_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shared.operations.usage.MAX_GROUPS", 2)
    async with surface(tmp_path) as made:
        for number in range(3):
            record(made.gateway, tags={"user": str(number)})
        assert (await made.http.get("/v1/usage")).status_code == 200
        answer = await made.http.get("/v1/usage?groupBy=tag:user")
        assert answer.status_code == 400
        assert "shorter span" in error_of(answer)["error"]


@pytest.mark.parametrize(("query", "headers"), [("&format=csv", {}), ("", {"Accept": "text/csv"})])
async def test_usage_can_be_saved_as_csv(tmp_path: Path, query: str, headers: dict[str, str]) -> None:
    async with surface(tmp_path) as made:
        record(made.gateway, model_id="=evil()", cost=Decimal("0.1"))
        record(made.gateway, model_id="é", cost=None)
        answer = await made.http.get(f"/v1/usage?groupBy=model{query}", headers=headers)
        assert answer.status_code == 200
        assert answer.headers["content-type"] == "text/csv; charset=utf-8"
        assert answer.headers["content-disposition"] == 'attachment; filename="usage.csv"'
        assert answer.headers["cache-control"] == "no-store"
        rows = list(csv.DictReader(io.StringIO(answer.content.decode("utf-8"), newline="")))
        assert [(row["group"], row["costUsd"], row["unpriced"]) for row in rows] == [
            ("'=evil()", "0.10", "0"),
            ("é", "", "1"),
        ]
        head = await made.http.head("/v1/usage?format=csv")
        assert (head.status_code, head.content) == (200, b"")
        assert (await made.http.get("/v1/usage?format=json")).json()["groups"]


async def test_a_wrong_query_is_answered_with_json_even_where_csv_was_wanted(tmp_path: Path) -> None:
    async with surface(tmp_path) as made:
        answer = await made.http.get("/v1/usage?groupBy=colour&format=csv")
        assert answer.status_code == 400
        assert "groupBy" in error_of(answer)["error"]
        assert (await made.http.get("/v1/stats?format=csv")).status_code == 400, "only usage has this form"


async def test_reaching_the_threshold_is_told_once(tmp_path: Path) -> None:
    async with receiver("200 OK") as taker:
        more = {"cost_alert_threshold": 0.2, "alert_webhook_url": taker.url()}
        async with surface(tmp_path, **more) as made:
            record(made.gateway)
            record(made.gateway)
            await made.gateway.alerts.settled()
            (alert,) = (await made.http.get("/v1/stats")).json()["alerts"]
            assert (alert["kind"], alert["spentUsd"], alert["thresholdUsd"]) == ("cost_threshold_reached", 0.25, 0.2)
            assert "COST_ALERT_THRESHOLD" in alert["message"]
            assert [sent["text"] for sent in taker.received] == [alert["message"]]
        async with surface(tmp_path, **more) as again:
            record(again.gateway)
            await again.gateway.alerts.settled()
            assert len((await again.http.get("/v1/stats")).json()["alerts"]) == 1
            await again.http.put("/v1/config", json={"costAlertThreshold": 0.5})
            await again.gateway.alerts.settled()
            alerts = (await again.http.get("/v1/stats")).json()["alerts"]
            assert [alert["thresholdUsd"] for alert in alerts] == [0.5, 0.2]
        assert len(taker.received) == 2


async def test_a_span_ends_before_its_end(tmp_path: Path) -> None:
    async with surface(tmp_path) as made:
        now = made.gateway.clock().replace(microsecond=0)
        record(made.gateway, at=now)
        before, after = now - timedelta(hours=1), now + timedelta(hours=1)
        for start, end, found in ((before, now, 0), (now, after, 1)):
            span = {"from": start.isoformat(), "to": end.isoformat()}
            assert (await made.http.get("/v1/usage", params=span)).json()["total"]["attempts"] == found


async def test_the_description_names_the_forms(tmp_path: Path) -> None:
    async with surface(tmp_path) as made:
        described = (await made.http.get("/openapi.json")).json()["paths"]["/v1/usage"]["get"]
    assert set(described["responses"]["200"]["content"]) == {"application/json", "text/csv; charset=utf-8"}
    (form,) = [parameter for parameter in described["parameters"] if parameter["name"] == "format"]
    assert (form["in"], form["required"], form["schema"]["enum"]) == ("query", False, ["json", "csv"])


async def test_a_limited_key_sees_its_own_use_alone(tmp_path: Path) -> None:
    async with surface(tmp_path, auth_mode="required") as made:
        admin = {"authorization": f"Bearer {await made.login()}"}

        async def key(*scopes: str) -> tuple[str, dict[str, str]]:
            found = (await made.http.post("/v1/keys", json={"name": "k", "scopes": scopes}, headers=admin)).json()
            return found["key"]["id"], {"authorization": f"Bearer {found['secret']}"}

        mine, limited = await key("chat", "models:read")
        theirs, operator = await key("models:read", "admin")
        record(made.gateway, request_id="a", caller=mine, cost=Decimal("0.25"))
        record(made.gateway, request_id="b", caller=theirs, cost=Decimal(4))
        record(made.gateway, request_id="c", caller="user-1", cost=Decimal(8))

        async def seen(query: str, headers: dict[str, str]) -> Any:
            answer = await made.http.get(f"/v1/usage?groupBy=key{query}", headers=headers)
            assert answer.status_code == 200, answer.text
            return {group["group"]: group["costUsd"] for group in answer.json()["groups"]}

        assert await seen("", limited) == await seen(f"&key={mine}", limited) == {mine: 0.25}
        everything = {mine: 0.25, theirs: 4, "user-1": 8}
        assert await seen("", operator) == await seen("", admin) == everything
        for other in (theirs, "user-1", "local", ""):
            refused = await made.http.get(f"/v1/usage?key={other}", headers=limited)
            assert refused.status_code == 403
            assert "scope 'admin'" in error_of(refused)["error"]
        refused = await made.http.get("/v1/stats", headers=limited)
        assert refused.status_code == 403
        assert "scope 'admin'" in error_of(refused)["error"]
        for headers in (operator, admin):
            assert (await made.http.get("/v1/stats", headers=headers)).json()["costUsd"] == 12.25


async def test_chats_that_a_client_gives_the_same_id_count_each(tmp_path: Path) -> None:
    async with surface(tmp_path) as made:
        await without_models(made)
        await made.http.post("/v1/models", json={**PRICED, "id": "broken", "apiModelName": "scripted-e503"})
        await made.http.post("/v1/models", json={**PRICED, "priority": 1})
        hello = {"messages": HELLO["messages"]}
        for _ in range(5):
            answer = await made.http.post("/v1/chat/completions", json=hello, headers={"x-request-id": "mine"})
            assert (answer.status_code, answer.headers["x-request-id"]) == (200, "mine")
        total = (await made.http.get("/v1/usage")).json()["total"]
        assert (total["requests"], total["attempts"], total["failed"]) == (5, 6, 1)
        assert (await made.http.get("/v1/decisions/mine")).status_code == 200


async def test_slow_reports_hold_up_nothing_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    begun, over = threading.Event(), threading.Event()

    def slow(*_: Any, **__: Any) -> None:
        begun.set()
        over.wait(20)
        raise Unavailable("The database took too long for this.", code="took_too_long")

    monkeypatch.setattr("shared.operations.usage._sums", slow)
    async with surface(tmp_path) as made:
        reports = [asyncio.create_task(made.http.get("/v1/usage")) for _ in range(6)]
        await asyncio.to_thread(begun.wait, 10)
        async with asyncio.timeout(10):
            await made.http.post("/v1/models", json=PRICED)
            assert (await made.http.post("/v1/chat/completions", json=HELLO)).status_code == 200
            assert (await made.http.post("/v1/budgets", json={"limitUsd": 5})).status_code == 201
        over.set()
        assert {report.status_code for report in await asyncio.gather(*reports)} == {503}
        assert (await made.http.get("/health")).json()["database"] is True
