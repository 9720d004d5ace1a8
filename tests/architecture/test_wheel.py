"""The wheel holds what the gateway needs and nothing else, and works from where it is installed."""

import email
import importlib.util
import json
import os
import subprocess
import sys
import tomllib
import zipfile
from email.message import Message
from pathlib import Path

import pytest

from http_api.dashboard.routes import DIST as DASHBOARD

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
PACKAGES = ("shared", "mcp_gateway", "http_api")
DATA_SUFFIXES = {".py", ".typed", ".json", ".mako", ".html", ".css", ".js", ".svg", ".bin", ".md"}
LARGEST_FILE = 500_000
SECONDS = 120

FROM_THE_WHEEL = """
import asyncio, json, os, sys

import httpx

import http_api, mcp_gateway, shared
from http_api.app import create_app
from shared.gateway import open_gateway
from shared.setting_sources import load_settings

async def main():
    settings = load_settings({"DATA_DIR": sys.argv[1], "EMBEDDED_MODEL": "off", "OSS_DISCOVERY": "false"})
    app = create_app(lambda: open_gateway(settings))
    async with app.opened():
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:3000") as client:
            models = (await client.get("/v1/models")).raise_for_status().json()["data"]
            page = (await client.get("/docs")).raise_for_status().text
            (await client.get("/dashboard/")).raise_for_status()
    print(json.dumps({
        "places": [package.__file__ for package in (http_api, mcp_gateway, shared)],
        "models": [model["id"] for model in models],
        "page": page,
    }))

asyncio.run(main())
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A wheel of this checkout; without the build back end here, it is built in an environment of its own."""
    folder = tmp_path_factory.mktemp("wheel")
    here = ["--no-isolation"] if importlib.util.find_spec("hatchling") else []
    run([sys.executable, "-m", "build", "--wheel", *here, "--outdir", str(folder), str(ROOT)], cwd=folder)
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that holds nothing but the installed wheel."""
    folder = tmp_path_factory.mktemp("installed")
    install = ["install", "--no-deps", "--no-index", "--no-compile", "--target", str(folder), str(wheel)]
    run([sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet", *install], cwd=folder)
    return folder


def run(command: list[str], *, cwd: Path, path: Path | None = None) -> str:
    """What a command prints. It finds the packages in `path` before those of this checkout."""
    environ = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "COVERAGE"))}
    if path is not None:
        environ["PYTHONPATH"] = str(path)
    done = subprocess.run(command, cwd=cwd, env=environ, capture_output=True, text=True, timeout=SECONDS, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def project() -> dict[str, object]:
    found: dict[str, object] = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    return found


def split(wheel: Path) -> tuple[dict[str, int], dict[str, str]]:
    """The sizes of the wheel's own files, and the texts of what it says about itself."""
    with zipfile.ZipFile(wheel) as archive:
        entries = [entry for entry in archive.infolist() if not entry.is_dir()]
        own = {entry.filename: entry.file_size for entry in entries if ".dist-info/" not in entry.filename}
        about = {
            entry.filename.split(".dist-info/")[1]: archive.read(entry).decode()
            for entry in entries
            if ".dist-info/" in entry.filename
        }
    return own, about


def test_it_holds_the_files_of_the_three_packages_and_nothing_else(wheel: Path) -> None:
    own, _ = split(wheel)
    wanted = {
        path.relative_to(ROOT).as_posix()
        for package in PACKAGES
        for path in (ROOT / package).rglob("*")
        if path.is_file() and path.suffix in DATA_SUFFIXES and "__pycache__" not in path.parts
    }
    assert set(own) == wanted


def test_it_holds_what_the_gateway_reads_at_run_time(wheel: Path) -> None:
    own, _ = split(wheel)
    migrations = "shared/storage/migrations"
    needed = {
        f"{migrations}/env.py",
        f"{migrations}/script.py.mako",
        f"{migrations}/versions/0001_first_schema.py",
        "shared/registry/seed_models.json",
        "http_api/static/docs.html",
        "http_api/static/docs.css",
        "http_api/static/docs.js",
        *(["http_api/dashboard/dist/index.html"] if DASHBOARD.is_dir() else []),
        *(f"{package}/py.typed" for package in PACKAGES),
    }
    assert needed - set(own) == set()


def test_it_holds_nothing_large_and_nothing_hidden(wheel: Path) -> None:
    own, _ = split(wheel)
    assert {name: size for name, size in own.items() if size > LARGEST_FILE} == {}
    assert [name for name in own if any(part.startswith(".") for part in name.split("/"))] == []


def test_it_says_what_it_is(wheel: Path) -> None:
    _, about = split(wheel)
    metadata: Message = email.message_from_string(about["METADATA"])
    facts = project()
    assert metadata["Name"] == facts["name"] == "ai-mcp-gateway"
    assert metadata["Version"] == facts["version"]
    assert metadata["Requires-Python"] == facts["requires-python"]
    assert metadata["License-Expression"] == "MIT"
    assert metadata.get_all("License-File") == ["LICENSE"]
    assert about["licenses/LICENSE"] == (ROOT / "LICENSE").read_text("utf-8")
    assert set(metadata.get_all("Provides-Extra") or []) == {"local", "otel", "postgres"}
    assert "mcp-gateway = mcp_gateway.cli:main" in about["entry_points.txt"].splitlines()


def test_the_installed_command_says_its_version_and_its_commands(installed: Path, tmp_path: Path) -> None:
    command = str(installed / "bin" / "mcp-gateway")
    assert run([command, "--version"], cwd=tmp_path, path=installed).strip() == f"mcp-gateway {project()['version']}"
    text = run([command, "--help"], cwd=tmp_path, path=installed)
    assert [name for name in ("serve", "stdio", "doctor", "models", "chat", "run") if name not in text] == []


def test_the_installed_gateway_finds_its_migrations_seed_and_pages(installed: Path, tmp_path: Path) -> None:
    data = tmp_path / "data"
    found = json.loads(run([sys.executable, "-c", FROM_THE_WHEEL, str(data)], cwd=tmp_path, path=installed))
    assert {Path(place).parents[1] for place in found["places"]} == {installed}
    seed = json.loads((ROOT / "shared/registry/seed_models.json").read_text("utf-8"))["models"]
    assert {model["id"] for model in seed} - set(found["models"]) == set()
    assert len(seed) > 10
    assert "<title>" in found["page"]
    assert (data / "gateway.sqlite3").exists()
