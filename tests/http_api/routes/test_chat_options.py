"""What may be asked of the router, over HTTP: in the body, in headers, and what answers say of it."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import orjson
import pytest

from shared.domain.models import Model
from tests.support.http_gateway import Surface, surface
from tests.support.http_stack import error_of

CHAT = "/v1/chat/completions"
HELLO: dict[str, Any] = {"messages": [{"role": "user", "content": "hi"}]}
UP = {"maxLayer": "L1", "escalate": True}
FREE = {"price_per_1k_input_tokens": "0", "price_per_1k_output_tokens": "0"}
PRICED = {"price_per_1k_input_tokens": "0.001", "price_per_1k_output_tokens": "0.002"}


@pytest.fixture
async def here(tmp_path: Path) -> AsyncIterator[Surface]:
    """A free model whose answers are cut off, and one in L1 that costs money."""
    async with surface(tmp_path) as found:
        for model in found.gateway.registry.snapshot.models.values():
            await found.gateway.registry.delete(model.id)
        await add(found, "scripted-n3-len", **FREE)
        await add(found, "scripted-n5", layer="L1", **PRICED)
        yield found


async def add(here: Surface, name: str, *, layer: Any = "L0", **more: Any) -> Model:
    facts = {"id": name, "provider": "openai", "api_model_name": name, "layer": layer, **more}
    return await here.gateway.registry.add(Model.model_validate(facts))


def asked(here: Surface) -> list[str]:
    return [seen.body["model"] for seen in here.provider.seen if seen.path.endswith("/chat/completions")]


async def test_a_step_that_costs_money_asks_first_when_the_header_says_so(here: Surface) -> None:
    answer = await here.http.post(CHAT, json={**HELLO, "gateway": UP}, headers={"X-Gateway-Escalation": "confirm"})
    assert answer.status_code == 409
    error = error_of(answer)
    assert error["code"] == "escalation_needs_confirmation"
    details = error["details"]
    assert (details["answer"], details["model"]) == ("word0 word1 word2", "scripted-n3-len")
    assert (details["nextModel"], details["nextLayer"]) == ("scripted-n5", "L1")
    assert details["costUsd"] > 0
    assert asked(here) == ["scripted-n3-len"]


@pytest.mark.parametrize(
    ("headers", "options", "goes"),
    [
        ({}, {}, True),
        ({"X-Gateway-Escalation": "allow"}, {}, True),
        ({"X-Gateway-Escalation": "confirm"}, {"escalation": "allow"}, True),
        ({"X-Gateway-Escalation": "allow"}, {"escalation": "confirm"}, False),
        ({"X-Gateway-Escalation": "confirm", "X-Gateway-Options": '{"escalation": "allow"}'}, {}, True),
        ({"X-Gateway-Escalation": "allow", "X-Gateway-Options": '{"escalation": "confirm"}'}, {}, False),
        ({"X-Gateway-Options": '{"escalation": "confirm"}'}, {"escalation": "allow"}, True),
    ],
)
async def test_the_body_wins_over_the_options_header_and_that_over_the_others(
    here: Surface, headers: dict[str, str], options: dict[str, str], goes: bool
) -> None:
    answer = await here.http.post(CHAT, json={**HELLO, "gateway": {**UP, **options}}, headers=headers)
    assert answer.status_code == (200 if goes else 409)


async def test_the_answer_says_how_it_went_up_and_what_all_of_it_cost(here: Surface) -> None:
    answer = await here.http.post(CHAT, json={**HELLO, "gateway": UP})
    body = answer.json()
    assert body["model"] == "scripted-n5"
    steps = [{"reason": "truncated", "from": "scripted-n3-len", "to": "scripted-n5"}]
    assert body["gateway"]["escalation"] == {"steps": steps, "ended": "answered"}
    assert body["gateway"]["costUsd"] == float(answer.headers["x-gateway-cost-usd"]) == body["usage"]["cost"]
    assert answer.headers["x-gateway-layer"] == "L1"


async def test_a_stream_that_is_judged_says_it_in_its_last_event(here: Surface) -> None:
    answer = await here.http.post(CHAT, json={**HELLO, "stream": True, "gateway": UP})
    assert answer.headers["content-type"].startswith("text/event-stream")
    *events, done = [event.removeprefix("data: ") for event in answer.text.strip().split("\n\n")]
    assert done == "[DONE]"
    chunks = [orjson.loads(event) for event in events]
    text = "".join(choice["delta"].get("content") or "" for chunk in chunks for choice in chunk["choices"])
    assert text == "word0 word1 word2 word3 word4"
    assert chunks[-1]["gateway"]["escalation"]["ended"] == "answered"
    assert all("gateway" not in chunk for chunk in chunks[:-1])


async def test_a_stream_asks_first_too(here: Surface) -> None:
    body = {**HELLO, "stream": True, "gateway": {**UP, "escalation": "confirm"}}
    answer = await here.http.post(CHAT, json=body)
    assert answer.status_code == 409
    assert error_of(answer)["code"] == "escalation_needs_confirmation"


async def test_what_the_refusal_says_leads_to_the_better_answer(here: Surface) -> None:
    options = {"escalation": "allow", "minLayer": "L1", "maxLayer": "L1"}
    answer = await here.http.post(CHAT, json={**HELLO, "gateway": options})
    assert answer.json()["model"] == "scripted-n5"
    assert asked(here) == ["scripted-n5"]


@pytest.mark.parametrize("name", ["X-Gateway-Session", "x-claude-code-session-id"])
async def test_a_named_conversation_stays_with_its_model(here: Surface, name: str) -> None:
    headers = {name: "0b7c"}
    await here.http.post(CHAT, json=HELLO, headers=headers)
    found = await here.http.post("/v1/route/explain", json=HELLO, headers=headers)
    assert found.json()["facts"]["conversation"] == {"known": True, "answers": 0, "staysWith": "scripted-n3-len"}
    other = await here.http.post("/v1/route/explain", json=HELLO, headers={name: "another"})
    assert other.json()["facts"]["conversation"]["staysWith"] is None


@pytest.mark.parametrize(
    ("headers", "name"),
    [
        ({"X-Gateway-Escalation": "maybe"}, "X-Gateway-Escalation"),
        ({"X-Gateway-Session": "x" * 201}, "X-Gateway-Session"),
        ({"X-Gateway-Session": ""}, "X-Gateway-Session"),
        ({"x-claude-code-session-id": "x" * 5_000}, "X-Claude-Code-Session-Id"),
        ({"X-Gateway-Options": "[]"}, "X-Gateway-Options"),
    ],
)
async def test_a_wrong_header_is_named(here: Surface, headers: dict[str, str], name: str) -> None:
    answer = await here.http.post(CHAT, json=HELLO, headers=headers)
    assert answer.status_code == 400
    assert error_of(answer)["details"]["fields"][0]["field"] == name
    assert asked(here) == []
