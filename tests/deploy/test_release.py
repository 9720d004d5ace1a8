"""A release installs from its hashes into a clean environment, runs there, and says what is in it."""

import hashlib
import json
import subprocess
import tarfile
from importlib import metadata
from pathlib import Path

import pytest

from scripts import dist
from tests.deploy.conftest import Release
from tests.support.serving import serving

pytestmark = pytest.mark.slow


async def test_the_clean_installation_serves_runs_commands_and_says_its_version(
    release: Release, tmp_path: Path
) -> None:
    version = dist.project()["version"]
    said = subprocess.run([release.command, "--version"], capture_output=True, text=True, check=True, timeout=60)
    assert said.stdout == f"mcp-gateway {version}\n"
    program = [str(release.command)]
    async with serving(tmp_path / "data", program=program, PYTHONPATH="", TERMINAL_SANDBOX="off") as gateway:
        assert f"AI MCP Gateway {version} is ready." in gateway.said
        assert (await gateway.http.get("/readyz")).status_code == 200
        models = (await gateway.http.get("/v1/models")).json()["data"]
        assert len(models) > 10
        ran = (await gateway.http.post("/v1/terminal/execute", json={"command": "echo $((6 * 7))"})).json()
        assert ran["result"]["stdout"] == "42\n"


def test_the_checksums_are_those_of_all_files(release: Release) -> None:
    rows = [line.split("  ") for line in release.file("SHA256SUMS").read_text().splitlines()]
    files = {path.name: path for path in release.folder.iterdir() if path.name != "SHA256SUMS"}
    assert {name for _, name in rows} == files.keys()
    assert [name for digest, name in rows if hashlib.sha256(files[name].read_bytes()).hexdigest() != digest] == []
    assert len(rows) == 3


def test_the_sdist_holds_what_the_tests_and_the_deployment_need(release: Release) -> None:
    with tarfile.open(release.file("*.tar.gz")) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    needed = {"pyproject.toml", "requirements/run.txt", "constraints.txt", "LICENSE", "README.md", "tests/conftest.py"}
    assert needed - names == set()
    assert [name for name in names if name.startswith((".venv", "dist", ".git/"))] == []


def test_the_bill_of_materials_lists_what_is_installed(release: Release) -> None:
    bill = json.loads(release.file("*.cdx.json").read_text())
    assert (bill["bomFormat"], bill["specVersion"]) == ("CycloneDX", "1.6")
    listed = {item["name"]: item["version"] for item in bill["components"]}
    (site,) = release.command.parents[1].glob("lib/python*/site-packages")
    installed = {found.name: found.version for found in metadata.distributions(path=[str(site)])}
    root = bill["metadata"]["component"]
    assert installed.pop("ai-mcp-gateway") == root["version"]
    assert listed == installed
    assert len(listed) > 50
    (digest,) = root["hashes"]
    assert digest["content"] == hashlib.sha256(release.file("*.whl").read_bytes()).hexdigest()


def test_the_bill_of_materials_names_licences_and_dependencies(release: Release) -> None:
    bill = json.loads(release.file("*.cdx.json").read_text())
    parts = {item["name"]: item for item in bill["components"]}
    assert parts["starlette"]["purl"].startswith("pkg:pypi/starlette@")
    assert parts["starlette"]["licenses"][0]["license"]["id"] == "BSD-3-Clause"
    unknown = [name for name, item in parts.items() if "licenses" not in item]
    assert len(unknown) < len(parts) / 4, unknown
    graph = {entry["ref"]: entry.get("dependsOn", []) for entry in bill["dependencies"]}
    direct = graph[bill["metadata"]["component"]["bom-ref"]]
    assert {parts["starlette"]["bom-ref"], parts["psycopg"]["bom-ref"]} <= set(direct)
    assert set(graph) >= {item["bom-ref"] for item in parts.values()}
