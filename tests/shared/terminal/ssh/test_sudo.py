"""Commands by sudo over OpenSSH: the stored password goes to sudo's prompt and is nowhere else.

The server sees accounts and sudo rules of its own, mounted over those of this machine in its mount namespace alone.
"""

import os
import shutil
import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.support.http_gateway import Surface, surface
from tests.support.http_stack import error_of
from tests.support.mcp_stack import client_of, facts_of
from tests.support.openssh_server import OpenSsh, running_openssh
from tests.support.terminals import a_nap, running, until

pytestmark = pytest.mark.slow

PASSWORD = "sesame-4711-xyzzy"
RULES = """
Defaults !lecture
asked ALL=(ALL) ALL
strange ALL=(ALL) ALL
Defaults:strange rootpw
free ALL=(ALL) NOPASSWD: ALL
"""
USERS = {"asked": 64001, "free": 64002, "barred": 64003, "strange": 64004}
OVERLAY = 'for f in passwd shadow sudoers; do mount --bind "$0/$f" /etc/$f || exit 1; done; exec "$@"'


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OpenSsh]:
    """OpenSSH with users of one password: sudo asks one for it, and one not; one may not use it, of one it wants another."""
    if os.getuid() != 0 or any(shutil.which(name) is None for name in ("sudo", "unshare", "openssl")):
        pytest.skip("it needs root, sudo, unshare and openssl")
    folder = tmp_path_factory.mktemp("host")
    hashed = subprocess.run(["openssl", "passwd", "-6", PASSWORD], capture_output=True, text=True, check=True).stdout
    for name, mode, more in (
        ("passwd", 0o644, "".join(f"{user}:x:{uid}:65534::/tmp:/bin/sh\n" for user, uid in USERS.items())),
        ("shadow", 0o600, "".join(f"{user}:{hashed.strip()}:19000:0:99999:7:::\n" for user in USERS)),
    ):
        (folder / name).write_text(Path("/etc", name).read_text().rstrip("\n") + "\n" + more)
        (folder / name).chmod(mode)
    (folder / "sudoers").write_text(RULES)
    (folder / "sudoers").chmod(0o440)
    by = ["unshare", "-m", "sh", "-c", OVERLAY, str(folder)]
    if subprocess.run([*by, "sudo", "-l", "-U", "asked"], capture_output=True, check=False).returncode != 0:
        pytest.skip("accounts cannot be mounted over those of this machine")
    match = "".join(f"Match User {user}\n  PasswordAuthentication yes\n" for user in USERS)
    with running_openssh(folder / "sshd", Path("/tmp"), more=match, by=by) as server:
        yield server


@asynccontextmanager
async def connected(folder: Path, host: OpenSsh, user: str = "asked", **settings: Any) -> AsyncIterator[Surface]:
    """A gateway with a saved connection to the host."""
    async with surface(folder, **settings) as made:
        login = {"host": "127.0.0.1", "port": host.port, "username": user, "password": PASSWORD}
        saved = await made.http.post("/v1/terminal/connections", json={"name": "host", "type": "ssh", **login})
        assert saved.is_success, saved.text
        yield made


async def session(made: Surface) -> str:
    opened = await made.http.post("/v1/terminal/sessions", json={"connectionId": "host", "record": True})
    assert opened.status_code == 201, opened.text
    return f"/v1/terminal/{opened.json()['session']['id']}"


async def as_root(made: Surface, path: str, command: str, **more: Any) -> dict[str, Any]:
    answer = await made.http.post(f"{path}/execute", json={"command": command, "sudo": True, **more})
    assert answer.is_success, answer.text
    result: dict[str, Any] = answer.json()["result"]
    return result


@pytest.mark.parametrize("user", ["asked", "free"])
async def test_a_command_runs_as_root_and_its_input_is_its_own(tmp_path: Path, host: OpenSsh, user: str) -> None:
    async with connected(tmp_path, host, user) as made:
        path = await session(made)
        await made.http.post(f"{path}/execute", json={"command": "cd /usr; export MINE=1"})
        found = await as_root(made, path, 'id -u; pwd; echo "[$MINE]"; cat; exit 3', stdin="one\ntwo\n")
        assert (found["stdout"], found["stderr"], found["exitCode"]) == ("0\n/usr\n[]\none\ntwo\n", "", 3)
        await as_root(made, path, "cd /; export LATER=1")
        after = await made.http.post(f"{path}/execute", json={"command": 'id -un; pwd; echo "[$LATER$MINE]"'})
        assert after.json()["result"]["stdout"] == f"{user}\n/usr\n[1]\n"
        assert (await as_root(made, path, "cat"))["stdout"] == ""


async def test_the_password_is_nowhere(tmp_path: Path, host: OpenSsh) -> None:
    async with connected(tmp_path / "data", host) as made:
        path = await session(made)
        look = "grep -laF -f - /proc/[0-9]*/cmdline /proc/[0-9]*/environ 2>/dev/null; set; export; ps -ef; history"
        found = await as_root(made, path, look, stdin=PASSWORD)
        assert "/proc" not in found["stdout"].partition("\n")[0]
        await made.http.post(f"{path}/send", json={"data": "true\n", "wait": {"for": "prompt"}})
        audit = (await made.http.get("/v1/audit")).text
        assert '"sudo":true' in audit
        await made.http.delete(path)
        kept = "".join(file.read_text(errors="replace") for file in (tmp_path / "data").rglob("*") if file.is_file())
        assert PASSWORD not in found["stdout"] + found["stderr"] + audit + kept


