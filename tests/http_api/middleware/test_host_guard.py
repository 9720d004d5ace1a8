import httpx
import pytest
from starlette.types import Receive, Scope, Send

from http_api.context import Route
from http_api.responses import send_json
from tests.support.http_stack import HTTP_SCOPE, call, client, error_of, layers


async def fine(scope: Scope, receive: Receive, send: Send) -> None:
    await send_json(scope, send, b"{}")


ROUTES = (Route(path="/", methods={"GET": fine, "POST": fine}),)


async def ask(
    method: str = "GET", *, hosts: tuple[str, ...] = (), origins: tuple[str, ...] = (), **headers: str
) -> httpx.Response:
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    async with client(layers(ROUTES, hosts=hosts, origins=origins)) as http:
        return await http.request(method, "/", headers=sent)


@pytest.mark.parametrize(
    "host",
    [
        "localhost",
        "LOCALHOST:3000",
        "127.0.0.1",
        "127.0.0.1:1",
        "[::1]",
        "[::1]:3000",
        "gw.example.com:8080",
        "münchen.example",
    ],
)
async def test_a_known_host_may_be_asked(host: str) -> None:
    listed = host.encode("idna").decode() if not host.isascii() else host
    assert (await ask(hosts=("GW.example.com", "münchen.example"), host=listed)).status_code == 200


@pytest.mark.parametrize(
    "host",
    [
        "evil.com",
        "localhost.evil.com",
        "evil.com:3000",
        "127.0.0.1.evil.com",
        "127.0.0.2",
        "localhost:3000@evil.com",
        "localhost:",
        "localhost:x",
        "localhost:123456",
        "localhost/x",
        "[::1",
        "::1",
        "2130706433",
        "",
    ],
)
async def test_another_host_is_misdirected(host: str) -> None:
    answer = await ask(host=host)
    assert answer.status_code == 421
    assert error_of(answer)["code"] == "unknown_host"


@pytest.mark.parametrize(
    "headers",
    [
        [],
        [(b"host", b"localhost"), (b"host", b"localhost")],
        [(b"host", b"localhost"), (b"host", b"evil.com")],
        [(b"host", b"evil.com"), (b"host", b"localhost")],
    ],
)
async def test_there_must_be_exactly_one_host_header(headers: list[tuple[bytes, bytes]]) -> None:
    sent = await call(layers(ROUTES), {**HTTP_SCOPE, "headers": headers}, [])
    assert sent[0]["status"] == 421


async def test_other_headers_may_repeat() -> None:
    headers = [(b"host", b"localhost"), (b"cookie", b"a=1"), (b"cookie", b"b=2")]
    assert (await call(layers(ROUTES), {**HTTP_SCOPE, "headers": headers}, []))[0]["status"] == 200


@pytest.mark.parametrize("origin", ["http://127.0.0.1:3000", "https://127.0.0.1:3000", "HTTP://127.0.0.1:3000"])
async def test_our_own_pages_may_call(origin: str) -> None:
    answer = await ask("POST", origin=origin, sec_fetch_site="same-origin")
    assert answer.status_code == 200
    assert "access-control-allow-origin" not in answer.headers


@pytest.mark.parametrize(
    "origin",
    [
        "null",
        "http://evil.com",
        "http://127.0.0.1:8080",
        "http://localhost:3000",
        "http://127.0.0.1:3000.evil.com",
        "file://",
        "http://",
        "",
    ],
)
@pytest.mark.parametrize("method", ["GET", "POST", "OPTIONS"])
async def test_pages_of_another_origin_may_not_call(origin: str, method: str) -> None:
    answer = await ask(method, origin=origin)
    assert answer.status_code == 403
    assert error_of(answer)["code"] == "foreign_origin"
    assert "access-control-allow-origin" not in answer.headers


@pytest.mark.parametrize("site", ["cross-site", "same-site", "weird"])
async def test_another_site_may_change_nothing(site: str) -> None:
    assert (await ask("POST", sec_fetch_site=site)).status_code == 403
    assert (await ask("POST", origin="http://127.0.0.1:3000", sec_fetch_site=site)).status_code == 403
    assert (await ask("GET", sec_fetch_site=site)).status_code == 200


@pytest.mark.parametrize("site", ["none", "same-origin"])
async def test_our_own_site_may_change_things(site: str) -> None:
    assert (await ask("POST", sec_fetch_site=site)).status_code == 200


async def test_a_listed_origin_may_call_and_read() -> None:
    answer = await ask(
        "POST", origins=("https://app.example/",), origin="https://app.example", sec_fetch_site="cross-site"
    )
    assert answer.status_code == 200
    assert answer.headers["access-control-allow-origin"] == "https://app.example"
    assert answer.headers["vary"] == "origin"
    assert "access-control-allow-credentials" not in answer.headers


async def test_a_listed_origin_can_read_errors_too() -> None:
    answer = await ask("DELETE", origins=("https://app.example",), origin="https://app.example")
    assert answer.status_code == 405
    assert answer.headers["access-control-allow-origin"] == "https://app.example"


async def test_a_preflight_is_answered_for_a_listed_origin() -> None:
    answer = await ask(
        "OPTIONS",
        origins=("https://app.example",),
        origin="https://app.example",
        access_control_request_method="PUT",
        access_control_request_headers="authorization, content-type",
    )
    assert answer.status_code == 204
    assert answer.headers["access-control-allow-headers"] == "authorization, content-type"
    assert "PUT" in answer.headers["access-control-allow-methods"]
    assert answer.headers["access-control-allow-origin"] == "https://app.example"
    assert "access-control-allow-private-network" not in answer.headers


async def test_a_preflight_with_odd_header_names_gets_none_of_them_back() -> None:
    answer = await ask(
        "OPTIONS",
        origins=("https://app.example",),
        origin="https://app.example",
        access_control_request_method="PUT",
        access_control_request_headers="a;b",
    )
    assert "access-control-allow-headers" not in answer.headers
