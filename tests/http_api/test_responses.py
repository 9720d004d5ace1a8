from typing import Any

import pytest
from starlette.types import Message

from http_api.context import SCOPE_KEY, Exchange
from http_api.responses import send_bytes, send_error, send_json, send_nothing
from shared.errors import NotFound, RateLimited

Scope = dict[str, Any]


@pytest.fixture
def sent() -> list[Message]:
    return []


def scope(**more: Any) -> Scope:
    return {"type": "http", "method": "GET", "path": "/", SCOPE_KEY: Exchange("r1", {}, ""), **more}


def collect(sent: list[Message]) -> Any:
    async def send(message: Message) -> None:
        sent.append(message)

    return send


async def test_json_is_kept_by_no_cache(sent: list[Message]) -> None:
    await send_json(scope(), collect(sent), b"{}", 201)
    assert sent[0]["status"] == 201
    assert (b"content-type", b"application/json") in sent[0]["headers"]
    assert (b"cache-control", b"no-store") in sent[0]["headers"]
    assert sent[1]["body"] == b"{}"


async def test_head_gets_the_length_and_no_body(sent: list[Message]) -> None:
    await send_bytes(scope(method="HEAD"), collect(sent), b"12345", media=b"text/plain")
    assert (b"content-length", b"5") in sent[0]["headers"]
    assert sent[1]["body"] == b""


async def test_nothing_is_nothing(sent: list[Message]) -> None:
    await send_nothing(collect(sent), 204)
    assert sent == [
        {"type": "http.response.start", "status": 204, "headers": []},
        {"type": "http.response.body", "body": b""},
    ]


async def test_an_error_names_its_request(sent: list[Message]) -> None:
    await send_error(scope(), collect(sent), RateLimited("Too many.", retry_after=3))
    assert sent[0]["status"] == 429
    assert (b"retry-after", b"3") in sent[0]["headers"]
    assert b'"requestId":"r1"' in sent[1]["body"]


async def test_a_client_that_reads_openais_form_gets_it(sent: list[Message]) -> None:
    asked = scope()
    asked[SCOPE_KEY].error_format = "openai"
    await send_error(asked, collect(sent), NotFound("No."))
    assert b'"error":{"message":"No."' in sent[1]["body"]
