"""The dashboard's files over real HTTP."""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest

from http_api.dashboard.routes import FILES, PAGE, PATH
from tests.support.http_gateway import surface
from tests.support.http_server import serving
from tests.support.http_stack import error_of

MODES = pytest.mark.parametrize("mode", ["local", "required"])
POLICY = (
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    "img-src 'self'",
    "connect-src 'self'",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
)
ELSEWHERE = (
    "../routes.py",
    "..%2froutes.py",
    "%2e%2e/routes.py",
    "..%5croutes.py",
    "....//main.js",
    "static/main.js",
    "index.html",
    "routes.py",
    "main.js%00",
    "main.js/x",
    "MAIN.JS",
    "/main.js",
    "%2fetc%2fpasswd",
    "/etc/passwd",
)
PATHS = [f"{PATH}/" if name == PAGE else f"{PATH}/{name}" for name, _ in FILES]


@asynccontextmanager
async def gateway(folder: Path, mode: str = "local") -> AsyncIterator[httpx.AsyncClient]:
    """A gateway on a real port, and a client for it."""
    async with (
        surface(folder, auth_mode=mode, rate_limit_per_minute=5) as made,
        serving(made.app) as server,
        httpx.AsyncClient(base_url=server.url, trust_env=False) as client,
    ):
        yield client


@MODES
async def test_whoever_opens_the_gateway_comes_to_the_page(tmp_path: Path, mode: str) -> None:
    async with gateway(tmp_path, mode) as http:
        answer = await http.get("/")
        assert (answer.status_code, answer.headers["location"]) == (307, f"{PATH}/")
        for path in answer.json().values():
            assert (await http.get(path)).status_code != 404
        followed = await http.get("/", follow_redirects=True)
        assert followed.headers["content-type"].startswith("text/html")
        assert (await http.post("/", json={})).status_code == 405


@MODES
async def test_every_file_is_there_for_everybody_and_counts_against_no_limit(tmp_path: Path, mode: str) -> None:
    async with gateway(tmp_path, mode) as http:
        for path, (_, media) in zip(PATHS, FILES, strict=True):
            answer = await http.get(path)
            assert answer.status_code == 200, path
            assert answer.headers["content-type"] == media.decode()
            assert len(answer.content) == int(answer.headers["content-length"]) > 0
            assert "x-ratelimit-limit" not in answer.headers
        assert len(PATHS) > 20


async def test_the_page_is_there_with_and_without_a_slash_at_the_end(tmp_path: Path) -> None:
    async with gateway(tmp_path) as http:
        plain, slash = await http.get(PATH), await http.get(f"{PATH}/")
        assert plain.status_code == slash.status_code == 200
        assert plain.content == slash.content
        assert b"/dashboard/main.js" in plain.content


@MODES
async def test_every_answer_forbids_what_the_page_does_not_need(tmp_path: Path, mode: str) -> None:
    async with gateway(tmp_path, mode) as http:
        for path in PATHS:
            for answer in (await http.get(path), await http.head(path)):
                given = answer.headers["content-security-policy"].split("; ")
                assert [wanted for wanted in POLICY if wanted not in given] == []
                assert "unsafe" not in answer.headers["content-security-policy"]
                assert "require-trusted-types-for 'script'" in given
                assert answer.headers["x-content-type-options"] == "nosniff"
                assert answer.headers["referrer-policy"] == "no-referrer"
                assert answer.headers["cross-origin-resource-policy"] == "same-origin"


async def test_a_copy_that_is_still_good_is_not_sent_again(tmp_path: Path) -> None:
    async with gateway(tmp_path) as http:
        first = await http.get(f"{PATH}/main.js")
        tag = first.headers["etag"]
        assert first.headers["cache-control"] == "no-cache"
        for copies in (tag, f"W/{tag}", f'"other", {tag}', "*"):
            again = await http.get(f"{PATH}/main.js", headers={"if-none-match": copies})
            assert again.status_code == 304, copies
            assert again.content == b""
            assert again.headers["etag"] == tag
            assert again.headers["cache-control"] == "no-cache"
        other = await http.get(f"{PATH}/main.js", headers={"if-none-match": '"another"'})
        assert other.status_code == 200
        assert (await http.get(f"{PATH}/api.js")).headers["etag"] != tag


async def test_head_says_what_get_would_without_the_body(tmp_path: Path) -> None:
    async with gateway(tmp_path) as http:
        for path in (PATH, f"{PATH}/base.css"):
            got, head = await http.get(path), await http.head(path)
            assert head.content == b""
            for name in ("content-type", "content-length", "etag", "cache-control"):
                assert head.headers[name] == got.headers[name]


async def test_other_methods_are_refused(tmp_path: Path) -> None:
    async with gateway(tmp_path) as http:
        answer = await http.post(f"{PATH}/main.js", json={})
        assert answer.status_code == 405
        assert answer.headers["allow"] == "GET, HEAD, OPTIONS"


@MODES
async def test_no_other_file_can_be_named(tmp_path: Path, mode: str) -> None:
    async with surface(tmp_path, auth_mode=mode) as made, serving(made.app) as server:
        for path in ELSEWHERE:
            request = f"GET {PATH}/{path} HTTP/1.1\r\nHost: 127.0.0.1:{server.port}\r\nConnection: close\r\n\r\n"
            status, headers, _ = await server.exchange(request.encode())
            assert status == (401 if mode == "required" else 404), path
            assert headers["content-type"] == "application/json"


async def test_a_foreign_host_gets_no_page(tmp_path: Path) -> None:
    async with gateway(tmp_path) as http:
        answer = await http.get(PATH, headers={"host": "evil.example"})
        assert answer.status_code == 421
        assert error_of(answer)["code"] == "unknown_host"


async def test_what_the_page_asks_still_needs_a_login(tmp_path: Path) -> None:
    async with gateway(tmp_path, "required") as http:
        assert (await http.get("/v1/auth/status")).status_code == 401
        assert (await http.get("/v1/approvals")).status_code == 401


async def test_the_page_loads_files_of_the_table_and_nothing_else(tmp_path: Path) -> None:
    async with gateway(tmp_path) as http:
        page = (await http.get(PATH)).text
        loaded = set(re.findall(r'(?:src|href)="([^"]+)"', page))
        assert loaded <= set(PATHS)
        reached = {PATH + "/main.js"}
        waiting = list(reached)
        while waiting:
            text = (await http.get(waiting.pop())).text
            found = {f"{PATH}/{name}" for name in re.findall(r'^import .* from "\./([^"]+)";$', text, re.MULTILINE)}
            waiting.extend(found - reached)
            reached |= found
        assert loaded | reached == set(PATHS) - {f"{PATH}/"}
