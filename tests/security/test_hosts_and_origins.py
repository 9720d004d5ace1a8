"""DNS rebinding and web pages of other origins, on every kind of route, in both modes."""

import pytest

from tests.support.victim import Victim, refused

HANDSHAKE = (
    b"Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
)
JSON = b"Content-Type: application/json\r\nContent-Length: 2\r\n"
ROUTES = {
    "rest": (b"GET", b"/v1/models", b"", b""),
    "health": (b"GET", b"/health", b"", b""),
    "chat": (b"POST", b"/v1/chat/completions", JSON, b"{}"),
    "login": (b"POST", b"/v1/auth/login", JSON, b"{}"),
    "mcp": (b"POST", b"/mcp", JSON + b"Accept: application/json, text/event-stream\r\n", b"{}"),
    "sse": (b"GET", b"/sse", b"", b""),
    "messages": (b"POST", b"/messages/?session_id=00000000000000000000000000000000", JSON, b"{}"),
    "socket": (b"GET", b"/v1/terminal/term-1/ws", HANDSHAKE, b""),
    "docs": (b"GET", b"/docs", b"", b""),
    "metrics": (b"GET", b"/metrics", b"", b""),
    "dashboard": (b"GET", b"/dashboard/", b"", b""),
    "nothing": (b"GET", b"/nothing", b"", b""),
}


def request(route: str, *, host: bytes = b"Host: localhost\r\n", more: bytes = b"", target: bytes = b"") -> bytes:
    method, path, headers, body = ROUTES[route]
    close = b"" if b"Upgrade" in headers else b"Connection: close\r\n"
    return b"%s %s HTTP/1.1\r\n%s" % (method, target or path, host) + headers + close + more + b"\r\n" + body


HOSTS = {
    "missing": b"",
    "empty": b"Host: \r\n",
    "twice": b"Host: localhost\r\nHost: localhost\r\n",
    "ours and another": b"Host: localhost\r\nHost: evil.example\r\n",
    "another and ours": b"Host: evil.example\r\nHost: localhost\r\n",
    "another": b"Host: evil.example\r\n",
    "rebound with our port": b"Host: evil.example:3000\r\n",
    "ours as a subdomain": b"Host: localhost.evil.example\r\n",
    "ours as a label behind": b"Host: evil.localhost\r\n",
    "ours as user": b"Host: localhost@evil.example\r\n",
    "ours with a password": b"Host: evil.example:80@localhost\r\n",
    "trailing dot": b"Host: localhost.\r\n",
    "no port after the colon": b"Host: localhost:\r\n",
    "port in words": b"Host: localhost:http\r\n",
    "port and path": b"Host: localhost:80/evil.example\r\n",
    "two ports": b"Host: localhost:80:80\r\n",
    "long port": b"Host: localhost:000080\r\n",
    "a list": b"Host: localhost, evil.example\r\n",
    "with a blank": b"Host: localhost evil.example\r\n",
    "with a tab": b"Host: localhost\tevil.example\r\n",
    "address as a number": b"Host: 2130706433\r\n",
    "address in octal": b"Host: 0177.0.0.1\r\n",
    "address cut short": b"Host: 127.1\r\n",
    "any address": b"Host: 0.0.0.0\r\n",
    "neighbour on loopback": b"Host: 127.0.0.2\r\n",
    "IPv6 without brackets": b"Host: ::1\r\n",
    "IPv6 that maps IPv4": b"Host: [::ffff:127.0.0.1]\r\n",
    "IPv6 with a zone": b"Host: [::1%25lo]\r\n",
    "wide letters": "Host: \uff4cocalhost\r\n".encode(),
    "letters that look alike": "Host: l\u043e\u0441alhost\r\n".encode(),
    "punycode": b"Host: xn--lcalhost-49g\r\n",
    "8 bit": b"Host: \xff\r\n",
}


@pytest.mark.parametrize("host", HOSTS.values(), ids=HOSTS)
def test_a_forged_host_reaches_nothing(either: Victim, host: bytes) -> None:
    refused(either.raw(request("rest", host=host)), 421, code="unknown_host")


@pytest.mark.parametrize("route", ROUTES)
def test_a_rebound_host_reaches_no_route(either: Victim, route: str) -> None:
    refused(either.raw(request(route, host=b"Host: evil.example:3000\r\n")), 421, code="unknown_host")