@pytest.mark.parametrize(
    ("user", "why"),
    [("barred", "barred is not in the sudoers file"), ("strange", "does not accept the stored password")],
)
async def test_what_sudo_refuses_is_said(tmp_path: Path, host: OpenSsh, user: str, why: str) -> None:
    async with connected(tmp_path, host, user) as made:
        path = await session(made)
        refused = await made.http.post(f"{path}/execute", json={"command": "id", "sudo": True})
        assert error_of(refused)["code"] == "sudo_refused"
        assert why in error_of(refused)["error"]
        assert PASSWORD not in refused.text
        after = await made.http.post(f"{path}/execute", json={"command": "id -un"})
        assert after.json()["result"]["stdout"] == f"{user}\n"


async def test_a_later_command_does_not_inherit_it(tmp_path: Path, host: OpenSsh) -> None:
    async with connected(tmp_path, host) as made:
        path = await session(made)
        await as_root(made, path, "true")
        after = await made.http.post(f"{path}/execute", json={"command": "sudo -n id"})
        assert after.json()["result"]["exitCode"] != 0


@pytest.mark.parametrize("how", ["time-out", "close"])
async def test_a_command_that_does_not_end_is_ended_with_its_children(tmp_path: Path, host: OpenSsh, how: str) -> None:
    nap = a_nap()
    async with connected(tmp_path, host) as made:
        path = await session(made)
        command = f"sleep {nap} & setsid sleep {nap} & sleep {nap}"
        if how == "time-out":
            found = await as_root(made, path, command, timeoutMs=1500)
            assert found["timedOut"] is True
        else:
            await as_root(made, path, f"setsid sleep {nap} >/dev/null 2>&1 </dev/null & echo begun")
            await until(lambda: running(nap))
            await made.http.delete(path)
        await until(lambda: not running(nap))


async def test_a_single_command_runs_as_root(tmp_path: Path, host: OpenSsh) -> None:
    async with connected(tmp_path, host) as made:
        body = {"command": "id -u; cat", "stdin": "in", "connectionId": "host", "sudo": True}
        ran = await made.http.post("/v1/terminal/execute", json=body)
        assert ran.json()["result"]["stdout"] == "0\nin"


async def test_a_model_runs_a_command_as_root(tmp_path: Path, host: OpenSsh) -> None:
    async with connected(tmp_path, host) as made, client_of(made.gateway) as client:
        found = facts_of(
            await client.call_tool("run_command", {"command": "id -u", "connection": "host", "sudo": True})
        )
        assert found["stdout"] == "0\n"


@pytest.mark.parametrize("denied", ["sudo", "id"])
async def test_a_policy_judges_it_as_a_command_by_sudo(tmp_path: Path, host: OpenSsh, denied: str) -> None:
    async with connected(tmp_path, host) as made:
        path = await session(made)
        rule = {"action": "deny", "commands": [denied], "reason": "not here"}
        policy = {"policies": [{"name": "p", "rules": [rule]}]}
        assert (await made.http.put("/v1/terminal/policy", json={"policy": policy})).is_success
        refused = await made.http.post(f"{path}/execute", json={"command": "id", "sudo": True})
        assert error_of(refused)["code"] == "command_denied"


async def test_who_approves_it_sees_that_it_runs_by_sudo(tmp_path: Path, host: OpenSsh) -> None:
    async with connected(tmp_path, host) as made:
        path = await session(made)
        policy = {"policies": [{"name": "p", "rules": [{"action": "confirm", "commands": ["id"]}]}]}
        assert (await made.http.put("/v1/terminal/policy", json={"policy": policy})).is_success
        asked = error_of(await made.http.post(f"{path}/execute", json={"command": "id -u", "sudo": True}))
        assert asked["details"]["command"] == "sudo -- sh -c 'id -u'"
        approval = asked["details"]["approvalId"]
        await made.http.post(f"/v1/approvals/{approval}", json={"decision": "approve"})
        other = await made.http.post(f"{path}/execute", json={"command": "id -u", "approvalId": approval})
        assert error_of(other)["code"] == "approval_mismatch"
        assert (await as_root(made, path, "id -u", approvalId=approval))["stdout"] == "0\n"


async def test_elsewhere_it_is_refused(tmp_path: Path) -> None:
    async with surface(tmp_path) as made:
        opened = await made.http.post("/v1/terminal/sessions", json={"type": "local"})
        path = f"/v1/terminal/{opened.json()['session']['id']}/execute"
        refused = await made.http.post(path, json={"command": "id", "sudo": True})
        assert (refused.status_code, error_of(refused)["code"]) == (400, "unsupported")
        alone = await made.http.post("/v1/terminal/execute", json={"command": "id", "sudo": True})
        assert (alone.status_code, error_of(alone)["code"]) == (400, "unsupported")
