"""Rules for the sources of the dashboard."""

import json
import os
import re
from pathlib import Path

import pytest

from scripts import build_dashboard

ROOT = Path(__file__).parents[3]
FRONTEND = ROOT / "frontend"


def test_the_types_of_the_api_are_those_of_the_api() -> None:
    (first, *_) = build_dashboard.SCHEMA.read_text("utf-8").splitlines()
    wanted = f"{build_dashboard.MARK}{build_dashboard.digest(build_dashboard.document())}."
    assert first == wanted, "The API has changed. Run 'make dashboard-types'."


def test_a_first_load_that_is_too_large_is_refused(tmp_path: Path) -> None:
    (tmp_path / "assets").mkdir()
    page = '<script src="/dashboard/assets/a.js"></script><link href="/dashboard/assets/a.css">'
    (tmp_path / "index.html").write_text(page, "utf-8")
    (tmp_path / "assets" / "a.css").write_text("", "utf-8")
    (tmp_path / "assets" / "later.js").write_bytes(os.urandom(300_000))
    (tmp_path / "assets" / "a.js").write_bytes(os.urandom(1000))
    assert build_dashboard.too_large(tmp_path) == ""
    (tmp_path / "assets" / "a.js").write_bytes(os.urandom(300_000))
    assert "Load views with large libraries through lazy()" in build_dashboard.too_large(tmp_path)


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
