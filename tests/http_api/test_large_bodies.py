"""Bodies that take much more memory than they have bytes, and many of them at once."""

import asyncio
import json
import tracemalloc
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from starlette.types import Receive, Scope, Send

from http_api.app import Mounted
from http_api.bodies import parse_object, read_body
from http_api.context import Route
from http_api.large_bodies import SMALL, BodiesInWork, LargeBodyLimits
from http_api.responses import send_json
from mcp_gateway.transports import HttpTransports
from shared.domain.json_values import has_more_values
from shared.errors import RateLimited
from tests.support.http_gateway import surface
from tests.support.http_stack import client, error_of, layers

JSON = {"content-type": "application/json"}
LIMIT = 10 * 1024 * 1024
OBJECTS = b'{"messages":[' + b"{}," * 3_200_000 + b"0]}"


def values_in(value: Any) -> int:
    children = list(value.values()) if isinstance(value, dict) else value if isinstance(value, list) else []
    return 1 + sum(map(values_in, children))


@pytest.mark.parametrize(
    "text",
    [
        "{}",
        "[" + "1," * 70_000 + "2]",
        "[" + "[]," * 70_000 + "2]",
        json.dumps([{"a": 'x,{["\\' * 3, "b": [1, "\\\\", '\\"', "ü,"]}] * 20_000),
        json.dumps({"text": ('{"a": [1, 2, "b\\"c"]},' * 30_000)}),
        json.dumps({"a": "\\" * 140_000, "b": [1, 2, 3]}),
    ],
)
def test_values_are_counted_outside_of_texts(text: str) -> None:
    values = values_in(json.loads(text))
    assert has_more_values(text.encode(), values // 2 - 1)
    assert not has_more_values(text.encode(), values * 2)


async def test_a_body_of_very_many_small_values_is_refused_before_it_is_parsed(tmp_path: Path) -> None:
    async with surface(tmp_path) as made:
        for path in ("/v1/chat/completions", "/v1/route/explain"):
            answer = await made.http.post(path, content=OBJECTS, headers=JSON)
            assert answer.status_code == 413, (path, answer.text)
        answer = await made.http.post("/v1/chat/completions", content=OBJECTS, headers=JSON)
        assert error_of(answer)["details"] == {"maxValues": 250_000}


async def test_a_large_body_of_text_passes(tmp_path: Path) -> None:
    prose = "One, two, {three}: " * 400_000
    async with surface(tmp_path) as made:
        body = {"model": "auto", "messages": [{"role": "user", "content": prose}]}
        answer = await made.http.post("/v1/chat/completions", json=body)
        assert answer.status_code != 413, answer.text


async def test_the_memory_of_the_largest_body_is_bounded() -> None:
    """Four bytes a character is what the widest text takes; the values come on top."""
    most = LargeBodyLimits().values

    async def parsed(scope: Scope, receive: Receive, send: Send) -> None:
        value = parse_object(await read_body(receive))
        held.append(tracemalloc.get_traced_memory()[0] - before)
        await send_json(scope, send, b'{"values":%d}' % len(value))

    held: list[int] = []
    body = b'{"a":[' + b'{"b":1},' * (most // 2 - 10) + b"0]}"
    async with client(layers((Route(path="/x", methods={"POST": parsed}, body_limit=LIMIT),))) as http:
        tracemalloc.start()
        before = tracemalloc.get_traced_memory()[0]
        answer = await http.post("/x", content=body, headers=JSON)
        tracemalloc.stop()
    assert answer.status_code == 200, answer.text
    assert held[0] < 50_000_000


class Held:
    """An endpoint that answers when it is told to."""

    def __init__(self) -> None:
        self.go = asyncio.Event()
        self.began = asyncio.Semaphore(0)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        size = len(await read_body(receive))
        self.began.release()
        await self.go.wait()
        await send_json(scope, send, b'{"size":%d}' % size)


async def in_parts(*parts: bytes) -> AsyncIterator[bytes]:
    for part in parts:
        yield part


@pytest.mark.parametrize("chunked", [False, True])
async def test_bodies_in_work_are_bounded_and_given_back(chunked: bool) -> None:
    held = Held()
    size = 2 * SMALL

    def body() -> bytes | AsyncIterator[bytes]:
        text = b'"%s"' % (b"x" * (size - 2))
        return in_parts(text[:SMALL], text[SMALL:]) if chunked else text

    app = layers(
        (Route(path="/x", methods={"POST": held}, body_limit=LIMIT),),
        large=LargeBodyLimits(caller_bytes=3 * size, total_bytes=3 * size),
    )
    async with client(app) as http, asyncio.timeout(10):
        first = [asyncio.create_task(http.post("/x", content=body(), headers=JSON)) for _ in range(3)]
        for _ in first:
            await held.began.acquire()
        refused = await http.post("/x", content=body(), headers=JSON)
        assert (refused.status_code, error_of(refused)["code"]) == (429, "too_many_body_bytes")
        assert refused.headers["retry-after"] == "1"
        small = asyncio.create_task(http.post("/x", content=b"{}", headers=JSON))
        await held.began.acquire()
        held.go.set()
        assert [answer.json()["size"] for answer in await asyncio.gather(*first)] == [size] * 3
        assert (await small).status_code == 200
        assert (await http.post("/x", content=body(), headers=JSON)).status_code == 200


def test_callers_have_shares_of_their_own_within_that_of_all() -> None:
    bodies = BodiesInWork(LargeBodyLimits(caller_bytes=10, total_bytes=15))
    with bodies.share_of("alice") as alice, bodies.share_of("bob") as bob:
        alice.take(10)
        with pytest.raises(RateLimited, match="PER_CALLER"):
            alice.take(1)
        bob.take(5)
        with pytest.raises(RateLimited, match="All requests"):
            bob.take(1)
    with bodies.share_of("bob") as bob:
        bob.take(10)


async def test_mcp_messages_are_bounded_too(tmp_path: Path) -> None:
    async with surface(tmp_path, mounts=[Mounted(routes=HttpTransports().routes)]) as made:
        for path in ("/mcp", "/messages/?session_id=x"):
            body = b'{"jsonrpc":"2.0","id":1,"method":"ping","params":[' + b"{}," * 300_000 + b"0]}"
            answer = await made.http.post(path, content=body, headers=JSON)
            assert (answer.status_code, error_of(answer)["code"]) == (413, "body_too_large")
