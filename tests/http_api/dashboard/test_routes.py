"""The dashboard's files over real HTTP."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest

from http_api.dashboard import routes
from http_api.dashboard.routes import PATH
from tests.support.http_gateway import surface
from tests.support.http_server import serving
from tests.support.http_stack import error_of

SCRIPT = f"{PATH}/assets/index-abc.js"
LICENSES = f"{PATH}/licenses.md"
WANTED = {
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    "img-src 'self' data: blob:",
    "connect-src 'self'",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
    "require-trusted-types-for 'script'",
    "trusted-types 'none'",
}
ELSEWHERE = (
    "../routes.py",
    "..%2froutes.py",
    "%2e%2e/routes.py",
    "..%5croutes.py",
    "assets/../../routes.py",
    "assets/..%2f..%2froutes.py",
    "routes.py",
    "assets/index-abc.js%00",
    "%2fetc%2fpasswd",
    "/etc/passwd",
)


@pytest.fixture(autouse=True)
def dist(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A build with one page, one script and the licences."""
    folder = tmp_path / "dist"
    (folder / "assets").mkdir(parents=True)
    (folder / "index.html").write_text("<title>built</title>", "utf-8")
    (folder / "licenses.md").write_text("MIT", "utf-8")
    (folder / "assets" / "index-abc.js").write_text("export {};", "utf-8")
    monkeypatch.setattr(routes, "DIST", folder)


@asynccontextmanager
async def gateway(folder: Path) -> AsyncIterator[tuple[httpx.AsyncClient, int]]:
    """A gateway with logins on a real port, a client for it, and the port."""
    async with (
        surface(folder, auth_mode="required", rate_limit_per_minute=5) as made,
        serving(made.app) as server,
        httpx.AsyncClient(base_url=server.url, trust_env=False) as client,
    ):
        yield client, server.port


async def test_every_address_of_a_view_leads_to_the_page_for_everyone_without_a_limit(tmp_path: Path) -> None:
    async with gateway(tmp_path) as (http, _):
        start = await http.get("/")
        assert (start.status_code, start.headers["location"]) == (307, f"{PATH}/")
        for path in start.json().values():
            assert (await http.get(path)).status_code != 404
        for place in ("", "/", "/usage", "/models/openrouter%2Fx%3Afree", "/terminals/term-1/recording"):
            page = await http.get(f"{PATH}{place}")
            assert (page.status_code, page.text) == (200, "<title>built</title>"), place
            assert page.headers["cache-control"] == "no-cache"
            assert "x-ratelimit-limit" not in page.headers
        assert (await http.get("/v1/approvals")).status_code == 401


async def test_every_answer_forbids_what_the_page_does_not_need(tmp_path: Path) -> None:
    async with gateway(tmp_path) as (http, _):
        for path in (PATH, SCRIPT, LICENSES):
            for answer in (await http.get(path), await http.head(path)):
                assert set(answer.headers["content-security-policy"].split("; ")) >= WANTED
                assert "unsafe" not in answer.headers["content-security-policy"]
                assert answer.headers["x-content-type-options"] == "nosniff"
                assert answer.headers["referrer-policy"] == "no-referrer"
                assert answer.headers["cross-origin-resource-policy"] == "same-origin"


async def test_files_are_kept_and_a_copy_that_is_still_good_is_not_sent_again(tmp_path: Path) -> None:
    async with gateway(tmp_path) as (http, _):
        script = await http.get(SCRIPT)
        assert script.headers["content-type"].startswith("text/javascript")
        assert "immutable" in script.headers["cache-control"]
        first = await http.get(LICENSES)
        assert first.headers["cache-control"] == "no-cache"
        tag = first.headers["etag"]
        for copies in (tag, f"W/{tag}", f'"other", {tag}', "*"):
            again = await http.get(LICENSES, headers={"if-none-match": copies})
            assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", tag), copies
        assert (await http.get(LICENSES, headers={"if-none-match": '"another"'})).status_code == 200
        head = await http.head(LICENSES)
        assert (head.content, head.headers["content-length"]) == (b"", first.headers["content-length"])
        gone = await http.get(f"{PATH}/assets/index-old.js")
        assert (gone.status_code, error_of(gone)["code"]) == (404, "not_found")


async def test_other_methods_and_foreign_hosts_are_refused(tmp_path: Path) -> None:
    async with gateway(tmp_path) as (http, _):
        answer = await http.post(SCRIPT, json={})
        assert (answer.status_code, answer.headers["allow"]) == (405, "GET, HEAD, OPTIONS")
        assert (await http.post("/", json={})).status_code == 405
        foreign = await http.get(PATH, headers={"host": "evil.example"})
        assert (foreign.status_code, error_of(foreign)["code"]) == (421, "unknown_host")


async def test_no_other_file_can_be_named(tmp_path: Path) -> None:
    async with surface(tmp_path) as made, serving(made.app) as server:
        for path in ELSEWHERE:
            request = f"GET {PATH}/{path} HTTP/1.1\r\nHost: 127.0.0.1:{server.port}\r\nConnection: close\r\n\r\n"
            status, _, body = await server.exchange(request.encode())
            assert status in (400, 404) or body == b"<title>built</title>", path


async def test_without_a_build_the_page_says_how_to_make_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(routes, "DIST", tmp_path / "none")
    async with surface(tmp_path) as made:
        for place in ("", "/usage"):
            page = await made.http.get(f"{PATH}{place}")
            assert page.status_code == 200
            assert "make dashboard" in page.text
