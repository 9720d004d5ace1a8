"""Forged, worn-out and misplaced credentials: the same 401 for all, on every kind of route."""

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Callable
from typing import Any

import pytest

from tests.support.mcp_raw import ACCEPT
from tests.support.victim import JWT_SECRET, PASSWORD, Victim, of, refused

NOW = int(time.time())
CLOSED = [
    "/v1/models",
    "/v1/keys",
    "/v1/audit",
    "/v1/terminal/sessions",
    "/metrics",
    "/docs",
    "/openapi.json",
    "/nothing",
]


def encoded(value: Any) -> str:
    data = value if isinstance(value, bytes) else json.dumps(value).encode()
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def signed(header: Any, claims: Any, *, secret: str = JWT_SECRET, digest: str = "sha256") -> str:
    """A token made by hand, so that any nonsense can be said in it."""
    text = f"{encoded(header)}.{encoded(claims)}"
    return f"{text}.{encoded(hmac.new(secret.encode(), text.encode(), digest).digest())}"


def parts(token: str) -> tuple[dict[str, Any], dict[str, Any], str]:
    header, claims, signature = token.split(".")
    decoded = [json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))) for part in (header, claims)]
    return decoded[0], decoded[1], signature


def with_claims(**changed: Any) -> Callable[[str], str]:
    def forge(token: str) -> str:
        header, claims, _ = parts(token)
        kept = {name: value for name, value in {**claims, **changed}.items() if value is not ...}
        return signed(header, kept)

    return forge


def with_header(**changed: Any) -> Callable[[str], str]:
    return lambda token: signed({**parts(token)[0], **changed}, parts(token)[1])


def unsigned(algorithm: str) -> Callable[[str], str]:
    return lambda token: f"{encoded({'alg': algorithm, 'typ': 'JWT'})}.{token.split('.')[1]}."


def kept_signature(**changed: Any) -> Callable[[str], str]:
    def forge(token: str) -> str:
        header, claims, signature = parts(token)
        return f"{encoded(header)}.{encoded({**claims, **changed})}.{signature}"

    return forge


