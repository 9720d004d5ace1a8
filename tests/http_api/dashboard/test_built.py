"""The dashboard that Vite builds: how it is served, and what its sources keep to."""

import json
import re
from pathlib import Path

import pytest

from http_api.dashboard import built
from scripts import build_dashboard
from tests.support.http_gateway import surface
from tests.support.http_stack import error_of

ROOT = Path(__file__).parents[3]
FRONTEND = ROOT / "frontend"


@pytest.fixture
def dist(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A build with one page and one script."""
    folder = tmp_path / "dist"
    (folder / "assets").mkdir(parents=True)
    (folder / "index.html").write_text("<title>built</title>", "utf-8")
    (folder / "assets" / "index-abc.js").write_text("export {};", "utf-8")
    monkeypatch.setattr(built, "DIST", folder)
    return folder


@pytest.mark.usefixtures("dist")
async def test_every_address_of_a_view_leads_to_the_page_and_files_are_kept(tmp_path: Path) -> None:
    async with surface(tmp_path, auth_mode="required") as made:
        for place in ("", "/", "/usage", "/models/openrouter%2Fx%3Afree", "/terminals/term-1/play"):
            page = await made.http.get(f"{built.PATH}{place}")
            assert (page.status_code, page.text) == (200, "<title>built</title>"), place
            policy = page.headers["content-security-policy"].split("; ")
            assert {"default-src 'none'", "script-src 'self'", "style-src 'self'", "img-src 'self' data: blob:"} <= set(
                policy
            )
            assert {"require-trusted-types-for 'script'", "trusted-types 'none'", "frame-ancestors 'none'"} <= set(
                policy
            )
            assert page.headers["cache-control"] == "no-cache"
        script = await made.http.get(f"{built.PATH}/assets/index-abc.js")
        assert script.headers["content-type"].startswith("text/javascript")
        assert "immutable" in script.headers["cache-control"]
        gone = await made.http.get(f"{built.PATH}/assets/index-old.js")
        assert (gone.status_code, error_of(gone)["code"]) == (404, "not_found")


async def test_without_a_build_the_page_says_how_to_make_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(built, "DIST", tmp_path / "none")
    async with surface(tmp_path) as made:
        for place in ("", "/usage"):
            page = await made.http.get(f"{built.PATH}{place}")
            assert page.status_code == 200
            assert "make dashboard" in page.text


def test_the_types_of_the_api_are_those_of_the_api() -> None:
    (first, *_) = build_dashboard.SCHEMA.read_text("utf-8").splitlines()
    wanted = f"{build_dashboard.MARK}{build_dashboard.digest(build_dashboard.document())}."
    assert first == wanted, "The API has changed. Run 'make dashboard-types'."


def test_the_lock_file_pins_every_package_with_its_digest_and_names_no_registry() -> None:
    text = (FRONTEND / "package-lock.json").read_text("utf-8")
    packages = {name: package for name, package in json.loads(text)["packages"].items() if name}
    assert len(packages) > 50
    assert [name for name, package in packages.items() if not package.get("integrity")] == []
    assert [name for name, package in packages.items() if "resolved" in package] == []
    own = json.loads((FRONTEND / "package.json").read_text("utf-8"))
    pinned = {**own["dependencies"], **own["devDependencies"]}
    assert [name for name, version in pinned.items() if not re.fullmatch(r"\d+\.\d+\.\d+", version)] == []


@pytest.mark.slow
@pytest.mark.skipif(
    not (FRONTEND / "node_modules").is_dir(), reason="the dashboard's packages are not installed; 'make dashboard' does"
)
def test_the_parts_of_the_dashboard_that_need_no_browser_work() -> None:
    assert build_dashboard.run("vitest", "run") == ""
