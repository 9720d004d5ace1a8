"""The whole surface on a whole gateway: every route with bad input, authentication everywhere, life and death."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from http_api.app import ROWS, Mounted, create_app
from http_api.binding import WITHOUT_BODY, Row
from http_api.routing import PARAMETER
from shared.domain.identity import SCOPES
from shared.gateway import Gateway
from tests.support.http_gateway import MODEL, Surface, opener, settings_for, surface
from tests.support.http_stack import client, error_of

JSON = {"content-type": "application/json"}
QUERIES = {"read_file": "?path=f", "search_terminal": "?search=x"}
GOOD_BODIES: dict[str, dict[str, Any]] = {
    "write_file": {"path": "f", "content": ""},
    "update_model": {"enabled": True},
    "update_provider": {"enabled": True},
    "toggle_layer": {"enabled": True},
    "reorder_layer": {"modelIds": ["x"]},
    "execute_command": {"command": "true"},
    "send_to_terminal": {"data": "x"},
    "signal_terminal": {"signal": "INT"},
    "resize_terminal": {"cols": 80, "rows": 24},
    "update_connection": {"name": "x"},
    "decide_approval": {"decision": "deny"},
    "answer_prompt": {"secret": "password"},
}
ODD_IDS = (
    "..%2F..%2Fetc%2Fpasswd",
    "a%0D%0Ax-injected:%201",
    "%00",
    "%FF",
    "x" * 3000,
    "%F0%9F%92%A9",
    "%20",
    "'--",
    "%2e%2e",
)
LAYER = {"layer": "L0"}


def path_of(row: Row, value: str = "unknown-one") -> str:
    return PARAMETER.sub(lambda match: LAYER.get(match[1], value), row.path)


def with_bodies() -> Iterator[Row]:
    """Those with a body of our own form; what takes a chat lets unknown fields through, and is tried in its own tests."""
    return (row for row in ROWS if row.method not in WITHOUT_BODY and row.as_chat is None)


class Findings:
    """Answers that are not as they must be; all of them are shown at once."""

    def __init__(self) -> None:
        self.wrong: list[str] = []
        self.checked = 0

    def refused(self, answer: httpx.Response, what: str, *statuses: int) -> None:
        self.checked += 1
        try:
            assert answer.status_code in statuses, f"{answer.status_code} instead of {statuses}"
            error_of(answer)
            assert answer.headers["content-type"] == "application/json"
            assert "Traceback" not in answer.text
        except (AssertionError, ValueError) as error:
            request = answer.request
            self.wrong.append(
                f"{request.method} {request.url.raw_path.decode()} with {what}: {error} {answer.text[:200]}"
            )


@contextlib.asynccontextmanager
async def examined(folder: Path, **values: Any) -> AsyncIterator[tuple[Surface, Findings]]:
    findings = Findings()
    async with surface(folder, **values) as made:
        yield made, findings
    assert findings.checked
    assert findings.wrong == []


BAD_BODIES: tuple[tuple[str, bytes, dict[str, str], int], ...] = (
    ("malformed JSON", b"{", JSON, 400),
    ("a list", b"[1]", JSON, 400),
    ("text", b'"x"', JSON, 400),
    ("an unknown field", b'{"noSuchField": 1}', JSON, 400),
    ("NaN", b'{"noSuchField": NaN}', JSON, 400),
    ("a lone surrogate", b'{"noSuchField": "\\ud800"}', JSON, 400),
    ("invalid UTF-8", b'{"noSuchField": "\xff"}', JSON, 400),
    ("deep nesting", b'{"noSuchField": ' + b"[" * 500 + b"]" * 500 + b"}", JSON, 400),
    ("a form", b"a=b", {"content-type": "application/x-www-form-urlencoded"}, 415),
    ("no media type", b"{}", {}, 415),
    ("a compressed body", b"{}", {**JSON, "content-encoding": "gzip"}, 415),
    ("too large a body", b'{"noSuchField": "' + b"x" * (1024 * 1024) + b'"}', JSON, 413),
)


async def test_every_path_with_a_body_refuses_what_is_no_json_of_its_own(tmp_path: Path) -> None:
    async with examined(tmp_path) as (made, findings):
        for row in with_bodies():
            for what, body, headers, status in BAD_BODIES:
                if row.body_limit is not None and status == 413:
                    continue
                answer = await made.http.request(row.method, path_of(row), content=body, headers=headers)
                findings.refused(answer, what, status)
                if what == "an unknown field" and "noSuchField" not in answer.text:
                    findings.wrong.append(f"{row.path} does not name the field: {answer.text}")


async def test_every_field_refuses_a_wrong_type(tmp_path: Path) -> None:
    async with examined(tmp_path) as (made, findings):
        for row in with_bodies():
            for name, field in row.operation.request.model_fields.items():
                if name in PARAMETER.sub(r"\1", row.path):
                    continue
                answer = await made.http.request(row.method, path_of(row), json={field.alias or name: {"wrong": [[]]}})
                findings.refused(answer, f"{field.alias}={{...}}", 400)
                if not (answer.json()["details"] and answer.json()["details"]["fields"]):
                    findings.wrong.append(f"{row.path} {name}: {answer.text}")


@pytest.mark.parametrize(
    "query", ["noSuchField=1", "noSuchField=1&noSuchField=2", "noSuchField=%FF", "noSuchField=%00"]
)
async def test_every_path_refuses_a_query_that_it_does_not_know(tmp_path: Path, query: str) -> None:
    async with examined(tmp_path) as (made, findings):
        for row in ROWS:
            if row.lenient and query == "noSuchField=1":
                continue
            findings.refused(await made.http.request(row.method, f"{path_of(row)}?{query}"), query, 400)


async def test_every_path_refuses_other_methods_and_names_its_own(tmp_path: Path) -> None:
    async with examined(tmp_path) as (made, findings):
        for path in {row.path for row in ROWS}:
            methods = {row.method for row in ROWS if row.path == path}
            target = path_of(next(row for row in ROWS if row.path == path))
            for method in {"GET", "POST", "PUT", "DELETE", "PATCH", "TRACE"} - methods:
                answer = await made.http.request(method, target)
                findings.refused(answer, "a wrong method", 405)
                allowed = set(answer.headers.get("allow", "").split(", "))
                if not (methods <= allowed and method not in allowed and "OPTIONS" in allowed):
                    findings.wrong.append(f"{method} {path} allows {allowed}")


async def test_nothing_is_found_under_an_unknown_id(tmp_path: Path) -> None:
    async with examined(tmp_path) as (made, findings):
        for row in (row for row in ROWS if "{" in row.path and "{layer}" not in row.path):
            body = GOOD_BODIES.get(row.operation.name)
            options = {} if row.method in WITHOUT_BODY else {"json": body or {}}
            query = QUERIES.get(row.operation.name, "")
            answer = await made.http.request(row.method, f"{path_of(row)}{query}", **options)
            findings.refused(answer, "an unknown id", 404)


async def test_odd_ids_are_refused_and_never_a_failure_of_ours(tmp_path: Path) -> None:
    async with examined(tmp_path) as (made, findings):
        for row in (row for row in ROWS if "{" in row.path):
            body = GOOD_BODIES.get(row.operation.name)
            options = {} if row.method in WITHOUT_BODY else {"json": body or {}}
            for odd in ODD_IDS:
                path = PARAMETER.sub(odd, row.path)
                answer = await made.http.request(row.method, path, **options)
                findings.refused(answer, f"the id {odd[:20]}", 400, 404)
                if "x-injected" in answer.headers:
                    findings.wrong.append(f"{path} lets headers in")


async def test_unknown_paths_are_not_found(tmp_path: Path) -> None:
    async with examined(tmp_path) as (made, findings):
        for path in (
            "/v1",
            "/v1/nothing",
            "/v2/models",
            "/v1/models%2Flayers",
            "/%2e%2e/%2e%2e/etc/passwd",
            "/favicon.ico",
        ):
            for method in ("GET", "POST", "DELETE"):
                findings.refused(await made.http.request(method, path), "an unknown path", 404)


async def test_where_credentials_are_required_only_health_and_login_are_open(tmp_path: Path) -> None:
    open_paths = {("GET", "/health"), ("POST", "/v1/auth/login")}
    async with examined(tmp_path, auth_mode="required") as (made, findings):
        extra = ("/metrics", "/openapi.json", "/docs", "/docs/docs.js", "/nowhere")
        targets = [(row.method, path_of(row)) for row in ROWS] + [("GET", path) for path in extra]
        targets.append(("POST", "/v1/chat/completions"))
        for method, path in targets:
            if (method, path) in open_paths:
                continue
            answer = await made.http.request(method, path)
            findings.refused(answer, "no credentials", 401)
            if answer.headers.get("www-authenticate") != "Bearer":
                findings.wrong.append(f"{method} {path} does not say how to authenticate")
        assert (await made.http.get("/health")).status_code == 200
        token = await made.login()
        headers = {"authorization": f"Bearer {token}"}
        for path in ("/v1/models", "/metrics", "/openapi.json", "/docs", "/v1/audit"):
            assert (await made.http.get(path, headers=headers)).status_code == 200, path
        assert (await made.http.post("/v1/auth/logout", headers=headers)).status_code == 200
        findings.refused(await made.http.get("/v1/models", headers=headers), "a revoked token", 401)


async def test_a_key_may_do_what_its_scopes_say(tmp_path: Path) -> None:
    async with surface(tmp_path, auth_mode="required") as made:
        admin = {"authorization": f"Bearer {await made.login()}"}
        for scope in sorted(SCOPES):
            answer = await made.http.post("/v1/keys", json={"name": scope, "scopes": [scope]}, headers=admin)
            assert answer.status_code == 201
            headers = {"x-api-key": answer.json()["secret"]}
            for row in ROWS:
                needed = row.operation.scope
                if row.method == "GET" and needed is not None:
                    status = (await made.http.get(path_of(row), headers=headers)).status_code
                    allowed = needed == scope and row.path != "/v1/stats"  # everybody's, so no key's but an admin's
                    assert (status == 403) == (not allowed), (row.path, scope, status)
            assert (await made.http.get("/metrics", headers=headers)).status_code == (
                200 if scope in ("admin", "metrics") else 403
            )


async def test_every_answer_of_a_limited_path_carries_the_limits(tmp_path: Path) -> None:
    async with surface(tmp_path, rate_limit_per_minute=1000) as made:
        names = {"x-ratelimit-limit", "x-ratelimit-remaining", "x-ratelimit-reset"}
        for row in ROWS:
            answer = await made.http.request(row.method, path_of(row))
            assert names <= set(answer.headers) or not row.limited, row
        assert not names & set((await made.http.get("/health")).headers)
        assert not names & set((await made.http.get("/metrics")).headers)
        assert names <= set((await made.http.post("/v1/chat/completions", json={})).headers)


async def test_what_is_mounted_is_protected_and_lives_with_the_gateway(tmp_path: Path) -> None:
    life: list[str] = []

    @contextlib.asynccontextmanager
    async def lifespan(gateway: Gateway) -> AsyncIterator[None]:
        life.append(f"up {gateway.database.reachable}")
        yield
        life.append("down")

    async def who(request: Request) -> JSONResponse:
        return JSONResponse({"caller": request.scope["gateway"].caller.id})

    mounted = Mounted(routes=[Route("/extra", who, methods=["GET", "POST"])], lifespan=lifespan)
    async with surface(tmp_path, [mounted], rate_limit_per_minute=50) as made:
        assert life == ["up True"]
        answer = await made.http.get("/extra")
        assert answer.json() == {"caller": "local"}
        assert "x-ratelimit-limit" not in answer.headers
        assert answer.headers["x-request-id"]
        assert "x-ratelimit-limit" not in (await made.http.post("/extra", json={})).headers
        _, key = await made.gateway.api_keys.create("test", ["chat"])
        answer = await made.http.post("/extra", json={}, headers={"x-api-key": key})
        assert "x-ratelimit-limit" in answer.headers
        async with client(made.app, "10.0.0.2") as other:
            assert "x-ratelimit-limit" in (await other.post("/extra", json={})).headers
        assert (await made.http.get("/extra", headers={"host": "evil.com"})).status_code == 421
        assert (await made.http.post("/extra", json={}, headers={"origin": "http://evil.com"})).status_code == 403
    assert life == ["up True", "down"]


async def test_a_server_may_run_the_lifespan_itself(tmp_path: Path) -> None:
    app = create_app(opener(settings_for(tmp_path)))
    waiting: asyncio.Queue[dict[str, str]] = asyncio.Queue()
    said: asyncio.Queue[dict[str, str]] = asyncio.Queue()
    task = asyncio.create_task(app({"type": "lifespan"}, waiting.get, said.put))  # type: ignore[arg-type]
    await waiting.put({"type": "lifespan.startup"})
    assert (await asyncio.wait_for(said.get(), 5))["type"] == "lifespan.startup.complete"
    async with client(app) as http:
        assert (await http.get("/health")).status_code == 200
    await waiting.put({"type": "lifespan.shutdown"})
    assert (await asyncio.wait_for(said.get(), 5))["type"] == "lifespan.shutdown.complete"
    await task


async def test_before_its_lifespan_the_application_answers_nobody(tmp_path: Path) -> None:
    async with client(create_app(opener(settings_for(tmp_path)))) as http:
        with pytest.raises(RuntimeError, match="lifespan"):
            await http.get("/health")


@pytest.mark.parametrize("begun", [False, True])
async def test_a_read_that_waits_is_ended_when_the_server_stops(tmp_path: Path, begun: bool) -> None:
    entered = asyncio.Event()

    class Waiting:
        async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
            if begun:
                await send({"type": "http.response.start", "status": 200, "headers": []})
                await send({"type": "http.response.body", "body": b"some", "more_body": True})
            entered.set()
            await asyncio.Event().wait()

    async with surface(tmp_path, [Mounted(routes=[Route("/wait", Waiting())])]) as made:
        waiting = asyncio.create_task(made.http.get("/wait"))
        await asyncio.wait_for(entered.wait(), 5)
        made.app.stop()
        done, _ = await asyncio.wait({waiting}, timeout=5)
        assert done
        answer = waiting.result()
    if begun:
        assert (answer.status_code, answer.text) == (200, "some")
    else:
        assert answer.status_code == 503
        assert error_of(answer)["error"].startswith("The gateway is shutting down")


async def test_two_gateways_live_in_one_process(tmp_path: Path) -> None:
    async with surface(tmp_path / "one") as one, surface(tmp_path / "other") as other:
        await one.http.post("/v1/models", json=MODEL)
        assert (await one.http.get("/v1/models/scripted%2Fscripted")).status_code == 200
        assert (await other.http.get("/v1/models/scripted%2Fscripted")).status_code == 404