FORGED: dict[str, Callable[[str], str]] = {
    "no algorithm": unsigned("none"),
    "No algorithm": unsigned("None"),
    "NONE as algorithm": unsigned("NONE"),
    "HS256 unsigned": unsigned("HS256"),
    "none with a signature": with_header(alg="none"),
    "HS384 with our secret": lambda token: signed({"alg": "HS384"}, parts(token)[1], digest="sha384"),
    "HS512 with our secret": lambda token: signed({"alg": "HS512"}, parts(token)[1], digest="sha512"),
    "RS256 over our secret": with_header(alg="RS256"),
    "ES256 over our secret": with_header(alg="ES256"),
    "algorithm left out": lambda token: signed({"typ": "JWT"}, parts(token)[1]),
    "algorithm as a list": with_header(alg=["HS256"]),
    "algorithm as an object": with_header(alg={"a": "HS256"}),
    "header as a list": lambda token: signed([], parts(token)[1]),
    "header of nothing": lambda token: signed(b"", parts(token)[1]),
    "an own key in the header": lambda token: signed(
        {"alg": "HS256", "jwk": {"kty": "oct", "k": encoded(b"a" * 32)}}, parts(token)[1], secret="a" * 32
    ),
    "a key file in the header": lambda token: signed(
        {"alg": "HS256", "kid": "../../dev/null"}, parts(token)[1], secret=""
    ),
    "a key address in the header": lambda token: signed(
        {"alg": "HS256", "jku": "http://127.0.0.1:1/"}, parts(token)[1], secret="a" * 32
    ),
    "an extension that must be understood": with_header(crit=["x"], x=1),
    "another secret": lambda token: signed(*parts(token)[:2], secret="0" * 40),
    "no secret": lambda token: signed(*parts(token)[:2], secret=""),
    "a published secret": lambda token: signed(*parts(token)[:2], secret="your-256-bit-secret"),
    "expired": with_claims(iat=NOW - 7200, exp=NOW - 60),
    "expired since ever": with_claims(exp=0),
    "no end": with_claims(exp=...),
    "an end of null": with_claims(exp=None),
    "an end as text": with_claims(exp=str(NOW + 3600)),
    "an end beyond floats": with_claims(exp=10**400),
    "an end of infinity": with_claims(exp=float("inf")),
    "an end of NaN": with_claims(exp=float("nan")),
    "an end of true": with_claims(exp=True),
    "longer than a day": with_claims(exp=NOW + 30 * 86_400),
    "issued in the future": with_claims(iat=NOW + 3600, exp=NOW + 7200),
    "never issued": with_claims(iat=...),
    "not yet": with_claims(nbf=NOW + 3600),
    "nobody": with_claims(sub=...),
    "a user who never was": with_claims(sub="00000000-0000-0000-0000-000000000000"),
    "a user by name": with_claims(sub="admin"),
    "the local user": with_claims(sub="local"),
    "a user as a number": with_claims(sub=1),
    "a user as a list": with_claims(sub=["admin"]),
    "a user as SQL": with_claims(sub="' OR 1=1 --"),
    "another issuer": with_claims(iss="evil"),
    "no issuer": with_claims(iss=...),
    "no token id": with_claims(jti=...),
    "a token id as a list": with_claims(jti=[]),
    "claims as a list": lambda token: signed(parts(token)[0], []),
    "claims of nothing": lambda token: signed(parts(token)[0], b""),
    "claims 10,000 deep": lambda token: signed(parts(token)[0], b"[" * 3000),
    "claims that are no JSON": lambda token: signed(parts(token)[0], b"\xff\xfe"),
    "tampered: another user": kept_signature(sub="root"),
    "tampered: a later end": kept_signature(exp=NOW + 80_000),
    "tampered: a role": kept_signature(role="admin"),
    "signature cut short": lambda token: token[:-4],
    "signature of another length": lambda token: token + "AAAA",
    "signature of nothing": lambda token: token.rpartition(".")[0] + ".",
    "a part too many": lambda token: token + ".x",
    "a part too few": lambda token: token.rpartition(".")[0],
    "parts of nothing": lambda token: "..",
    "encrypted in form": lambda token: "eyJhbGciOiJkaXIifQ....x",
    "huge": lambda token: with_claims(x="a" * 30_000)(token),
    "blanks inside": lambda token: token[:40] + " " + token[40:],
    "in quotes": lambda token: f'"{token}"',
    "two at once": lambda token: f"{token}, {token}",
    "a key that never was": lambda token: "mgw_" + "a" * 43,
    "a key of nothing": lambda token: "mgw_",
    "a huge key": lambda token: "mgw_" + "a" * 30_000,
    "nothing": lambda token: "",
    "8 bit": lambda token: "\xff\xfe",
}


@pytest.mark.parametrize("forge", FORGED.values(), ids=FORGED)
def test_forged_credentials_are_refused_with_the_same_words(required: Victim, forge: Callable[[str], str]) -> None:
    forged = forge(required.token)
    assert forged != required.token
    for name, value in (("Authorization", f"Bearer {forged}"), ("X-Api-Key", forged)):
        head = f"GET /v1/keys HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{name}: {value}\r\n\r\n"
        answer = required.raw(head.encode("latin-1"))
        refused(answer, 401, code="unauthenticated")
        assert answer.headers["www-authenticate"].startswith("Bearer")


@pytest.mark.parametrize(
    "forge", [FORGED[name] for name in ("no algorithm", "another secret", "expired", "tampered: another user")]
)
def test_a_forged_login_is_refused_even_where_nobody_needs_one(local: Victim, forge: Callable[[str], str]) -> None:
    forged = {"Authorization": f"Bearer {forge(local.token)}"}
    refused(of(local.http.get("/v1/models", headers=forged)), 401)


def test_our_own_token_is_taken(required: Victim) -> None:
    assert required.http.get("/v1/keys", headers=required.admin).status_code == 200
    header, claims, _ = parts(required.token)
    assert (
        required.http.get("/v1/keys", headers={"Authorization": f"Bearer {signed(header, claims)}"}).status_code == 200
    )


SCHEMES = [
    "Basic YWRtaW46eA==",
    "Digest username=admin",
    "Negotiate x",
    "Token {token}",
    "{token}",
    "Bearer",
    "Bearer,{token}",
]


