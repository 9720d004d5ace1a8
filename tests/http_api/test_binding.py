import asyncio
from types import SimpleNamespace
from typing import Any, cast

import httpx
import orjson
import pytest

from http_api.binding import Row, routes_of
from http_api.context import exchange_of
from shared.domain.identity import LOCAL, Caller
from shared.domain.wire import Wire
from shared.errors import Conflict
from shared.gateway import Gateway
from shared.operations.operation import Operation
from tests.support.http_stack import client, error_of, layers
from tests.support.no_audit import NoAudit


class Thing(Wire):
    """Asked for."""

    id: str
    how_many: int = 1
    urgent: bool = False
    note: str = ""


class Echo(Wire):
    """Answered."""

    thing: Thing
    by_caller: str


async def run(gateway: Gateway, caller: Caller, request: Thing) -> Echo:
    if request.note == "conflict":
        raise Conflict("It exists.")
    return Echo(thing=request, by_caller=caller.id)


THING = Operation(name="thing", summary="Echo", scope="chat", effect="read", request=Thing, result=Echo, run=run)
ROWS = (
    Row(method="GET", path="/v1/things/{id:path}", operation=THING),
    Row(method="PUT", path="/v1/things/{id:path}", operation=THING, status=201),
    Row(method="POST", path="/v1/send/{id}", operation=THING, nul=True),
)


async def ask(
    method: str, path: str, *, caller: Caller = LOCAL, json: object = None, content: bytes | None = None
) -> httpx.Response:
    def identify(app: Any) -> Any:
        async def identified(scope: Any, receive: Any, send: Any) -> None:
            exchange_of(scope).caller = caller
            await app(scope, receive, send)

        return identified

    gateway = cast("Gateway", SimpleNamespace(audit=NoAudit()))
    async with client(layers(routes_of(ROWS, gateway), inner=identify, limit=10**6)) as http:
        if content is None and json is not None:
            content = orjson.dumps(json)
        headers = {"content-type": "application/json"} if content is not None else {}
        return await http.request(method, path, content=content, headers=headers)


async def test_a_query_string_becomes_the_request() -> None:
    answer = await ask("GET", "/v1/things/a%2Fb?howMany=3&urgent=true&note=x")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/json"
    assert answer.json() == {
        "thing": {"id": "a/b", "howMany": 3, "urgent": True, "note": "x"},
        "byCaller": "local",
    }


async def test_a_json_body_becomes_the_request() -> None:
    answer = await ask("PUT", "/v1/things/real", json={"howMany": 2})
    assert answer.status_code == 201
    assert answer.json()["thing"] == {"id": "real", "howMany": 2, "urgent": False, "note": ""}


async def test_what_the_path_says_cannot_be_said_again() -> None:
    for answer in (
        await ask("PUT", "/v1/things/real", json={"id": "other"}),
        await ask("GET", "/v1/things/real?id=other"),
    ):
        assert answer.status_code == 400
        assert answer.json()["details"]["fields"][0]["field"] == "id"


async def test_a_body_is_optional_where_the_request_is() -> None:
    assert (await ask("PUT", "/v1/things/x")).json()["thing"]["howMany"] == 1


@pytest.mark.parametrize(
    ("path", "field"),
    [
        ("/v1/things/x?color=red", "color"),
        ("/v1/things/x?how_many=x", "howMany"),
        ("/v1/things/x?howMany=3&howMany=4", "howMany"),
        ("/v1/things/x?howMany=", "howMany"),
        ("/v1/things/x?urgent=maybe", "urgent"),
        ("/v1/things/x?note=%00", "note"),
        ("/v1/things/x%00", "id"),
    ],
)
async def test_a_wrong_query_is_refused_by_the_name_of_its_field(path: str, field: str) -> None:
    answer = await ask("GET", path)
    assert answer.status_code == 400
    error = error_of(answer)
    assert error["code"] == "invalid_request"
    assert error["details"]["fields"][0]["field"] in (field, "how_many")


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"howMany": "3"}, "howMany"),
        ({"howMany": True}, "howMany"),
        ({"urgent": 1}, "urgent"),
        ({"urgent": "true"}, "urgent"),
        ({"note": None}, "note"),
        ({"color": "red"}, "color"),
        ({"note": "a\x00"}, "note"),
    ],
)
async def test_a_wrong_body_is_refused_by_the_name_of_its_field(body: object, field: str) -> None:
    answer = await ask("PUT", "/v1/things/x", json=body)
    assert answer.status_code == 400
    assert error_of(answer)["details"]["fields"][0]["field"] == field


async def test_a_path_with_a_body_takes_no_query() -> None:
    answer = await ask("PUT", "/v1/things/x?howMany=2", json={})
    assert answer.status_code == 400
    assert error_of(answer)["details"]["fields"] == [
        {"field": "howMany", "reason": "this path takes no query parameters"}
    ]


async def test_malformed_json_is_refused() -> None:
    answer = await ask("PUT", "/v1/things/x", content=b"{")
    assert answer.status_code == 400
    assert "not valid JSON" in error_of(answer)["error"]


async def test_a_terminal_gets_its_nul_characters() -> None:
    assert (await ask("POST", "/v1/send/x", json={"note": "\x00"})).json()["thing"]["note"] == "\x00"


async def test_an_error_of_the_operation_is_its_answer() -> None:
    answer = await ask("PUT", "/v1/things/x", json={"note": "conflict"})
    assert answer.status_code == 409
    assert error_of(answer)["error"] == "It exists."


async def test_a_caller_without_the_scope_is_refused_before_anything_is_looked_at() -> None:
    viewer = Caller(id="u", kind="user", name="u", scopes=frozenset({"models:read"}))
    answer = await ask("PUT", "/v1/things/x", json={"color": 1}, caller=viewer)
    assert answer.status_code == 403


async def test_a_read_ends_when_its_client_leaves() -> None:
    entered, ended = asyncio.Event(), asyncio.Event()

    async def wait(gateway: Gateway, caller: Caller, request: Thing) -> Echo:
        entered.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()
        raise AssertionError

    operation = Operation(name="wait", summary="", scope=None, effect="read", request=Thing, result=Echo, run=wait)
    app = layers(routes_of([Row(method="GET", path="/wait/{id}", operation=operation)], cast("Gateway", None)))

    async def receive() -> dict[str, Any]:
        await entered.wait()
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        raise AssertionError(message)

    scope = {
        "type": "http",
        "method": "GET",
        "path": "/wait/1",
        "query_string": b"",
        "headers": [(b"host", b"localhost")],
    }
    await asyncio.wait_for(app(scope, receive, send), 5)
    assert ended.is_set()


def test_rows_of_one_path_must_agree() -> None:
    rows = [
        Row(method="GET", path="/x", operation=THING),
        Row(method="GET", path="/x", operation=THING),
    ]
    with pytest.raises(ValueError, match="contradict"):
        routes_of(rows, cast("Gateway", None))
