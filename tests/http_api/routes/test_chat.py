"""The chat over HTTP, down to a scripted provider behind real sockets."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import httpx
import orjson
import pytest
from starlette.types import ASGIApp

from http_api.context import exchange_of
from http_api.routes.chat import PATH, chat_route
from shared.domain.identity import LOCAL, Caller
from shared.gateway import Gateway
from tests.support.chat_stack import ChatStack, chat_stack
from tests.support.http_server import serving
from tests.support.http_stack import client, error_of, layers
from tests.support.no_audit import NoAudit

HELLO: dict[str, Any] = {"messages": [{"role": "user", "content": "hi"}]}


def as_caller(caller: Caller) -> Callable[[ASGIApp], ASGIApp]:
    def around(app: ASGIApp) -> ASGIApp:
        async def application(scope: Any, receive: Any, send: Any) -> None:
            exchange_of(scope).caller = caller
            await app(scope, receive, send)

        return application

    return around


def application_of(stack: ChatStack, caller: Caller = LOCAL) -> ASGIApp:
    gateway = cast("Gateway", SimpleNamespace(router=stack.router, audit=NoAudit()))
    route = chat_route(gateway, body_limit=100_000)
    return layers((route,), limit=1000, inner=as_caller(caller))


@asynccontextmanager
async def chatting(folder: Path, *names: str) -> AsyncIterator[tuple[httpx.AsyncClient, ChatStack]]:
    async with chat_stack(folder) as stack:
        for priority, name in enumerate(names or ("scripted",)):
            await stack.add(name, priority=priority, provider="dead" if name == "dead" else "scripted")
        async with client(application_of(stack)) as http:
            yield http, stack


def events(text: str) -> list[Any]:
    assert text.endswith("\n\n")
    return [event.removeprefix("data: ") for event in text.removesuffix("\n\n").split("\n\n")]


async def test_a_chat_is_answered_and_its_way_told_in_headers(tmp_path: Path) -> None:
    async with chatting(tmp_path, "dead", "scripted-n3") as (http, _):
        answer = await http.post(PATH, json={**HELLO, "gateway": {"maxLayer": "L0"}})
    assert answer.status_code == 200
    body = answer.json()
    assert body["choices"][0]["message"]["content"].strip() == "word0 word1 word2"
    assert body["model"] == "scripted-n3"
    headers = answer.headers
    assert headers["x-gateway-model"] == "scripted/scripted-n3"
    assert headers["x-gateway-provider"] == "scripted"
    assert headers["x-gateway-layer"] == "L0"
    assert headers["x-gateway-attempts"] == "2"
    assert float(headers["x-gateway-cost-usd"]) == pytest.approx(body["usage"]["cost"])
    assert headers["cache-control"] == "no-store"


async def test_an_unknown_price_is_not_told_as_nothing(tmp_path: Path) -> None:
    async with chatting(tmp_path) as (http, stack):
        await stack.add("scripted-n1", price_per_1k_input_tokens=None, price_per_1k_output_tokens=None, id="free/x")
        answer = await http.post(PATH, json={**HELLO, "model": "free/x"})
    assert answer.headers["x-gateway-cost-usd"] == "unknown"


async def test_a_stream_comes_as_server_sent_events_up_to_done(tmp_path: Path) -> None:
    async with chatting(tmp_path, "scripted-n3") as (http, _):
        answer = await http.post(PATH, json={**HELLO, "stream": True})
    assert answer.status_code == 200
    headers = answer.headers
    assert headers["content-type"] == "text/event-stream; charset=utf-8"
    assert headers["cache-control"] == "no-cache"
    assert headers["x-accel-buffering"] == "no"
    assert headers["x-gateway-model"] == "scripted/scripted-n3"
    assert "x-gateway-cost-usd" not in headers
    *chunks, done = events(answer.text)
    assert done == "[DONE]"
    parsed = [orjson.loads(chunk) for chunk in chunks]
    text = "".join(choice["delta"].get("content") or "" for chunk in parsed for choice in chunk["choices"])
    assert text == "word0 word1 word2 "
    assert parsed[-1]["usage"]["cost"] is not None


async def test_a_failure_before_the_first_token_goes_to_the_next_model_unseen(tmp_path: Path) -> None:
    async with chatting(tmp_path, "scripted-e500", "scripted-n1") as (http, _):
        answer = await http.post(PATH, json={**HELLO, "stream": True})
    assert answer.headers["x-gateway-attempts"] == "2"
    assert events(answer.text)[-1] == "[DONE]"


async def test_a_stream_that_breaks_off_ends_with_an_error_event_and_no_done(tmp_path: Path) -> None:
    async with chatting(tmp_path, "scripted-n9-drop3", "scripted-n1") as (http, _):
        answer = await http.post(PATH, json={**HELLO, "stream": True})
    assert answer.status_code == 200
    *_, last = events(answer.text)
    assert set(orjson.loads(last)["error"]) == {"message", "type", "code", "details"}
    assert "[DONE]" not in answer.text
    assert answer.text.count('"id"') > 1


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    ("model", "status"),
    [("scripted-e500", 502), ("scripted-e429-ra7", 429), ("scripted-hang", 504), ("scripted-e400", 400)],
)
async def test_when_nothing_is_left_the_answer_says_so_and_sdks_are_told_not_to_repeat(
    tmp_path: Path, model: str, status: int, stream: bool
) -> None:
    async with chatting(tmp_path, model) as (http, _):
        answer = await http.post(PATH, json={**HELLO, "stream": stream, "gateway": {"timeoutMs": 1000}})
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["x-should-retry"] == "false"
    assert error_of(answer)["code"].startswith(("provider_", "request_timeout"))
    assert ("retry-after" in answer.headers) == (status == 429)


async def test_no_model_at_all_is_503_and_not_to_be_repeated(tmp_path: Path) -> None:
    async with chatting(tmp_path) as (http, stack):
        await stack.registry.toggle_layer("L0", False)
        answer = await http.post(PATH, json=HELLO)
    assert answer.status_code == 503
    assert answer.headers["x-should-retry"] == "false"
    assert error_of(answer)["code"] == "no_model_available"


async def test_an_unknown_model_is_404_with_near_names(tmp_path: Path) -> None:
    async with chatting(tmp_path) as (http, _):
        answer = await http.post(PATH, json={**HELLO, "model": "scriptd"})
    assert answer.status_code == 404
    assert "scripted" in answer.text


@pytest.mark.parametrize(
    ("header", "body", "limit"),
    [
        ('{"timeoutMs": 60}', {}, 60),
        ('{"timeoutMs": 60}', {"gateway": None}, 60),
        ('{"timeoutMs": 3600000, "tags": {"a": "b"}}', {"gateway": {"timeoutMs": 50}}, 50),
        ('{"timeoutMs": 70}', {"gateway": {"tags": {"a": "b"}}}, 70),
    ],
)
async def test_options_may_come_in_a_header_and_the_body_wins(
    tmp_path: Path, header: str, body: dict[str, Any], limit: int
) -> None:
    async with chatting(tmp_path, "scripted-hang") as (http, _):
        answer = await http.post(PATH, json={**HELLO, **body}, headers={"x-gateway-options": header})
        assert answer.status_code == 504
        assert f"{limit} ms" in error_of(answer)["error"]


async def test_wrong_options_in_the_header_are_refused(tmp_path: Path) -> None:
    async with chatting(tmp_path) as (http, stack):
        for header in ("", "{", "[]", "1", '{"nonsense": 1}', '{"timeoutMs": "5"}', '{"maxLayer": "L9"}'):
            answer = await http.post(PATH, json=HELLO, headers={"x-gateway-options": header})
            assert answer.status_code == 400, header
            assert error_of(answer)["details"]["fields"]
        assert stack.server.requests == 0


BAD_BODIES = (
    b"",
    b"{",
    b"[]",
    b"{}",
    b'{"messages": []}',
    b'{"messages": "hi"}',
    b'{"messages": [{"role": "user"}]}',
    b'{"messages": [{"role": "user", "content": "a\\u0000b"}]}',
    b'{"messages": [{"role": "user", "content": "\\ud800"}]}',
    b'{"messages": [{"role": "user", "content": "hi"}], "stream": "yes"}',
    b'{"messages": [{"role": "user", "content": "hi"}], "temperature": NaN}',
    b'{"messages": [{"role": "user", "content": "hi"}], "n": 1e99}',
    b'{"messages": [{"role": "user", "content": "hi"}], "gateway": []}',
    b'{"messages": [{"role": "user", "content": "hi"}], "x": ' + b"[" * 300 + b"]" * 300 + b"}",
)


async def test_a_wrong_body_reaches_no_provider(tmp_path: Path) -> None:
    async with chatting(tmp_path) as (http, stack):
        for body in BAD_BODIES:
            answer = await http.post(PATH, content=body, headers={"content-type": "application/json"})
            assert answer.status_code == 400, body
            assert error_of(answer)["details"]["fields"][0]["reason"]
        assert stack.server.requests == 0


async def test_the_chat_takes_larger_bodies_than_other_paths(tmp_path: Path) -> None:
    async with chatting(tmp_path, "scripted-n1") as (http, _):
        fits = {"messages": [{"role": "user", "content": "x" * 50_000}]}
        assert (await http.post(PATH, json=fits)).status_code == 200
        large = {"messages": [{"role": "user", "content": "x" * 200_000}]}
        assert (await http.post(PATH, json=large)).status_code == 413


async def test_a_caller_without_the_scope_may_not_chat(tmp_path: Path) -> None:
    viewer = Caller(id="u", kind="user", name="u", scopes=frozenset({"models:read"}))
    async with chat_stack(tmp_path) as stack, client(application_of(stack, caller=viewer)) as http:
        assert (await http.post(PATH, json=HELLO)).status_code == 403


async def test_an_openai_sdk_gets_errors_in_its_own_form(tmp_path: Path) -> None:
    async with chatting(tmp_path) as (http, _):
        answer = await http.post(PATH, json={"messages": []}, headers={"x-stainless-lang": "python"})
    assert answer.status_code == 400
    assert answer.json()["error"]["param"] == "messages"
    assert answer.json()["error"]["type"] == "invalid_request_error"


@pytest.mark.parametrize(
    ("model", "stream"), [("scripted-hang", False), ("scripted-hang", True), ("scripted-n9-hang2", True)]
)
async def test_a_client_that_leaves_ends_the_providers_work_at_once(tmp_path: Path, model: str, stream: bool) -> None:
    patient = {"gateway": {"timeoutMs": 60_000}}
    async with chat_stack(tmp_path) as stack:
        await stack.add(model)
        body = orjson.dumps({**HELLO, **patient, "stream": stream})
        async with serving(application_of(stack)) as server:
            _, writer = await server.connect()
            writer.write(
                b"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
                b"Content-Length: %d\r\n\r\n" % len(body) + body
            )
            await asyncio.wait_for(stack.server.arrived.wait(), 5)
            writer.close()
            await asyncio.wait_for(stack.server.left.wait(), 5)


async def test_tokens_are_sent_on_as_they_come(tmp_path: Path) -> None:
    async with chat_stack(tmp_path) as stack:
        await stack.add("scripted-n9-hang2")
        async with (
            serving(application_of(stack)) as server,
            httpx.AsyncClient(base_url=server.url) as http,
            http.stream("POST", PATH, json={**HELLO, "stream": True}) as answer,
        ):
            received = ""
            async for part in answer.aiter_text():
                received += part
                if "word1" in received:
                    break
            assert stack.server.active == 1
