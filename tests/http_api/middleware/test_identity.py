from collections.abc import Callable, Sequence
from typing import Any

import httpx
import orjson
import pytest
from starlette.types import ASGIApp, Receive, Scope, Send

from http_api.context import Route, exchange_of
from http_api.middleware.identity import Identity
from http_api.middleware.rate_limits import RateLimiting
from http_api.responses import send_json
from shared.domain.identity import Caller
from shared.errors import Unauthenticated
from shared.security.moving_windows import MemoryWindows, Windows
from shared.security.rate_limits import RateLimits
from tests.support.http_stack import HTTP_SCOPE, call, client, error_of, layers

LOGIN = "eyJhbGciOiJIUzI1NiJ9.e30.good"
KEY = "mgw_good"


async def whoami(scope: Scope, receive: Receive, send: Send) -> None:
    caller = exchange_of(scope).caller
    await send_json(scope, send, orjson.dumps({"id": caller.id, "kind": caller.kind, "address": caller.address}))


def known(credential: str, caller_id: str, kind: Any, **more: Any) -> Callable[..., Caller]:
    def authenticate(given: str, *, address: str, request_id: str) -> Caller:
        if given != credential:
            raise Unauthenticated("These credentials are not valid.")
        return Caller(
            id=caller_id,
            kind=kind,
            name=caller_id,
            scopes=frozenset({"models:read"}),
            address=address,
            request_id=request_id,
            **more,
        )

    return authenticate


ROUTES = (
    Route(path="/who", methods={"GET": whoami}),
    Route(path="/open", methods={"GET": whoami}, public=True, limited=False),
    Route(path="/login", methods={"GET": whoami}, public=True),
    Route(path="/admin", methods={"GET": whoami}, scope="admin", limited=False),
)


def stack(*, required: bool, per_minute: int = 100, per_hour: int = 1000, key_limit: int | None = None) -> ASGIApp:
    limits = RateLimits(Windows(MemoryWindows()), per_minute=per_minute, per_hour=per_hour)

    def inner(app: ASGIApp) -> ASGIApp:
        return Identity(
            RateLimiting(app, limits),
            logins=known(LOGIN, "user-1", "user", role="viewer"),
            api_keys=known(KEY, "key-1", "key", rate_limit_per_hour=key_limit),
            required=required,
        )

    return layers(ROUTES, inner=inner)


async def ask(path: str = "/who", *, required: bool, headers: dict[str, str] | None = None) -> httpx.Response:
    async with client(stack(required=required)) as http:
        return await http.get(path, headers=headers)


GOOD = [
    ({"authorization": f"Bearer {LOGIN}"}, "user-1"),
    ({"authorization": f"bearer  {LOGIN} "}, "user-1"),
    ({"authorization": f"Bearer {KEY}"}, "key-1"),
    ({"x-api-key": KEY}, "key-1"),
    ({"x-api-key": LOGIN}, "user-1"),
]


@pytest.mark.parametrize(("headers", "caller"), GOOD)
@pytest.mark.parametrize("required", [False, True])
async def test_good_credentials_are_who_they_stand_for(headers: dict[str, str], caller: str, required: bool) -> None:
    answer = await ask(required=required, headers=headers)
    assert answer.status_code == 200
    assert answer.json()["id"] == caller
    assert answer.json()["address"] == "127.0.0.1"


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"authorization": "Bearer sk-anything"},
        {"x-api-key": "dummy"},
        {"authorization": "Basic YTpi"},
        {"authorization": ""},
    ],
)
async def test_on_a_machine_of_ones_own_everyone_is_the_local_user(headers: dict[str, str]) -> None:
    answer = await ask(required=False, headers=headers)
    assert answer.json() == {"id": "local", "kind": "local", "address": "127.0.0.1"}


@pytest.mark.parametrize("credential", ["mgw_gone", "eyJhbGciOiJIUzI1NiJ9.e30.revoked"])
@pytest.mark.parametrize("required", [False, True])
async def test_credentials_of_ours_that_no_longer_count_are_refused_in_either_mode(
    credential: str, required: bool
) -> None:
    answer = await ask(required=required, headers={"authorization": f"Bearer {credential}"})
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == "Bearer"
    assert error_of(answer)["code"] == "unauthenticated"


