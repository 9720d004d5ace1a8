import asyncio
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlmodel import Session

from shared.storage import decision_rows
from tests.support.http_gateway import MODEL, Surface, surface
from tests.support.http_stack import error_of

HELLO = {"model": "auto", "messages": [{"role": "user", "content": "Prove that the square root of 2 is irrational."}]}

FAR = datetime(2080, 1, 1, tzinfo=UTC)


async def asked(made: Surface, **headers: str) -> str:
    """A chat; the id of its request."""
    answer = await made.http.post("/v1/chat/completions", json=HELLO, headers=headers)
    assert answer.status_code == 200, answer.text
    return answer.headers["x-request-id"]


async def score(made: Surface, request_id: str, value: Any, **headers: str) -> httpx.Response:
    return await made.http.post("/v1/feedback", json={"requestId": request_id, "score": value}, headers=headers)


async def stored(made: Surface, request_id: str) -> list[float | None]:
    def work(session: Session) -> list[float | None]:
        found = decision_rows.page(session, start=decision_rows.EPOCH, end=FAR, before=None, limit=1000)
        return [row.score for row in found if row.request_id == request_id]

    return await made.gateway.database.read(work)


async def key(made: Surface, name: str, *scopes: str) -> dict[str, str]:
    admin = {"authorization": f"Bearer {await made.login()}"}
    created = await made.http.post("/v1/keys", json={"name": name, "scopes": scopes or ["chat"]}, headers=admin)
    return {"authorization": f"Bearer {created.json()['secret']}"}


@pytest.mark.parametrize("mode", ["off", "shadow", "on"])
async def test_a_score_is_kept_with_the_decision_and_a_later_one_replaces_it(tmp_path: Path, mode: str) -> None:
    async with surface(tmp_path, router_learning=mode) as made:
        await made.http.post("/v1/models", json=MODEL)
        request_id = await asked(made)
        for value in (1, 0.25):
            answer = await score(made, request_id, value)
            assert answer.status_code == 200, answer.text
            assert answer.json() == {"success": True}
        assert await stored(made, request_id) == [0.25]
        assert made.gateway.learner.counts["votes"] == (0 if mode == "off" else 1)


async def test_only_the_caller_of_a_request_may_score_it(tmp_path: Path) -> None:
    async with surface(tmp_path, auth_mode="required", router_learning="on") as made:
        mine, other = await key(made, "mine"), await key(made, "other")
        admin = {"authorization": f"Bearer {await made.login()}"}
        await made.http.post("/v1/models", json=MODEL, headers=admin)
        request_id = await asked(made, **mine)
        for headers in (other, admin):
            refused = await score(made, request_id, 0, **headers)
            assert refused.status_code == 404
            assert "X-Request-ID" in error_of(refused)["error"]
        assert made.gateway.learner.counts["votes"] == 0
        assert (await score(made, request_id, 1, **mine)).status_code == 200
        assert await stored(made, request_id) == [1.0]


async def test_the_same_id_of_two_callers_names_two_requests(tmp_path: Path) -> None:
    async with surface(tmp_path, auth_mode="required", router_learning="on") as made:
        mine, other = await key(made, "mine"), await key(made, "other")
        await made.http.post("/v1/models", json=MODEL, headers={"authorization": f"Bearer {await made.login()}"})
        ids = {await asked(made, **headers, **{"x-request-id": "the-same"}) for headers in (mine, other)}
        for request_id in ids:
            await score(made, request_id, 1, **mine)
            await score(made, request_id, 0, **other)
        found = [value for request_id in ids for value in await stored(made, request_id)]
        assert sorted(map(str, found)) == ["0.0", "1.0"]


async def test_it_needs_the_scope_to_chat(tmp_path: Path) -> None:
    async with surface(tmp_path, auth_mode="required") as made:
        assert (await score(made, "any", 1)).status_code == 401
        assert (await score(made, "any", 1, **await key(made, "reader", "models:read"))).status_code == 403


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"score": 1}, "requestId"),
        ({"requestId": "r"}, "score"),
        ({"requestId": "r", "score": 1.5}, "score"),
        ({"requestId": "r", "score": -1}, "score"),
        ({"requestId": "r", "score": True}, "score"),
        ({"requestId": "r", "score": "1"}, "score"),
        ({"requestId": "", "score": 1}, "requestId"),
        ({"requestId": "r" * 101, "score": 1}, "requestId"),
        ({"requestId": "r", "score": 1, "comment": "x" * 1_001}, "comment"),
        ({"requestId": "r", "score": 1, "stars": 5}, "stars"),
    ],
)
async def test_what_is_wrong_is_named(tmp_path: Path, body: dict[str, Any], field: str) -> None:
    async with surface(tmp_path) as made:
        refused = await made.http.post("/v1/feedback", json=body)
        assert refused.status_code == 400
        assert [found["field"] for found in refused.json()["details"]["fields"]] == [field]


