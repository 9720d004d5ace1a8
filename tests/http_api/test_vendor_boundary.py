"""What passes between a client and a vendor over the whole gateway: no headers, no credentials, and no empty answers."""

from pathlib import Path
from typing import Any

import orjson
import pytest

from shared.domain.models import Model
from tests.support.http_gateway import Surface, surface

HELLO: dict[str, Any] = {"messages": [{"role": "user", "content": "hi"}]}
CLIENTS = {
    "x-api-key": "the-clients-key",
    "api-key": "the-clients-key",
    "cookie": "session=the-clients-cookie",
    "openai-organization": "org-of-the-client",
    "openai-project": "project-of-the-client",
    "openai-beta": "assistants=v2",
    "anthropic-version": "2023-06-01",
    "anthropic-beta": "a-2026-01-01",
    "http-referer": "https://client.example",
    "x-title": "The client",
    "x-stainless-lang": "python",
    "x-request-id": "id-of-the-client",
    "x-forwarded-for": "192.0.2.1",
    "traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
    "user-agent": "OpenAI/Python 3.57.0",
    "accept-language": "tlh-Latn",
    "x-gateway-options": '{"maxLayer": "L0"}',
}


async def add(there: Surface, name: str, priority: int = 0) -> None:
    await there.gateway.registry.add(
        Model(
            id=f"scripted/{name}",
            provider="openai",
            api_model_name=name,
            layer="L0",
            priority=priority,
            price_per_1k_input_tokens=0,
            price_per_1k_output_tokens=0,
        )
    )


@pytest.mark.parametrize("stream", [False, True])
async def test_nothing_of_the_clients_headers_reaches_the_vendor(tmp_path: Path, stream: bool) -> None:
    async with surface(tmp_path) as there:
        await add(there, "scripted")
        token = await there.login()
        headers = {**CLIENTS, "authorization": f"Bearer {token}"}
        body = {**HELLO, "model": "scripted/scripted", "stream": stream}
        answer = await there.http.post("/v1/chat/completions", json=body, headers=headers)
        assert answer.status_code == 200, answer.text
        (seen,) = [seen for seen in there.provider.seen if seen.path.endswith("/chat/completions")]
    assert seen.headers.keys() == {
        "host",
        "accept",
        "accept-encoding",
        "content-type",
        "content-length",
        "user-agent",
        "authorization",
    }
    assert seen.headers["authorization"] == "Bearer sk-test"
    told = " ".join(seen.headers.values())
    assert not [value for value in (*CLIENTS.values(), token) if value in told]
    assert "gateway" not in seen.body


@pytest.mark.parametrize("stream", [False, True])
async def test_an_empty_answer_is_made_good_by_the_next_model_and_the_client_never_knows(
    tmp_path: Path, stream: bool
) -> None:
    async with surface(tmp_path) as there:
        await add(there, "scripted-empty")
        await add(there, "scripted-n2", priority=1)
        token = await there.login()
        body = {**HELLO, "stream": stream, "gateway": {"maxLayer": "L0"}}
        answer = await there.http.post("/v1/chat/completions", json=body, headers={"authorization": f"Bearer {token}"})
        asked = [seen.body["model"] for seen in there.provider.seen if seen.path.endswith("/chat/completions")]
    assert answer.status_code == 200, answer.text
    assert asked == ["scripted-empty", "scripted-n2"]
    assert "scripted-empty" not in answer.text
    if stream:
        events = [orjson.loads(line[6:]) for line in answer.text.split("\n\n") if line.startswith("data: {")]
        assert "".join(event["choices"][0]["delta"].get("content") or "" for event in events if event["choices"]) == (
            "word0 word1 "
        )
    else:
        assert answer.json()["choices"][0]["message"]["content"] == "word0 word1"
