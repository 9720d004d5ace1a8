import asyncio

import httpx
import pytest
import structlog
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from http_api.context import Route, exchange_of
from http_api.errors import ClientGone, event_of
from shared.errors import NotFound, UpstreamError
from tests.support.http_stack import HTTP_SCOPE, call, client, error_of, layers

START: Message = {"type": "http.response.start", "status": 200, "headers": []}


def failing(error: BaseException, *, after: tuple[Message, ...] = (), events: bool = False) -> ASGIApp:
    async def application(scope: Scope, receive: Receive, send: Send) -> None:
        exchange_of(scope).failure_event = event_of if events else None
        for message in after:
            await send(message)
        raise error

    return application


def around(application: ASGIApp, **options: object) -> ASGIApp:
    return layers((Route(path="/", methods={"GET": application}),), **options)  # type: ignore[arg-type]


async def ask(application: ASGIApp) -> httpx.Response:
    async with client(around(application)) as http:
        return await http.get("/")


async def test_an_error_of_the_core_becomes_its_answer() -> None:
    answer = await ask(failing(NotFound("There is no such thing.", details={"near": ["x"]})))
    assert answer.status_code == 404
    assert error_of(answer)["error"] == "There is no such thing."
    assert error_of(answer)["details"] == {"near": ["x"]}


async def test_a_bug_becomes_a_500_whose_reason_only_the_log_has() -> None:
    with structlog.testing.capture_logs() as lines:
        answer = await ask(failing(ZeroDivisionError("secret /etc/path")))
    assert answer.status_code == 500
    assert error_of(answer)["code"] == "internal_error"
    assert "secret" not in answer.text
    (logged,) = [line for line in lines if line["event"] == "request failed"]
    assert logged["exc_info"]
    assert logged["request_id"] == answer.headers["x-request-id"]


async def test_an_exception_group_is_a_bug_too() -> None:
    answer = await ask(failing(ExceptionGroup("several", [ValueError("inner")])))
    assert answer.status_code == 500
    assert "inner" not in answer.text


async def test_what_the_operator_must_know_goes_to_the_log() -> None:
    with structlog.testing.capture_logs() as lines:
        answer = await ask(failing(UpstreamError("It failed.", operator_detail="status 401 from host x")))
    assert "host x" not in answer.text
    assert [line["detail"] for line in lines if line["event"] == "request refused"] == ["status 401 from host x"]


async def test_an_http_exception_of_a_mounted_application_gets_our_form() -> None:
    answer = await ask(failing(HTTPException(status_code=405, detail="<b>no</b>")))
    assert answer.status_code == 405
    assert error_of(answer)["code"] == "method_not_allowed"
    assert "<b>" not in answer.text


async def test_nobody_is_answered_when_the_client_is_gone() -> None:
    assert await call(around(failing(ClientGone())), HTTP_SCOPE, []) == []


async def test_a_failed_event_stream_ends_with_an_error_event() -> None:
    first: Message = {"type": "http.response.body", "body": b"data: {}\n\n", "more_body": True}
    sent = await call(around(failing(UpstreamError("broke"), after=(START, first), events=True)), HTTP_SCOPE, [])
    assert len(sent) == 3
    assert sent[2]["body"].startswith(b'data: {"error":{"message":"broke"')
    assert not sent[2].get("more_body", False)
    assert b"[DONE]" not in sent[2]["body"]


async def test_an_answer_that_broke_off_gets_no_second_one() -> None:
    sent = await call(around(failing(UpstreamError("broke"), after=(START,))), HTTP_SCOPE, [])
    assert [message["type"] for message in sent] == ["http.response.start"]


async def test_a_cancelled_request_stays_cancelled() -> None:
    with pytest.raises(asyncio.CancelledError):
        await call(around(failing(asyncio.CancelledError())), HTTP_SCOPE, [])


async def test_a_request_that_is_cancelled_while_the_server_stops_is_told_so() -> None:
    sent = await call(around(failing(asyncio.CancelledError()), stopping=lambda: True), HTTP_SCOPE, [])
    assert sent[0]["status"] == 503
    assert (b"retry-after", b"1") in sent[0]["headers"]
    assert b"shutting down" in sent[1]["body"]


async def test_a_websocket_is_refused_with_an_answer_where_the_server_can() -> None:
    scope = {**HTTP_SCOPE, "type": "websocket", "headers": [(b"host", b"evil.com")], "scheme": "ws"}
    del scope["method"]
    refused = await call(layers(()), {**scope, "extensions": {"websocket.http.response": {}}, "method": None}, [])
    assert refused[0]["type"] == "websocket.http.response.start"
    assert refused[0]["status"] == 421
    assert b"unknown_host" in refused[1]["body"]
    closed = await call(layers(()), {**scope, "method": None}, [])
    assert closed == [{"type": "websocket.close", "code": 1008, "reason": "unknown_host"}]
