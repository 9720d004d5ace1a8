"""Every method on every path, and what comes back of stored text: the right status, and nothing a browser would run."""

import json
from typing import Any

import pytest

from http_api.app import ROWS
from tests.support.victim import Victim, of, refused

METHODS = ["GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "PROPFIND", "LINK", "PURGE"]
PATHS = sorted({row.path for row in ROWS} | {"/v1/chat/completions", "/metrics", "/docs", "/openapi.json"})
MOUNTED = ["/mcp", "/sse", "/messages/"]


def allowed(path: str) -> set[str]:
    own = {row.method for row in ROWS if row.path == path} or ({"POST"} if "chat" in path else {"GET"})
    return {*own, "OPTIONS", *(["HEAD"] if "GET" in own else [])}


@pytest.mark.parametrize("path", PATHS)
def test_a_path_takes_its_methods_and_names_them(local: Victim, path: str) -> None:
    target = path.replace("{", "").replace("}", "").replace(":path", "")
    for method in set(METHODS) - allowed(path):
        answer = local.raw(f"{method} {target} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())
        if method == "HEAD":
            assert (answer.status, answer.body) == (405, b"")
        else:
            refused(answer, 405, code="method_not_allowed")
        assert set(answer.headers["allow"].split(", ")) >= allowed(path)
    options = local.http.request("OPTIONS", target)
    assert (options.status_code, options.content) == (204, b"")
    assert set(options.headers["allow"].split(", ")) >= allowed(path)


@pytest.mark.parametrize("path", [path for path in PATHS if "GET" in allowed(path)])
def test_head_is_get_without_its_body(local: Victim, path: str) -> None:
    target = path.replace("{", "").replace("}", "").replace(":path", "")
    head, got = local.http.head(target), local.http.get(target)
    assert head.status_code == got.status_code
    assert head.content == b""
    assert head.headers["content-type"] == got.headers["content-type"]


@pytest.mark.parametrize(
    ("path", "method"),
    [
        (path, method)
        for path in MOUNTED
        for method in ("PUT", "PATCH", "DELETE", "TRACE", "OPTIONS", "HEAD", "POST", "GET")
        if (path, method) not in {("/sse", "GET"), ("/sse", "HEAD")}  # these are event streams
    ],
)
def test_mounted_paths_refuse_what_they_do_not_know(local: Victim, path: str, method: str) -> None:
    body = b"{}" if method in ("PUT", "PATCH", "POST") else b""
    head = f"{method} {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
    media = "Content-Type: application/json\r\nContent-Length: 2\r\n" if body else ""
    answer = local.raw((head + media + "\r\n").encode() + body)
    assert 400 <= answer.status < 500, answer.body
    assert answer.status != 405 or answer.headers["allow"]
    if path == "/sse":
        refused(answer, 405, code="method_not_allowed")
    assert answer.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize(
    "path",
    [
        "/health",
        "/mcp",
        "/sse",
        "/messages/",
        "/messages/x",
        "/v1/models",
        "/docs",
        "/metrics",
        "/",
        "/v1/terminal/x/wsx",
    ],
)
def test_a_websocket_opens_nothing_else(local: Victim, path: str) -> None:
    handshake = (
        f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
        "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    )
    refused(local.raw(handshake.encode()), 404)


def test_head_of_an_event_stream_opens_none(local: Victim) -> None:
    head = b"HEAD /sse HTTP/1.1\r\nHost: localhost\r\n\r\n"
    received = local.all_of(head + b"GET /health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
    assert received.count(b"HTTP/1.1 200 ") == 2
    assert b"event: endpoint" not in received


def test_the_asterisk_is_answered(local: Victim) -> None:
    answer = local.raw(b"OPTIONS * HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
    assert (answer.status, answer.body) == (204, b"")


@pytest.mark.parametrize("accept", ["text/html", "application/xml", "image/*", "application/json;q=0", "text/*;q=0.5"])
@pytest.mark.parametrize("path", ["/health", "/v1/models", "/v1/terminal/sessions", "/v1/audit"])
def test_nothing_is_sent_in_a_form_that_the_client_refuses(local: Victim, path: str, accept: str) -> None:
    refused(of(local.http.get(path, headers={"Accept": accept})), 406, code="not_acceptable")


MARKUP = {
    "script": "<script>alert(1)</script>",
    "attribute": '"><img src=x onerror=alert(1)>',
    "address": "javascript:alert(1)",
    "end of script": "</script><svg/onload=alert(1)>",
    "template": "{{constructor.constructor('alert(1)')()}}",
    "entity": "&lt;script&gt;alert(1)&lt;/script&gt;",
    "comment": "<!--#exec cmd=id-->",
    "formula": "=HYPERLINK(1)",
    "wide": "\uff1cscript\uff1ealert(1)\uff1c/script\uff1e",
    "from right to left": "\u202e<b>",
}


def as_stored(answer: Any, text: str) -> None:
    """The text comes back in JSON that no browser takes for a page."""
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert text in json.loads(answer.text).__repr__() or json.dumps(text)[1:-1] in json.dumps(answer.json())


@pytest.mark.parametrize("text", MARKUP.values(), ids=MARKUP)
def test_markup_in_what_is_stored_comes_back_as_text(local: Victim, text: str) -> None:
    stored: list[tuple[str, dict[str, Any], str, str]] = [
        ("/v1/keys", {"name": text, "scopes": ["chat"]}, "/v1/keys", "key"),
        (
            "/v1/terminal/connections",
            {"name": text, "type": "ssh", "host": "127.0.0.1", "username": "me"},
            "/v1/terminal/connections",
            "connection",
        ),
        ("/v1/terminal/sessions", {"type": "local", "title": text}, "/v1/terminal/sessions", "session"),
    ]
    for path, body, shown, kind in stored:
        made = local.http.post(path, json=body)
        if made.status_code == 400:
            refused(of(made), 400)
            continue
        assert made.status_code == 201, made.text
        as_stored(local.http.get(shown), text)
        place = path.replace("/sessions", "")
        assert local.http.delete(f"{place}/{made.json()[kind]['id']}").status_code == 200


@pytest.mark.parametrize("text", MARKUP.values(), ids=MARKUP)
def test_markup_in_a_model_is_refused_or_comes_back_as_text(local: Victim, text: str) -> None:
    model = {"id": f"x/{text}", "provider": "openai", "apiModelName": text, "owned_by": text, "layer": "L3"}
    made = local.http.post("/v1/models", json=model)
    if made.status_code == 201:
        as_stored(local.http.get("/v1/models"), text)
        assert (
            local.http.request("DELETE", made.headers.get("location", f"/v1/models/{quoted(model['id'])}")).status_code
            == 200
        )
    else:
        refused(of(made), 400)


@pytest.mark.parametrize("text", MARKUP.values(), ids=MARKUP)
def test_markup_in_what_is_wrong_comes_back_as_text(local: Victim, text: str) -> None:
    for answer in (
        local.http.get(f"/v1/models/{quoted(text)}"),
        local.http.get(f"/v1/usage?{quoted(text)}=1"),
        local.http.post("/v1/chat/completions", json={"model": text, "messages": [{"role": "user", "content": "x"}]}),
        local.http.post("/v1/models", json={text: text}),
        local.http.get(f"/{quoted(text)}"),
    ):
        refused(of(answer), 400, 404)


@pytest.mark.parametrize("text", MARKUP.values(), ids=MARKUP)
def test_markup_in_terminal_output_comes_back_as_text(local: Victim, text: str) -> None:
    opened = local.http.post("/v1/terminal/sessions", json={"type": "local"}).json()["session"]["id"]
    ran = local.http.post(f"/v1/terminal/{opened}/execute", json={"command": "cat", "stdin": text})
    as_stored(ran, text)
    assert ran.json()["result"]["stdout"] == text
    local.http.delete(f"/v1/terminal/{opened}")


@pytest.mark.parametrize("path", ["/docs", "/docs/docs.js", "/docs/docs.css", "/dashboard/"])
def test_pages_load_nothing_from_elsewhere_and_are_not_framed(local: Victim, path: str) -> None:
    answer = local.http.get(path)
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert "http:" not in policy
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert "<script>" not in answer.text
    assert " onclick=" not in answer.text


def quoted(text: str) -> str:
    return "".join(f"%{byte:02x}" for byte in text.encode())
