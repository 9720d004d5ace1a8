import httpx
import orjson
import pytest
from starlette.routing import Mount
from starlette.routing import Route as StarletteRoute
from starlette.types import ASGIApp, Receive, Scope, Send

from http_api.context import Route, exchange_of
from http_api.responses import send_json
from tests.support.http_stack import client, error_of, layers


def echo(name: str) -> ASGIApp:
    async def application(scope: Scope, receive: Receive, send: Send) -> None:
        await send_json(scope, send, orjson.dumps({"route": name, "params": exchange_of(scope).params}))

    return application


ROUTES = (
    Route(path="/v1/things", methods={"GET": echo("list"), "POST": echo("add")}),
    Route(path="/v1/things/{id:path}", methods={"GET": echo("get"), "PUT": echo("put")}),
    Route(path="/v1/things/special", methods={"GET": echo("special")}),
    Route(path="/v1/boxes/{id}/open", methods={"POST": echo("open")}),
    Route(path="/v1/boxes/{id}", methods={"GET": echo("box")}),
)


async def ask(method: str, path: str) -> httpx.Response:
    async with client(layers(ROUTES)) as http:
        return await http.request(method, path)


@pytest.mark.parametrize(
    ("path", "route", "params"),
    [
        ("/v1/things", "list", {}),
        ("/v1/things/", "list", {}),
        ("/v1/things/special", "special", {}),
        ("/v1/things/special/", "special", {}),
        ("/v1/things/a%2Fb:free", "get", {"id": "a/b:free"}),
        ("/v1/things/a/b:free", "get", {"id": "a/b:free"}),
        ("/v1/things/a%2Fb%3Afree", "get", {"id": "a/b:free"}),
        ("/v1/things/a.b/", "get", {"id": "a.b"}),
        ("/v1/things/a%2F", "get", {"id": "a/"}),
        ("/v1/things/caf%C3%A9", "get", {"id": "café"}),
        ("/v1/things/..%2F..%2Fetc", "get", {"id": "../../etc"}),
        ("/v1/things/a%0D%0Ab", "get", {"id": "a\r\nb"}),
        ("/v1/boxes/x%2Fopen", "box", {"id": "x/open"}),
    ],
)
async def test_a_path_leads_to_its_route(path: str, route: str, params: dict[str, str]) -> None:
    answer = await ask("GET", path)
    assert answer.status_code == 200
    assert answer.json() == {"route": route, "params": params}


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/v1",
        "/V1/things",
        "//v1/things",
        "/v1/thingsx",
        "/v1/things/%FF",
        "/v1/boxes/a/b",
        "/v1/boxes//open",
        "/%2e%2e/",
    ],
)
async def test_an_unknown_path_is_not_found(path: str) -> None:
    answer = await ask("GET", path)
    assert answer.status_code == 404
    assert error_of(answer)["code"] == "unknown_path"


@pytest.mark.parametrize(
    ("method", "path", "allow"),
    [
        ("DELETE", "/v1/things", "GET, HEAD, POST, OPTIONS"),
        ("POST", "/v1/things/special", "GET, HEAD, OPTIONS"),
        ("GET", "/v1/boxes/1/open", "POST, OPTIONS"),
        ("HEAD", "/v1/boxes/1/open", "POST, OPTIONS"),
        ("TRACE", "/v1/things", "GET, HEAD, POST, OPTIONS"),
    ],
)
async def test_a_wrong_method_is_told_the_right_ones(method: str, path: str, allow: str) -> None:
    answer = await ask(method, path)
    assert answer.status_code == 405
    assert answer.headers["allow"] == allow
    if method != "HEAD":
        assert error_of(answer)["code"] == "method_not_allowed"


async def test_head_is_get_without_its_body() -> None:
    whole, head = await ask("GET", "/v1/things"), await ask("HEAD", "/v1/things")
    assert head.status_code == 200
    assert head.content == b""
    assert head.headers["content-length"] == whole.headers["content-length"] == str(len(whole.content))


async def test_options_names_the_methods() -> None:
    answer = await ask("OPTIONS", "/v1/things")
    assert (answer.status_code, answer.content) == (204, b"")
    assert answer.headers["allow"] == "GET, HEAD, POST, OPTIONS"


async def test_what_is_mounted_gets_the_other_paths() -> None:
    mounted = [
        Mount("/mounted", app=echo("mounted")),
        StarletteRoute("/v1/things", endpoint=type("Shadow", (), {"__call__": echo("shadow")}), methods=["GET"]),
    ]
    async with client(layers(ROUTES, mounted=mounted)) as http:
        assert (await http.get("/mounted/x")).json()["route"] == "mounted"
        assert (await http.get("/v1/things")).json()["route"] == "list"
        assert (await http.get("/elsewhere")).status_code == 404
