"""The image: linted, and where one was built, run as its configuration says, by its user, on a read-only root."""

import asyncio
import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.deploy.tools import tool
from tests.support.ports import free_port

ROOT = Path(__file__).parents[2]
DOCKERFILE = ROOT / "deploy" / "Dockerfile"
UID = 10001
NEEDS = ("buildah", "bwrap")
PASSWORD = "correct horse battery staple"


@dataclass(frozen=True)
class Mounted:
    """An image's files, and how it says that it is run."""

    root: Path
    config: dict[str, Any]


@pytest.fixture(scope="module")
def image() -> Iterator[Mounted]:
    """The image that GATEWAY_IMAGE names, mounted."""
    name = os.environ.get("GATEWAY_IMAGE", "")
    if not name:
        pytest.skip("GATEWAY_IMAGE names no image: make image, then GATEWAY_IMAGE=ai-mcp-gateway make test TESTS=…")
    if os.geteuid() != 0 or sys.platform != "linux" or not all(map(shutil.which, NEEDS)):
        pytest.skip("running an image here needs root, buildah and bwrap")
    container = output("buildah", "from", name)
    try:
        inspected = json.loads(output("buildah", "inspect", "--type", "image", name))
        yield Mounted(Path(output("buildah", "mount", container)), inspected["Docker"]["config"])
    finally:
        output("buildah", "rm", container)


def output(*command: str) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=120).stdout.strip()


def inside(image: Mounted, data: Path, port: int) -> list[str]:
    """The command that runs something in the image: nothing but /data, /tmp and the home directory can be written."""
    user, _, group = image.config["User"].partition(":")
    environ = dict(entry.split("=", 1) for entry in image.config["Env"])
    environ |= {"API_PORT": str(port), "ADMIN_PASSWORD": PASSWORD, "OSS_DISCOVERY": "false", "EMBEDDED_MODEL": "off"}
    places = ["--ro-bind", str(image.root), "/", "--bind", str(data), "/data", "--proc", "/proc", "--dev", "/dev"]
    passing = ["--perms", "1777", "--tmpfs", "/tmp", "--perms", "1777", "--tmpfs", image.config["WorkingDir"]]
    names = [word for name, value in environ.items() for word in ("--setenv", name, value)]
    drop = ["setpriv", f"--reuid={user}", f"--regid={group}", "--clear-groups", "--no-new-privs", "--bounding-set=-all"]
    return [
        *("bwrap", *places, *passing, "--unshare-pid", "--die-with-parent", "--clearenv", *names),
        *("--chdir", image.config["WorkingDir"], *drop),
    ]


@asynccontextmanager
async def running(image: Mounted, data: Path, port: int) -> AsyncIterator[httpx.AsyncClient]:
    command = [*inside(image, data, port), *image.config["Entrypoint"], *image.config["Cmd"]]
    process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE, stderr=None)
    try:
        assert process.stdout is not None
        async with asyncio.timeout(60):
            while b"curl" not in (line := await process.stdout.readline()):
                assert line, "it ended before it was ready"
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", trust_env=False, timeout=30) as client:
            yield client
    finally:
        if process.returncode is None:
            process.terminate()
        await asyncio.wait_for(process.wait(), 60)


def test_the_dockerfile_passes_its_linter() -> None:
    done = subprocess.run([tool("hadolint"), DOCKERFILE], capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_build_copies_each_package_and_sees_nothing_else() -> None:
    text = DOCKERFILE.read_text("utf-8")
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    packages = project["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]
    copied = {
        source for line in re.findall(r"^COPY (?!--from)(.+) \S+$", text, re.MULTILINE) for source in line.split()
    }
    allowed = {line[1:] for line in (ROOT / ".dockerignore").read_text("utf-8").splitlines() if line.startswith("!")}
    assert copied == allowed
    assert set(packages) <= copied
    assert (ROOT / ".dockerignore").read_text("utf-8").startswith("*\n")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("owner", "mode", "place"), [(UID, 0o700, "/data"), (0, 0o2777, "/data/node")], ids=["volume", "kubernetes"]
)
async def test_the_image_serves_as_its_user_on_a_read_only_root(
    image: Mounted, tmp_path: Path, owner: int, mode: int, place: str
) -> None:
    assert image.config["User"] == f"{UID}:{UID}"
    image = replace(image, config={**image.config, "Env": [*image.config["Env"], f"DATA_DIR={place}"]})
    data, port = tmp_path / "data", free_port()
    data.mkdir()
    os.chown(data, owner, UID)
    data.chmod(mode)
    for parent in (tmp_path, *tmp_path.parents[:2]):
        parent.chmod(parent.stat().st_mode | 0o011)
    async with running(image, data, port) as client:
        assert (await client.get("/readyz")).status_code == 200
        assert (await client.get("/v1/models")).status_code == 401, "it listens beyond loopback, so it asks who calls"
        login = await client.post("/v1/auth/login", json={"username": "admin", "password": PASSWORD})
        client.headers["Authorization"] = f"Bearer {login.json()['token']}"
        ran = await client.post("/v1/terminal/execute", json={"command": "id -u; touch /opt/x /data/x 2>&1; pwd"})
        lines = ran.json()["result"]["stdout"].splitlines()
        assert lines[0] == str(UID)
        assert "/opt/x': Read-only file system" in ran.text
        assert lines[-1] == image.config["WorkingDir"]
        (kept,) = data.rglob("gateway.sqlite3")
        assert kept.stat().st_uid == UID
        assert probe(image, data, port) == 0
    assert probe(image, data, port) != 0


def probe(image: Mounted, data: Path, port: int) -> int:
    """The exit code of the image's health check."""
    kind, *command = image.config["Healthcheck"]["Test"]
    assert kind == "CMD"
    return subprocess.run(
        [*inside(image, data, port), *command], capture_output=True, check=False, timeout=30
    ).returncode
