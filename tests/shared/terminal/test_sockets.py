"""Sockets by which a command could act outside of its sandbox: hidden for real, by bubblewrap."""

import os
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from secrets import token_hex
from tempfile import TemporaryDirectory

import pytest

from shared.domain.targets import LocalTarget
from shared.terminal.sandbox import Rules, Sandbox
from shared.terminal.sandbox_trial import find_sandbox
from shared.terminal.sockets import Sockets
from tests.support.terminals import make_sessions, opened

KEY = "key-0123456789abcdef"
CONNECT = "import socket, sys; socket.socket(socket.AF_UNIX).connect(sys.argv[1]); print('in')"


@contextmanager
def listening(path: Path) -> Iterator[Path]:
    path.parent.mkdir(parents=True, exist_ok=True)
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))
        server.listen()
        try:
            yield path
        finally:
            path.unlink()


async def bubblewrapped(**sockets: str) -> Sandbox:
    found = await find_sandbox("auto", Rules(sockets=Sockets(**sockets)))
    if found.kind != "bwrap":
        pytest.skip(found.detail)
    return found


async def reaches(sandbox: Sandbox, folder: Path, path: Path, owner: str = "local") -> bool:
    async with make_sessions(folder, sandbox=sandbox) as sessions, opened(sessions, owner=owner) as terminal:
        result = await terminal.run(f'{sys.executable} -I -S -c "{CONNECT}" {path}')
        return result.stdout == "in\n"


@pytest.fixture
def run_folder() -> Iterator[Path]:
    """A folder below /run, as services have them."""
    if not os.access("/run", os.W_OK):
        pytest.skip("only root may put a socket below /run")
    with TemporaryDirectory(dir="/run", prefix="mcp-gateway-test-") as folder:
        yield Path(folder)


async def test_what_listens_below_run_cannot_be_reached(tmp_path: Path, run_folder: Path) -> None:
    sandbox = await bubblewrapped()
    with listening(run_folder / "docker.sock") as path:
        assert not await reaches(sandbox, tmp_path, path)
        assert not await reaches(sandbox, tmp_path, Path("/var") / path.relative_to("/"))
        assert await reaches(Sandbox(), tmp_path, path)


async def test_hardly_anything_of_run_is_shown_and_names_still_resolve(tmp_path: Path, run_folder: Path) -> None:
    sandbox = await bubblewrapped()
    (run_folder / "secret").touch()
    async with make_sessions(tmp_path, sandbox=sandbox) as sessions, opened(sessions) as terminal:
        shown = await terminal.run("find /run -name 'mcp-gateway-test-*'; cat /etc/resolv.conf; touch /run/x")
        assert run_folder.name not in shown.stdout
        assert shown.stdout == Path("/etc/resolv.conf").read_text()
        assert "Read-only" in shown.stderr


async def test_a_folder_below_run_that_may_be_written_is_still_there(tmp_path: Path, run_folder: Path) -> None:
    found = await find_sandbox("auto", Rules(writable=(str(run_folder),)))
    if found.kind != "bwrap":
        pytest.skip(found.detail)
    async with make_sessions(tmp_path, sandbox=found) as sessions, opened(sessions) as terminal:
        assert (await terminal.run(f"touch {run_folder}/file")).exit_code == 0
    assert (run_folder / "file").exists()


@pytest.mark.parametrize("below_run", [True, False])
async def test_the_agent_of_the_gateways_user_is_for_that_user_alone(
    tmp_path: Path, run_folder: Path, below_run: bool
) -> None:
    with listening((run_folder if below_run else tmp_path / "a") / f"agent.{token_hex(4)}") as path:
        sandbox = await bubblewrapped(agent=str(path))
        assert await reaches(sandbox, tmp_path, path)
        assert not await reaches(sandbox, tmp_path, path, owner=KEY)


async def test_a_key_is_not_told_of_the_agent(tmp_path: Path) -> None:
    environ = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "SSH_AUTH_SOCK": "/agent"}
    async with make_sessions(tmp_path, environ=environ) as sessions:
        async with opened(sessions, owner=KEY) as terminal:
            assert (await terminal.run("echo ${SSH_AUTH_SOCK-none}")).stdout == "none\n"
        async with opened(sessions, owner="local") as terminal:
            assert (await terminal.run("echo ${SSH_AUTH_SOCK-none}")).stdout == "/agent\n"


async def test_sockets_of_containers_and_agents_in_the_home_are_hidden(tmp_path: Path) -> None:
    sandbox = await bubblewrapped(home=str(tmp_path))
    for name in (".docker/run/docker.sock", ".gnupg/S.gpg-agent", ".ssh/agent/s.1"):
        with listening(tmp_path / name) as path:
            assert not await reaches(sandbox, tmp_path, path), name


@pytest.mark.parametrize(("owner", "writable"), [("local", True), ("user-1", True), (KEY, False)])
async def test_a_key_makes_no_directory_writable_by_opening_a_session_in_it(
    tmp_path: Path, owner: str, writable: bool
) -> None:
    home, project = tmp_path / "home", tmp_path / "project"
    for folder in (home, project):
        folder.mkdir()
    found = await find_sandbox("auto", Rules(writable=("~", ".")))
    if found.kind == "none":
        pytest.skip(found.detail)
    async with (
        make_sessions(home, sandbox=found) as sessions,
        opened(sessions, LocalTarget(cwd=str(project)), owner=owner) as terminal,
    ):
        assert (await terminal.run("touch file")).exit_code == (0 if writable else 1)
        assert (await terminal.run("touch ~/file")).exit_code == 0
    assert (project / "file").exists() == writable


def test_no_session_makes_the_system_or_the_gateway_writable(tmp_path: Path) -> None:
    home, code, data = (tmp_path / name for name in ("homes/me", "code", "homes/me/data"))
    for folder in (home, code / "inner", data):
        folder.mkdir(parents=True)
    sandbox = Sandbox(kind="bwrap", rules=Rules(writable=(".",), protected=(str(code),), hidden=(str(data),)))
    for here in (
        "/",
        "/etc",
        "/usr/local",
        "/bin",
        "/var/log",
        code,
        code / "inner",
        data,
        home.parent,
        "/run",
        "/dev",
    ):
        assert sandbox.writable(str(home), str(here)) == (), here
    for here in (home, tmp_path / "homes/me", tmp_path.parent):
        expected = () if here == tmp_path.parent else (str(home),)
        assert sandbox.writable(str(home), str(here)) == expected
    other = tmp_path / "other"
    other.mkdir()
    assert sandbox.writable(str(home), str(other)) == (str(other),)
