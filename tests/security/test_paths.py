"""What ids in paths may do: nothing but name a thing, or fail to."""

import pytest

from http_api.app import ROWS
from http_api.routing import PARAMETER
from tests.support.victim import Victim, refused

NAMES = {
    "up": b"..%2f..%2f..%2fetc%2fpasswd",
    "up, bare": b"../../../etc/passwd",
    "up, twice encoded": b"%252e%252e%252fetc%252fpasswd",
    "up, with backslashes": b"..%5c..%5cetc%5cpasswd",
    "up, overlong": b"%c0%ae%c0%ae%c0%af",
    "absolute": b"%2fetc%2fpasswd",
    "dots": b"%2e%2e",
    "CRLF": b"x%0d%0aX-Injected:%20yes",
    "LF": b"x%0aX-Injected:%20yes",
    "NUL": b"x%00y",
    "escape": b"%1b%5b2J",
    "invalid UTF-8": b"%ff%fe",
    "a surrogate": b"%ed%a0%80",
    "half an escape": b"%",
    "a wrong escape": b"%zz",
    "SQL": b"'%20OR%201=1--",
    "SQL with a comment": b"x';DROP%20TABLE%20models;--",
    "a template": b"{{7*7}}%24{7*7}",
    "a command": b"$(id)`id`;id|id",
    "a script": b"%3Cscript%3Ealert(1)%3C/script%3E",
    "a wildcard": b"%25*%3f",
    "blanks": b"%20%20",
    "from right to left": b"%e2%80%ae",
    "very long": b"a" * 50_000,
    "very long, encoded": b"%41" * 15_000,
    "a format": b"%25s%25n{0.__class__}",
    "a number": b"-1",
    "prototype": b"__proto__",
}
ROUTES = [row for row in ROWS if PARAMETER.search(row.path)]


@pytest.mark.parametrize("name", NAMES.values(), ids=NAMES)
def test_a_hostile_id_names_nothing_on_any_path(local: Victim, name: bytes) -> None:
    for row in ROUTES:
        target = PARAMETER.sub("\0", row.path).encode().replace(b"\0", name)
        body = b"{}" if row.method in ("POST", "PUT") else b""
        media = b"Content-Type: application/json\r\nContent-Length: 2\r\n" if body else b""
        head = b"%s %s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n" % (row.method.encode(), target)
        answer = local.raw(head + media + b"\r\n" + body)
        refused(answer, 400, 404, 405)
        assert "x-injected" not in answer.headers, row.path
        assert b"root:" not in answer.body, row.path


QUERIES = [
    "path=..%2f..%2fetc%2fpasswd",
    "path=%2fetc%2fshadow%00.txt",
    "cursor=-1",
    "x=%0d%0aX-Injected:%20yes",
    "&" * 5000,
    "a=b&" * 500,
    "%ff=%fe",
]


@pytest.mark.parametrize("query", QUERIES)
def test_a_hostile_query_is_refused(local: Victim, query: str) -> None:
    answer = local.raw(f"GET /v1/audit?{query} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())
    if set(query) != {"&"}:
        refused(answer, 400)
    assert "x-injected" not in answer.headers


@pytest.mark.parametrize("name", [b"X-Request-ID", b"Traceparent", b"X-Gateway-Options", b"Mcp-Session-Id"])
@pytest.mark.parametrize(
    "value", [b"\xff\xfe", b"<script>alert(1)</script>", b"a" * 20_000, b"\t", b"%0d%0aX-Injected: yes"]
)
def test_a_hostile_header_is_not_echoed(local: Victim, name: bytes, value: bytes) -> None:
    answer = local.raw(
        b"GET /health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n%s: %s\r\n\r\n" % (name, value)
    )
    assert answer.status == 200
    assert value.decode("latin-1").strip() not in set(answer.headers.values()) - {""}
    assert "x-injected" not in answer.headers