@pytest.mark.parametrize("scheme", SCHEMES)
def test_another_scheme_is_no_credential(required: Victim, scheme: str) -> None:
    headers = {"Authorization": scheme.format(token=required.token)}
    refused(of(required.http.get("/v1/keys", headers=headers)), 401)


@pytest.mark.parametrize("place", ["?token={t}", "?access_token={t}", "?api_key={t}", "?authorization=Bearer%20{t}"])
def test_a_token_in_the_address_is_no_credential(required: Victim, place: str) -> None:
    refused(of(required.http.get("/v1/keys" + place.format(t=required.token))), 401)


def test_a_token_in_a_cookie_is_no_credential(required: Victim) -> None:
    cookie = {"Cookie": f"token={required.token}; Authorization=Bearer {required.token}"}
    refused(of(required.http.get("/v1/keys", headers=cookie)), 401)


@pytest.mark.parametrize("order", [0, 1])
def test_of_two_credentials_neither_counts(required: Victim, order: int) -> None:
    both = [f"Authorization: Bearer {required.token}\r\n", "Authorization: Bearer mgw_x\r\n"]
    lines = "".join(both if order else reversed(both))
    head = f"GET /v1/keys HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{lines}\r\n"
    refused(required.raw(head.encode()), 400, code="repeated_header")


@pytest.mark.parametrize("path", CLOSED)
@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH"])
def test_without_credentials_every_path_is_closed(required: Victim, method: str, path: str) -> None:
    answer = required.http.request(method, path, json={} if method in ("POST", "PUT", "PATCH") else None)
    assert answer.status_code == 401, answer.text
    assert "www-authenticate" in answer.headers


@pytest.mark.parametrize(
    "path",
    [
        "/health/",
        "/health/../v1/keys",
        "/health%2f..%2fv1%2fkeys",
        "//v1/keys",
        "/./v1/keys",
        "/v1/auth/login/../../keys",
        "/HEALTH",
        "/health;/v1/keys",
        "/v1/keys/",
        "/v1//keys",
        "/v1/keys%00",
        "/v1/keys?/health",
        "/health%20",
    ],
)
def test_no_way_of_writing_a_path_opens_it(required: Victim, path: str) -> None:
    answer = required.raw(f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())
    if path == "/health/":
        assert answer.status == 200
    else:
        refused(answer, 401)


def test_mcp_and_sockets_are_closed_too(required: Victim) -> None:
    message = {"jsonrpc": "2.0", "id": 1, "method": "tools/list"}
    accept = {"Accept": "application/json, text/event-stream"}
    for method, path in (
        ("POST", "/mcp"),
        ("GET", "/mcp"),
        ("DELETE", "/mcp"),
        ("GET", "/sse"),
        ("POST", "/messages/"),
    ):
        answer = required.http.request(method, path, json=message if method == "POST" else None, headers=accept)
        assert answer.status_code == 401
        assert answer.headers["www-authenticate"].startswith("Bearer")
    handshake = (
        "GET /v1/terminal/term-1/ws HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
        "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
    )
    for protocol in ("", "Sec-WebSocket-Protocol: bearer\r\n", "Sec-WebSocket-Protocol: bearer, mgw_x\r\n"):
        refused(required.raw((handshake + protocol + "\r\n").encode()), 401)


def test_a_revoked_token_is_refused(required: Victim) -> None:
    login = required.http.post("/v1/auth/login", json={"username": "admin", "password": PASSWORD}).json()
    bearer = {"Authorization": f"Bearer {login['token']}"}
    assert required.http.get("/v1/keys", headers=bearer).status_code == 200
    assert required.http.post("/v1/auth/logout", headers=bearer).status_code == 200
    refused(of(required.http.get("/v1/keys", headers=bearer)), 401)
    refused(of(required.http.post("/v1/auth/logout", headers=bearer)), 401)


def test_a_deleted_key_is_refused(required: Victim) -> None:
    made = required.http.post(
        "/v1/keys", json={"name": "short", "scopes": ["models:read"]}, headers=required.admin
    ).json()
    bearer = {"Authorization": f"Bearer {made['secret']}"}
    assert required.http.get("/v1/models", headers=bearer).status_code == 200
    assert required.http.delete(f"/v1/keys/{made['key']['id']}", headers=required.admin).status_code == 200
    refused(of(required.http.get("/v1/models", headers=bearer)), 401)
    assert (
        hashlib.sha256(made["secret"].encode()).hexdigest()
        not in required.http.get("/v1/keys", headers=required.admin).text
    )