async def test_a_request_that_nobody_knows_is_not_found(tmp_path: Path) -> None:
    async with surface(tmp_path, router_learning="on") as made:
        assert (await score(made, "never-seen", 1)).status_code == 404


async def test_a_vote_after_a_restart_is_learned_from_what_the_row_keeps(tmp_path: Path) -> None:
    async with surface(tmp_path, router_learning="on") as made:
        await made.http.post("/v1/models", json=MODEL)
        request_id = await asked(made)
    async with surface(tmp_path, router_learning="on") as made:
        before = made.gateway.learner.heads.seen("L0")
        for value in (0, 1):
            assert (await score(made, request_id, value)).status_code == 200
        assert made.gateway.learner.heads.seen("L0") == pytest.approx(before + 3, abs=0.01)
        assert await stored(made, request_id) == [1.0]


async def test_votes_at_the_same_time_count_as_one(tmp_path: Path) -> None:
    async with surface(tmp_path, router_learning="on") as made:
        await made.http.post("/v1/models", json=MODEL)
        request_id = await asked(made)
        answers = await asyncio.gather(*(score(made, request_id, number / 20) for number in range(20)))
        assert {answer.status_code for answer in answers} == {200}
        (found,) = await stored(made, request_id)
        assert found in {number / 20 for number in range(20)}
        assert made.gateway.learner.counts["votes"] == 1
        assert made.gateway.learner.heads.seen("L0") == pytest.approx(3, abs=0.01)


async def test_the_comment_is_in_the_audit_trail(tmp_path: Path) -> None:
    async with surface(tmp_path, router_learning="on") as made:
        await made.http.post("/v1/models", json=MODEL)
        request_id = await asked(made)
        said = {"requestId": request_id, "score": 0, "comment": "It forgot the second part."}
        await made.http.post("/v1/feedback", json=said)
        (entry,) = (await made.http.get("/v1/audit?action=give_feedback")).json()["entries"]
        assert entry["details"] == said
        assert entry["outcome"] == "ok"


GREETING, PROOF = "Hello there, how are you?", "Prove theorem {} by induction, and state each lemma."


async def shares_of_l1(made: Surface, count: int, *, scored: bool) -> tuple[float, float]:
    """Send greetings and proofs by turns, of which L0 fails the proofs; the parts of the last 60 that began at L1."""
    await made.http.post("/v1/models", json=MODEL)
    await made.http.post("/v1/models", json={**MODEL, "id": "scripted/better", "layer": "L1"})
    began: dict[bool, list[bool]] = {False: [], True: []}
    for number in range(count):
        hard = number % 2 == 1
        text = PROOF.format(number) if hard else GREETING
        body = {"model": "auto", "messages": [{"role": "user", "content": text}]}
        answer = await made.http.post("/v1/chat/completions", json=body)
        layer = answer.headers["x-gateway-layer"]
        began[hard].append(layer == "L1")
        if scored:
            await score(made, answer.headers["x-request-id"], float(layer == "L1" or not hard))
    return sum(began[False][-30:]) / 30, sum(began[True][-30:]) / 30


LEARNS = {"router_share": "L0=50,L1=50", "enable_auto_escalate": True, "max_escalation_layer": "L1"}


async def test_scores_lead_proofs_and_no_greetings_to_the_layer_that_can_do_them(tmp_path: Path) -> None:
    async with surface(tmp_path, router_learning="on", **LEARNS) as made:
        greetings, proofs = await shares_of_l1(made, 300, scored=True)
        assert greetings < 0.2
        assert proofs > 0.8


@pytest.mark.parametrize("mode", ["off", "shadow"])
async def test_scores_change_nothing_unless_it_is_on(tmp_path: Path, mode: str) -> None:
    async with surface(tmp_path, router_learning=mode, **LEARNS) as made:
        assert await shares_of_l1(made, 160, scored=True) == (0, 0)
        counts = (await made.http.get("/v1/stats")).json()["learning"]
        assert bool(counts.get("L0 to L1")) == (mode == "shadow")


async def test_without_scores_every_chat_starts_where_it_would_without_learning(tmp_path: Path) -> None:
    async with surface(tmp_path, router_learning="on", **LEARNS) as made:
        assert await shares_of_l1(made, 160, scored=False) == (0, 0)
        counts = (await made.http.get("/v1/stats")).json()["learning"]
        assert counts == {"abstained": 160}


async def test_no_vote_makes_a_row(tmp_path: Path) -> None:
    async with surface(tmp_path) as made:
        await score(made, "never-seen", 1)
        assert await stored(made, "never-seen") == []
