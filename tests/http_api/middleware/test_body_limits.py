from collections.abc import AsyncIterator

import httpx
import pytest
from starlette.types import Receive, Scope, Send

from http_api.bodies import read_body
from http_api.context import Route
from http_api.responses import send_json
from tests.support.http_stack import client, error_of, layers


async def size(scope: Scope, receive: Receive, send: Send) -> None:
    await send_json(scope, send, b'{"size":%d}' % len(await read_body(receive)))


ROUTES = (
    Route(path="/small", methods={"POST": size, "DELETE": size}),
    Route(path="/large", methods={"POST": size}, body_limit=5000),
)
JSON = {"content-type": "application/json"}


async def post(path: str, content: bytes | AsyncIterator[bytes], headers: dict[str, str]) -> httpx.Response:
    async with client(layers(ROUTES, limit=1000)) as http:
        return await http.post(path, content=content, headers=headers)


async def in_parts(*parts: bytes) -> AsyncIterator[bytes]:
    for part in parts:
        yield part


@pytest.mark.parametrize(
    "media",
    ["application/json", "Application/JSON", "application/json; charset=utf-8", 'application/json;charset="UTF-8"'],
)
async def test_json_is_taken(media: str) -> None:
    assert (await post("/small", b"{}", {"content-type": media})).json() == {"size": 2}


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"content-type": "text/plain"},
        {"content-type": "application/x-www-form-urlencoded"},
        {"content-type": "application/json; charset=utf-16"},
        {"content-type": "application/jsonp"},
        {"content-type": "multipart/form-data; boundary=application/json"},
    ],
)
async def test_anything_else_is_an_unsupported_media_type(headers: dict[str, str]) -> None:
    answer = await post("/small", b"{}", headers)
    assert answer.status_code == 415
    assert error_of(answer)["code"] == "unsupported_media_type"


@pytest.mark.parametrize("encoding", ["gzip", "br", "gzip, identity"])
async def test_a_compressed_body_is_refused(encoding: str) -> None:
    answer = await post("/small", b"{}", {**JSON, "content-encoding": encoding})
    assert answer.status_code == 415
    assert error_of(answer)["code"] == "unsupported_encoding"


async def test_no_body_needs_no_media_type() -> None:
    assert (await post("/small", b"", {})).json() == {"size": 0}


@pytest.mark.parametrize(("path", "limit"), [("/small", 1000), ("/large", 5000)])
async def test_a_body_may_reach_the_limit_of_its_path(path: str, limit: int) -> None:
    assert (await post(path, b"x" * limit, JSON)).json() == {"size": limit}
    answer = await post(path, b"x" * (limit + 1), JSON)
    assert answer.status_code == 413
    assert error_of(answer)["details"] == {"maxBytes": limit}


async def test_a_body_without_a_length_is_counted_as_it_comes() -> None:
    assert (await post("/small", in_parts(b"x" * 600, b"x" * 400), JSON)).json() == {"size": 1000}
    answer = await post("/small", in_parts(b"x" * 600, b"x" * 401, b"x" * 10**6), JSON)
    assert answer.status_code == 413
    assert error_of(answer)["code"] == "body_too_large"