MODERN = {
    "io.modelcontextprotocol/protocolVersion": "2026-07-28",
    "io.modelcontextprotocol/clientInfo": {"name": "test", "version": "1"},
    "io.modelcontextprotocol/clientCapabilities": {},
}
LISTEN = {"notifications": {"resourcesListChanged": True}, "_meta": MODERN}
STREAMS: dict[str, tuple[str, str, dict[str, str], dict[str, Any] | None]] = {
    "of SSE": ("GET", "/sse", {}, None),
    "of a client that listens": (
        "POST",
        "/mcp",
        {**ACCEPT, "MCP-Protocol-Version": "2026-07-28", "Mcp-Method": "subscriptions/listen"},
        {"jsonrpc": "2.0", "id": 1, "method": "subscriptions/listen", "params": LISTEN},
    ),
}


@pytest.mark.parametrize(("method", "path", "headers", "body"), STREAMS.values(), ids=STREAMS)
def test_an_open_stream_ends_with_its_key(
    required: Victim, method: str, path: str, headers: dict[str, str], body: dict[str, Any] | None
) -> None:
    made = required.http.post("/v1/keys", json={"name": "s", "scopes": ["models:read"]}, headers=required.admin).json()
    headers = {**headers, "Authorization": f"Bearer {made['secret']}"}
    with required.http.stream(method, path, json=body, headers=headers, timeout=10) as stream:
        assert stream.status_code == 200
        lines = stream.iter_lines()
        assert next(lines).startswith("event: ")
        assert required.http.delete(f"/v1/keys/{made['key']['id']}", headers=required.admin).status_code == 200
        for _ in lines:
            pass


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/v1/keys"),
        ("POST", "/v1/keys"),
        ("GET", "/v1/audit"),
        ("GET", "/v1/audit/verify"),
        ("POST", "/v1/providers"),
        ("PUT", "/v1/config"),
        ("PUT", "/v1/terminal/policy"),
        ("GET", "/v1/approvals"),
        ("POST", "/v1/budgets"),
        ("DELETE", "/v1/budgets/x"),
        ("DELETE", "/v1/models/x"),
        ("PUT", "/v1/models/x"),
        ("PUT", "/v1/layers/L0/toggle"),
        ("GET", "/metrics"),
    ],
)
def test_a_key_does_no_more_than_its_scopes(required: Victim, method: str, path: str) -> None:
    body = {} if method in ("POST", "PUT") else None
    refused(of(required.http.request(method, path, json=body, headers=required.keys["alice"])), 403)


BOUNDS: list[dict[str, Any]] = [{"maxLayer": "L0"}, {"models": ["scripted/scripted"]}, {"budgetUsd": 1}]
MOVES: list[dict[str, Any]] = [
    {"layer": "L1"},
    {"apiModelName": "another"},
    {"provider": "anthropic"},
    {"pricePer1kInputTokens": 0, "pricePer1kOutputTokens": 0},
    {"relativeCost": 0},
]


@pytest.mark.parametrize("bound", BOUNDS, ids=["layer", "models", "budget"])
def test_a_key_cannot_move_what_it_is_bounded_by(required: Victim, bound: dict[str, Any]) -> None:
    wanted = {"name": "bounded", "scopes": ["chat", "models:write"], **bound}
    made = required.http.post("/v1/keys", json=wanted, headers=required.admin)
    bearer = {"Authorization": f"Bearer {made.json()['secret']}"}
    path, further = (
        "/v1/models/scripted/scripted",
        {"id": "m", "provider": "openai", "apiModelName": "m", "layer": "L0"},
    )
    for move in MOVES:
        refused(of(required.http.put(path, json={**move, "priority": 0}, headers=bearer)), 403)
    refused(of(required.http.post("/v1/models", json=further, headers=bearer)), 403)
    assert required.http.put(path, json={"priority": 0}, headers=bearer).status_code == 200
