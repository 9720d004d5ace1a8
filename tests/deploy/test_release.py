"""A release installs from its hashes into a clean environment, runs there, and says what is in it."""

import asyncio
import hashlib
import json
import plistlib
import re
import shutil
import subprocess
import tarfile
from importlib import metadata
from pathlib import Path

import httpx
import pytest

from scripts import dist
from tests.deploy.conftest import Release
from tests.deploy.machine import Machine, machine
from tests.support.ports import free_port
from tests.support.serving import serving

pytestmark = pytest.mark.slow

DEPLOY = Path(__file__).parents[2] / "deploy"
PASSWORD = "correct horse battery staple"
QUIET = {"OSS_DISCOVERY": "false", "EMBEDDED_MODEL": "off"}


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
    needed = {"pyproject.toml", "requirements/run.txt", "constraints.txt", "LICENSE", "README.md", ".dockerignore"}
    needed |= {
        path.relative_to(DEPLOY.parent).as_posix()
        for path in DEPLOY.rglob("*")
        if path.is_file() and path.name != ".env"
    }
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


@pytest.fixture
def relocated(release: Release, tmp_path: Path) -> Path:
    """The clean environment as it is where the unit expects it: scripts begin with the path of their interpreter."""
    folder = tmp_path / "opt"
    shutil.copytree(release.command.parents[1], folder, symlinks=True, ignore=shutil.ignore_patterns("xllamacpp"))
    folder.chmod(0o755)
    script = folder / "bin" / "mcp-gateway"
    _, _, rest = script.read_text("utf-8").partition("\n")
    script.write_text(f"#!/opt/mcp-gateway/bin/python\n{rest}", "utf-8")
    return folder


async def test_the_systemd_unit_runs_it_confined_and_stops_it_in_order(relocated: Path, tmp_path: Path) -> None:
    port = free_port()
    environment = (
        f"API_PORT={port}\nADMIN_PASSWORD={PASSWORD}\nOSS_DISCOVERY=false\nEMBEDDED_MODEL=off\nAUTH_MODE=required\n"
    )
    booted = machine(
        tmp_path,
        unit=DEPLOY / "mcp-gateway.service",
        sysusers=DEPLOY / "mcp-gateway.sysusers",
        program=relocated,
        environment=environment,
    )
    with booted as inside:
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", trust_env=False, timeout=30) as client:
            await ready(client, inside)
            login = await client.post("/v1/auth/login", json={"username": "admin", "password": PASSWORD})
            client.headers["Authorization"] = f"Bearer {login.json()['token']}"
            ran = await client.post("/v1/terminal/execute", json={"command": "id -un; pwd; touch /etc/x /usr/x ~/mine"})
        result = ran.json()["result"]
        assert result["stdout"].splitlines() == ["mcp-gateway", "/var/lib/mcp-gateway/home"]
        assert result["stderr"].count("Read-only file system") == 2
        assert result["sandbox"] == ("bwrap" if shutil.which("bwrap") else "landlock")
        kept = inside.run(
            "stat", "--format=%U %a", "/var/lib/mcp-gateway/data", "/var/lib/mcp-gateway/data/gateway.sqlite3"
        )
        assert kept.splitlines() == ["mcp-gateway 700", "mcp-gateway 600"]
        main = inside.run("systemctl", "show", "--value", "--property=MainPID", "mcp-gateway")
        status = inside.run("cat", f"/proc/{main}/status")
        assert re.search(r"^NoNewPrivs:\s+1$", status, re.MULTILINE)
        assert re.search(r"^CapBnd:\s+0+$", status, re.MULTILINE)
        inside.run("systemctl", "stop", "mcp-gateway")
        ended = inside.run("systemctl", "show", "--property=Result,ExecMainStatus,ActiveState", "mcp-gateway")
        assert set(ended.splitlines()) == {"Result=success", "ExecMainStatus=0", "ActiveState=inactive"}


async def ready(client: httpx.AsyncClient, process: asyncio.subprocess.Process | Machine) -> None:
    """Wait until the gateway answers; fails at once when it has ended."""
    for _ in range(300):
        try:
            if (await client.get("/readyz")).status_code == 200:
                return
        except httpx.TransportError:
            await asyncio.sleep(0.1)
        if isinstance(process, Machine):
            state = process.run("systemctl", "show", "--value", "--property=Result", "mcp-gateway")
            assert state == "success", process.run("cat", "/var/log/mcp-gateway", check=False)
        else:
            assert process.returncode is None
    raise TimeoutError("the gateway did not answer")


async def test_the_launchd_agent_runs_the_gateway_and_writes_its_log(release: Release, tmp_path: Path) -> None:
    agent = plistlib.loads((DEPLOY / "io.github.ai-mcp-gateway.plist").read_bytes())
    assert agent["Label"] == "io.github.ai-mcp-gateway"
    assert agent["KeepAlive"] == {"SuccessfulExit": False}
    assert agent["Umask"] == 0o077
    log, port = tmp_path / "Library" / "Logs" / "mcp-gateway.log", free_port()
    log.parent.mkdir(parents=True)
    environ = {**agent["EnvironmentVariables"], "HOME": str(tmp_path), "API_PORT": str(port), **QUIET}
    environ["PATH"] = f"{release.command.parent}:{environ['PATH']}"
    process = await asyncio.create_subprocess_exec(*agent["ProgramArguments"], env=environ, cwd="/")
    try:
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", trust_env=False, timeout=30) as client:
            await ready(client, process)
    finally:
        process.terminate()
        await asyncio.wait_for(process.wait(), 60)
    assert process.returncode == 0
    assert "is ready." in log.read_text("utf-8")
