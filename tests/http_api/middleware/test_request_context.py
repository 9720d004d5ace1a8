import httpx
import pytest
import structlog
from starlette.types import Receive, Scope, Send

from http_api.context import Route, exchange_of
from http_api.metrics import Metrics, exposition
from http_api.responses import send_json
from tests.support.http_stack import HTTP_SCOPE, call, client, layers


async def whoami(scope: Scope, receive: Receive, send: Send) -> None:
    await send_json(scope, send, b'{"address":"%s"}' % exchange_of(scope).address.encode())


ROUTES = (Route(path="/who/{id}", methods={"GET": whoami}),)


async def ask(
    path: str = "/who/1", address: str = "127.0.0.1", *, proxies: tuple[str, ...] = (), **headers: str
) -> httpx.Response:
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    async with client(layers(ROUTES, trusted_proxies=proxies), address) as http:
        return await http.get(path, headers=sent)


async def test_a_sane_request_id_is_kept() -> None:
    assert (await ask(x_request_id="trace-1.a_B")).headers["x-request-id"] == "trace-1.a_B"


@pytest.mark.parametrize("given", ["", "a b", "a\tb", "x" * 65, "a;b", "<script>"])
async def test_another_request_id_is_replaced(given: str) -> None:
    made = (await ask(x_request_id=given)).headers["x-request-id"]
    assert made != given
    assert len(made) == 24


async def test_each_request_gets_its_own_id() -> None:
    assert (await ask()).headers["x-request-id"] != (await ask()).headers["x-request-id"]


@pytest.mark.parametrize("path", ["/who/1", "/nowhere"])
async def test_every_answer_carries_what_browsers_must_know(path: str) -> None:
    answer = await ask(path)
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert answer.headers["cross-origin-resource-policy"] == "same-origin"
    assert answer.headers["cache-control"] == "no-store"


@pytest.mark.parametrize(
    ("peer", "proxies", "forwarded", "address"),
    [
        ("127.0.0.1", (), "9.9.9.9", "127.0.0.1"),
        ("10.0.0.1", ("10.0.0.1",), "9.9.9.9", "9.9.9.9"),
        ("10.0.0.1", ("10.0.0.1",), "", "10.0.0.1"),
        ("10.0.0.2", ("10.0.0.1",), "9.9.9.9", "10.0.0.2"),
        ("10.0.0.1", ("10.0.0.0/8",), "1.1.1.1, 9.9.9.9, 10.0.0.7", "9.9.9.9"),
        ("10.0.0.1", ("10.0.0.1",), "1.1.1.1, 9.9.9.9", "9.9.9.9"),
        ("10.0.0.1", ("10.0.0.1",), "9.9.9.9, nonsense", "10.0.0.1"),
        ("fd00::1", ("fd00::/8",), "2001:db8::1", "2001:db8::1"),
        ("", ("10.0.0.1",), "9.9.9.9", ""),
    ],
)
async def test_forwarded_addresses_count_only_from_trusted_proxies(
    peer: str, proxies: tuple[str, ...], forwarded: str, address: str
) -> None:
    assert (await ask(address=peer, proxies=proxies, x_forwarded_for=forwarded)).json() == {"address": address}


async def test_a_request_is_logged_without_its_query_and_with_control_characters_escaped() -> None:
    with structlog.testing.capture_logs() as lines:
        app = layers(ROUTES)
        scope = {**HTTP_SCOPE, "path": "/who/x", "raw_path": b"/who/a\x1b[31m\n", "query_string": b"token=secret"}
        await call(app, scope, [])
    (line,) = lines
    assert line["path"] == "/who/a\\x1b[31m\\n"
    assert "secret" not in repr(line)
    assert (line["method"], line["status"], line["bytes"]) == ("GET", 200, 23)
    assert line["caller"] == "anonymous"
    assert line["ms"] >= 0
    assert len(line["request_id"]) == 24


async def test_requests_are_counted_by_template() -> None:
    metrics = Metrics()
    app = layers(ROUTES, metrics=metrics)
    async with client(app) as http:
        for path in ("/who/1", "/who/2", "/nowhere"):
            await http.get(path)
        await http.request("BREW", "/who/1")
    text = exposition(metrics.families(), "")[0].decode()
    assert 'gateway_http_requests_total{method="GET",path="/who/{id}",status="200"} 2.0' in text
    assert 'gateway_http_requests_total{method="GET",path="(other)",status="404"} 1.0' in text
    assert 'gateway_http_requests_total{method="OTHER",path="/who/{id}",status="405"} 1.0' in text
    assert "gateway_http_in_flight 0.0" in text


@pytest.mark.parametrize(
    ("error_format", "headers", "openai"),
    [
        ("auto", {}, False),
        ("auto", {"x-stainless-lang": "python"}, True),
        ("flat", {"x-stainless-lang": "python"}, False),
        ("openai", {}, True),
        ("auto", {"user-agent": "ai/5.0 ai-sdk/provider-utils/3.0 runtime/node.js/22"}, True),
    ],
)
async def test_errors_have_the_form_that_the_client_reads(
    error_format: str, headers: dict[str, str], openai: bool
) -> None:
    async with client(layers(ROUTES, error_format=error_format)) as http:
        body = (await http.get("/nowhere", headers=headers)).json()
    assert isinstance(body["error"], dict if openai else str)
    assert body["requestId"]