@pytest.mark.parametrize(
    "headers",
    [{}, {"authorization": "Bearer sk-anything"}, {"authorization": "Basic YTpi"}, {"x-forwarded-for": "127.0.0.1"}],
)
@pytest.mark.parametrize("path", ["/who", "/nowhere", "/admin"])
async def test_where_credentials_are_required_nobody_passes_without(path: str, headers: dict[str, str]) -> None:
    answer = await ask(path, required=True, headers=headers)
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == "Bearer"


@pytest.mark.parametrize("headers", [{}, {"authorization": "Bearer mgw_gone"}])
async def test_a_public_path_is_open_to_everyone(headers: dict[str, str]) -> None:
    answer = await ask("/open", required=True, headers=headers)
    assert answer.json()["kind"] == "anonymous"


async def test_a_path_with_a_scope_is_closed_to_those_without() -> None:
    answer = await ask("/admin", required=True, headers={"x-api-key": KEY})
    assert answer.status_code == 403
    assert "admin" in error_of(answer)["error"]
    assert (await ask("/admin", required=False)).status_code == 200


@pytest.mark.parametrize(
    ("subprotocols", "status"),
    [(["bearer", KEY], 404), (["bearer", "mgw_gone"], 401), (["bearer"], 401), (["chat", KEY], 401), ([], 401)],
)
async def test_a_websocket_may_bring_its_token_as_a_subprotocol(subprotocols: Sequence[str], status: int) -> None:
    scope = {
        **HTTP_SCOPE,
        "type": "websocket",
        "method": None,
        "path": "/nowhere",
        "subprotocols": subprotocols,
        "extensions": {"websocket.http.response": {}},
    }
    assert (await call(stack(required=True), scope, []))[0]["status"] == status


async def test_every_answer_of_a_limited_path_says_where_the_client_stands() -> None:
    async with client(stack(required=False, per_minute=3)) as http:
        for path, remaining, status in (
            ("/who", "2", 200),
            ("/nowhere", None, 404),
            ("/who?x=1", "1", 200),
            ("/login", "0", 200),
        ):
            answer = await http.get(path)
            assert answer.status_code == status
            assert answer.headers.get("x-ratelimit-remaining") == remaining
        refused = await http.get("/who")
        assert refused.status_code == 429
        assert refused.headers["x-ratelimit-limit"] == "3"
        assert refused.headers["x-ratelimit-remaining"] == "0"
        assert 1 <= int(refused.headers["retry-after"]) <= 61
        assert int(refused.headers["x-ratelimit-reset"]) > 1_700_000_000
        assert error_of(refused)["code"] == "rate_limited"
        assert (await http.get("/open")).status_code == 200


async def test_another_address_has_a_limit_of_its_own() -> None:
    app = stack(required=False, per_minute=1)
    async with client(app) as http, client(app, "10.0.0.2") as other:
        assert [(await http.get("/who")).status_code for _ in range(2)] == [200, 429]
        assert (await other.get("/who")).status_code == 200


async def test_a_key_has_its_own_limit_an_hour() -> None:
    app = stack(required=True, per_minute=100, key_limit=2)
    async with client(app) as http:
        answers = [await http.get("/who", headers={"x-api-key": KEY}) for _ in range(3)]
        assert [answer.status_code for answer in answers] == [200, 200, 429]
        assert answers[0].headers["x-ratelimit-limit"] == "2"
        assert (await http.get("/who", headers={"authorization": f"Bearer {LOGIN}"})).status_code == 200


async def test_made_up_credentials_count_for_the_address_and_open_no_bucket() -> None:
    app = stack(required=True, per_minute=3)
    async with client(app) as http:
        statuses = [(await http.get("/who", headers={"x-api-key": f"mgw_{n}"})).status_code for n in range(5)]
        assert statuses == [401, 401, 401, 429, 429]


async def test_without_limits_no_headers_speak_of_them() -> None:
    async with client(stack(required=False, per_minute=0)) as http:
        assert "x-ratelimit-limit" not in (await http.get("/who")).headers
