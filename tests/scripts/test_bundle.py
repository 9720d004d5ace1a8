"""The bundle for Claude Desktop and the entry for the registry: by the rules of their formats, and in working order."""

import json
import re
import sys
import tomllib
import zipfile
from pathlib import Path
from typing import Any

import pytest

from scripts import bundle
from shared.settings import Settings
from tests.support.stdio_process import bare, stdio_process

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
FIELDS = {
    "manifest_version", "name", "display_name", "version", "description", "author", "license", "keywords", "server",
    "tools_generated", "prompts_generated", "compatibility", "user_config",
}  # fmt: skip
"""Fields of manifest 0.4 that we use; it takes no others than those it knows."""
INPUT = {"type", "title", "description", "required", "default", "multiple", "sensitive", "min", "max"}


@pytest.fixture
def unpacked(tmp_path: Path) -> Path:
    with zipfile.ZipFile(bundle.main(tmp_path / "dist")) as built:
        built.extractall(tmp_path / "unpacked")
    return tmp_path / "unpacked"


@pytest.fixture
def manifest(unpacked: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((unpacked / "manifest.json").read_text())
    return found


def test_the_manifest_keeps_to_its_format(manifest: dict[str, Any]) -> None:
    assert manifest.keys() == FIELDS
    assert manifest["manifest_version"] == "0.4"
    assert (manifest["name"], manifest["version"]) == (PROJECT["name"], PROJECT["version"])
    server = manifest["server"]
    assert server.keys() == {"type", "entry_point", "mcp_config"}
    assert server["type"] == "uv"
    assert server["mcp_config"].keys() == {"command", "args", "env"}
    assert all(isinstance(word, str) for word in server["mcp_config"]["args"])
    assert manifest["author"].keys() <= {"name", "email", "url"}
    for asked in manifest["user_config"].values():
        assert {"type", "title", "description"} <= asked.keys() <= INPUT


def test_what_the_user_is_asked_for_reaches_us(manifest: dict[str, Any]) -> None:
    env = manifest["server"]["mcp_config"]["env"]
    asked = {match[1] for value in env.values() if (match := re.fullmatch(r"\$\{user_config\.(\w+)\}", value))}
    assert asked == manifest["user_config"].keys()
    assert {name.lower() for name in env} <= Settings.model_fields.keys()
    assert all(asked["sensitive"] and asked["default"] == "" for asked in manifest["user_config"].values())


def test_the_versions_are_those_that_are_tested(unpacked: Path) -> None:
    pins = tomllib.loads((unpacked / "pyproject.toml").read_text())["tool"]["uv"]["constraint-dependencies"]
    assert all("==" in pin for pin in pins)
    assert any(pin.startswith("mcp==") for pin in pins)


async def test_what_is_in_it_is_all_it_takes(unpacked: Path, manifest: dict[str, Any], tmp_path: Path) -> None:
    assert (unpacked / manifest["server"]["entry_point"]).is_file()
    assert not list(unpacked.rglob("*.pyc"))
    environ = bare(tmp_path, PYTHONPATH=str(unpacked), **dict.fromkeys(manifest["server"]["mcp_config"]["env"], ""))
    async with stdio_process(environ, command=(sys.executable, "-m", "mcp_gateway", "stdio")) as host:
        await host.shake_hands()
        assert not (await host.ask("tools/call", {"name": "list_models", "arguments": {}})).get("isError")


def test_the_registry_gets_what_it_asks_for() -> None:
    entry = json.loads((ROOT / "server.json").read_text())
    assert re.fullmatch(r"[a-zA-Z0-9.-]+/[a-zA-Z0-9._-]+", entry["name"])
    assert 0 < len(entry["description"]) <= 100
    (package,) = entry["packages"]
    assert entry["version"] == package["version"] == PROJECT["version"]
    assert package["identifier"] == PROJECT["name"]
    assert package["transport"] == {"type": "stdio"}
    assert PROJECT["name"] in PROJECT["scripts"], "uvx runs the command that has the package's name"
    assert [argument["value"] for argument in package["packageArguments"]] == ["stdio"]
    assert {variable["name"].lower() for variable in package["environmentVariables"]} <= Settings.model_fields.keys()
    readme = (ROOT / "README.md").read_text()
    assert f"mcp-name: {entry['name']}" in readme, "the registry looks for it there"