@pytest.mark.parametrize("name", [b"X-Forwarded-Host", b"X-Host", b"X-Original-Host", b"Forwarded"])
def test_no_other_header_stands_for_the_host(either: Victim, name: bytes) -> None:
    value = b"host=localhost" if name == b"Forwarded" else b"localhost"
    forged = request("rest", host=b"Host: evil.example\r\n", more=name + b": " + value + b"\r\n")
    refused(either.raw(forged), 421, code="unknown_host")


TARGETS = {
    "another host": (b"http://evil.example/health", 421),
    "another host over https": (b"https://evil.example/health", 421),
    "our host as user": (b"http://localhost@evil.example/health", 400),
    "another host as user": (b"http://evil.example@localhost/health", 400),
    "another scheme": (b"ftp://localhost/health", 400),
    "a file": (b"file:///etc/passwd", 400),
    "no path": (b"http://evil.example", 400),
    "a port that is none": (b"http://localhost:port/health", 400),
    "a fragment": (b"/health#fragment", 400),
    "an asterisk": (b"*", 400),
    "no slash": (b"health", 400),
}


@pytest.mark.parametrize(("target", "status"), TARGETS.values(), ids=TARGETS)
def test_the_target_is_no_way_around_the_host(either: Victim, target: bytes, status: int) -> None:
    refused(either.raw(request("health", target=target)), status)


def test_an_absolute_target_of_ours_is_served_by_its_path(either: Victim) -> None:
    assert either.raw(request("health", target=b"http://localhost/health")).status == 200


def test_an_absolute_target_counts_for_websockets_too(either: Victim) -> None:
    forged = request("socket", target=b"http://evil.example/v1/terminal/term-1/ws")
    refused(either.raw(forged), 421, code="unknown_host")


def test_two_slashes_are_no_authority(either: Victim) -> None:
    assert refused(either.raw(request("health", target=b"//evil.example/health")), 401, 404)


ORIGINS = {
    "null": b"null",
    "foreign": b"http://evil.example",
    "rebound": b"http://evil.example:3000",
    "another port of ours": b"http://localhost:1",
    "another name of ours": b"http://127.0.0.1",
    "ours as a subdomain": b"http://localhost.evil.example",
    "ours as user": b"http://localhost@evil.example",
    "another scheme": b"chrome-extension://localhost",
    "file": b"file://",
    "empty": b"",
    "a list": b"http://localhost, http://evil.example",
    "with a path": b"http://localhost/x",
}


@pytest.mark.parametrize("origin", ORIGINS.values(), ids=ORIGINS)
def test_a_foreign_origin_reaches_nothing(either: Victim, origin: bytes) -> None:
    refused(either.raw(request("rest", more=b"Origin: " + origin + b"\r\n")), 403, code="foreign_origin")


@pytest.mark.parametrize("route", ROUTES)
def test_a_foreign_origin_reaches_no_route(either: Victim, route: str) -> None:
    refused(either.raw(request(route, more=b"Origin: http://evil.example\r\n")), 403, code="foreign_origin")


@pytest.mark.parametrize(
    "order", [(b"http://localhost", b"null"), (b"null", b"http://localhost")], ids=["ours first", "ours last"]
)
def test_two_origins_are_refused_whatever_their_order(either: Victim, order: tuple[bytes, bytes]) -> None:
    more = b"".join(b"Origin: " + origin + b"\r\n" for origin in order)
    refused(either.raw(request("rest", more=more)), 400, code="repeated_header")


@pytest.mark.parametrize("site", [b"cross-site", b"same-site", b"Cross-Site", b"none, cross-site", b"", b"x"])
@pytest.mark.parametrize("route", ["chat", "login", "mcp", "messages", "socket"])
def test_another_site_changes_nothing(either: Victim, route: str, site: bytes) -> None:
    refused(either.raw(request(route, more=b"Sec-Fetch-Site: " + site + b"\r\n")), 403, code="cross_site")


@pytest.mark.parametrize("origin", ["http://evil.example", "null"])
def test_no_page_of_another_origin_is_told_that_it_may_read(either: Victim, origin: str) -> None:
    asked = {
        "Origin": origin,
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "content-type",
    }
    for method in ("GET", "OPTIONS"):
        answer = either.http.request(method, "/v1/models", headers=asked)
        assert answer.status_code == 403
        assert not [name for name in answer.headers if name.lower().startswith("access-control-")]
