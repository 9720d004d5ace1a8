import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from http_api.docs import FILES
from tests.support.http_gateway import surface

STATIC = Path(__file__).parents[2] / "http_api" / "static"


class Elements(HTMLParser):
    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))


async def test_the_page_and_all_it_loads_come_from_here(tmp_path: Path) -> None:
    async with surface(tmp_path) as made:
        page = await made.http.get("/docs")
        assert page.headers["content-type"] == "text/html; charset=utf-8"
        loaded = [
            value
            for _, attributes in Elements(page.text).found
            for name in ("src", "href")
            if (value := attributes.get(name))
        ]
        assert set(loaded) == {"/docs/docs.css", "/docs/docs.js", "/openapi.json"}
        for path in loaded:
            assert (await made.http.get(path)).status_code == 200, path
        assert (await made.http.get("/docs/")).status_code == 200


async def test_the_page_may_run_nothing_inline_and_not_be_framed(tmp_path: Path) -> None:
    async with surface(tmp_path) as made:
        for path, _, media in FILES:
            answer = await made.http.get(path)
            assert answer.headers["content-type"] == media.decode()
            policy = answer.headers["content-security-policy"]
            assert "unsafe-inline" not in policy
            assert "unsafe-eval" not in policy
            assert "default-src 'none'" in policy
            assert "frame-ancestors 'none'" in policy
            assert answer.headers["x-content-type-options"] == "nosniff"


def test_the_page_has_nothing_inline() -> None:
    elements = Elements((STATIC / "docs.html").read_text())
    for tag, attributes in elements.found:
        assert tag != "style"
        assert tag != "script" or "src" in attributes
        assert not any(name == "style" or name.startswith("on") for name in attributes)


@pytest.mark.parametrize("name", ["docs.html", "docs.css", "docs.js"])
def test_nothing_names_another_host(name: str) -> None:
    assert not re.search(r"(https?:)?//[a-z0-9]", (STATIC / name).read_text().replace("// Shows", ""))


def test_the_script_makes_text_nodes_only() -> None:
    script = (STATIC / "docs.js").read_text()
    for markup in (
        "innerHTML",
        "outerHTML",
        "insertAdjacentHTML",
        "document.write",
        "eval(",
        "new Function",
        "DOMParser",
    ):
        assert markup not in script
