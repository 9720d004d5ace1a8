"""Local commands and shells end with the gateway, however it ends."""

import asyncio
import signal
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.support.openssh_server import running_openssh
from tests.support.serving import Serving, serving
from tests.support.terminals import a_nap, running, until

SECRET = "sk-secret-of-the-operator"
HIDING = "(setsid env -i setsid sleep {nap} &); setsid sleep {nap} & (sleep {nap} & exec env -i sleep {nap}) & "


async def post(served: Serving, path: str, body: dict[str, Any]) -> dict[str, Any]:
    answer = await served.http.post(path, json=body)
    assert answer.status_code < 300, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def with_everything(served: Serving, nap: str) -> "asyncio.Task[Any]":
    """A session that runs a command and has a shell, both with what hides; the request for the command."""
    session = (await post(served, "/v1/terminal/sessions", {"type": "local"}))["session"]["id"]
    command = {"command": f"{HIDING.format(nap=nap)} trap '' TERM; sleep {nap}", "timeoutMs": 60_000}
    work = asyncio.ensure_future(served.http.post(f"/v1/terminal/{session}/execute", json=command))
    await post(served, f"/v1/terminal/{session}/send", {"data": f"{HIDING.format(nap=nap)} sleep {nap}\n"})
    await until(lambda: len([one for one in running(nap) if one.name() == "sleep"]) >= 10, seconds=20)
    return work


def family(served: Serving) -> list[psutil.Process]:
    return psutil.Process(served.process.pid).children(recursive=True)


@pytest.mark.slow
@pytest.mark.parametrize("sandbox", ["off", "auto"])
async def test_nothing_outlives_a_gateway_that_is_killed(tmp_path: Path, sandbox: str) -> None:
    nap = a_nap()
    folder = tmp_path / "temporary"
    folder.mkdir()
    async with serving(tmp_path / "data", TERMINAL_SANDBOX=sandbox, TMPDIR=str(folder)) as served:
        work = await with_everything(served, nap)
        processes = family(served)
        assert processes
        await served.kill()
        await asyncio.wait({work})
        assert work.exception() is not None
        await until(lambda: not running(nap), seconds=10)
        await until(lambda: not any(one.is_running() for one in processes), seconds=10)
    assert not list(folder.iterdir())


@pytest.mark.slow
async def test_no_ssh_command_outlives_a_gateway_that_is_killed(tmp_path: Path) -> None:
    nap = a_nap()
    home = tmp_path / "home"
    home.mkdir()
    with running_openssh(tmp_path / "sshd", home) as host:
        async with serving(tmp_path / "data") as served:
            target = {
                "type": "ssh",
                "host": "127.0.0.1",
                "port": host.port,
                "username": host.username,
                "privateKey": host.private_key.get_secret_value(),
            }
            session = (await post(served, "/v1/terminal/sessions", target))["session"]["id"]
            command = {"command": f"setsid sleep {nap} & trap '' TERM; sleep {nap}; sleep {nap}", "stdin": "text"}
            work = asyncio.ensure_future(served.http.post(f"/v1/terminal/{session}/execute", json=command))
            await until(lambda: len([one for one in running(nap) if one.name() == "sleep"]) >= 2, seconds=20)
            await served.kill()
            await asyncio.wait({work})
            assert work.exception() is not None
            await until(lambda: not running(nap), seconds=10)


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_a_gateway_without_a_grace_stops_at_once_with_all_that_runs(
    tmp_path: Path, number: signal.Signals
) -> None:
    nap = a_nap()
    async with serving(tmp_path / "data", SHUTDOWN_GRACE="0") as served:
        work = await with_everything(served, nap)
        processes = family(served)
        served.process.send_signal(number)
        async with asyncio.timeout(4):  # less than requests get that are not about terminals
            assert await served.process.wait() == 0
        await asyncio.wait({work}, timeout=5)
        assert not running(nap)
        assert not any(one.is_running() for one in processes)


@pytest.mark.slow
async def test_no_key_of_the_operators_is_anywhere(tmp_path: Path) -> None:
    async with serving(tmp_path / "data", OPENAI_API_KEY=SECRET, TERMINAL_SANDBOX="off") as served:
        session = (await post(served, "/v1/terminal/sessions", {"type": "local"}))["session"]["id"]
        command = (
            "env; cat /proc/[0-9]*/environ 2>/dev/null | tr '\\0' '\\n' | grep -a SECRET_OF; cat /proc/[0-9]*/cmdline"
        )
        command = (
            command.replace("SECRET_OF", SECRET[:9]) + f"; cat /proc/{served.process.pid}/environ | tr '\\0' '\\n'"
        )
        result = (await post(served, f"/v1/terminal/{session}/execute", {"command": command}))["result"]
        assert SECRET not in result["stdout"]


@pytest.mark.slow
async def test_hundreds_of_sessions_leave_nothing(tmp_path: Path) -> None:
    async with serving(tmp_path / "data") as served:
        process = psutil.Process(served.process.pid)

        async def one(number: int) -> None:
            session = (await post(served, "/v1/terminal/sessions", {"type": "local"}))["session"]["id"]
            await post(served, f"/v1/terminal/{session}/execute", {"command": "sleep 100 & true"})
            if number % 3 == 0:
                await post(served, f"/v1/terminal/{session}/send", {"data": "setsid sleep 100 &\n"})
            assert (await served.http.delete(f"/v1/terminal/{session}")).status_code == 200

        await asyncio.gather(*(one(number) for number in range(6)))
        before = process.num_fds(), len(family(served))
        for start in range(0, 300, 6):
            await asyncio.gather(*(one(number) for number in range(start, start + 6)))
        await until(lambda: len(family(served)) <= before[1], seconds=10)
        assert not [one for one in family(served) if one.status() == psutil.STATUS_ZOMBIE]
        # The database opens up to one more connection under load, with a descriptor each for its file, log and index.
        await until(lambda: process.num_fds() <= before[0] + 4, seconds=10)


@pytest.mark.slow
async def test_health_says_which_sandbox_holds_commands(tmp_path: Path) -> None:
    async with serving(tmp_path / "data", TERMINAL_SANDBOX="off") as served:
        assert (await served.http.get("/health")).json()["sandbox"] == "none"
    async with serving(tmp_path / "data") as served:
        kind = (await served.http.get("/health")).json()["sandbox"]
        session = (await post(served, "/v1/terminal/sessions", {"type": "local"}))["session"]["id"]
        result = (await post(served, f"/v1/terminal/{session}/execute", {"command": "true"}))["result"]
        assert result["sandbox"] == kind
