"""What a command in the background must do, on this machine and on hosts over SSH: read, waited for, signalled, ended."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from mcp_gateway.calls import interaction
from tests.support.doors import McpDoor, Refused
from tests.support.stand import Stand, standing
from tests.support.terminals import a_nap, running, until

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def anyio_backend() -> tuple[str, dict[str, bool]]:
    """On uvloop, as `serve` has it."""
    return "asyncio", {"use_uvloop": True}


@pytest.fixture(scope="module")
async def stand(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stand]:
    async with standing(tmp_path_factory.mktemp("stand")) as made:
        yield made


class Background:
    """Commands that are begun through MCP on one kind of host, and read through either door."""

    def __init__(self, stand: Stand, place: dict[str, Any]) -> None:
        assert isinstance(stand.doors["mcp"], McpDoor)
        self.mcp: McpDoor = stand.doors["mcp"]
        self.rest: Any = stand.doors["rest"]
        self._where = {"connection": place["connection"]} if "connection" in place else {}

    async def begin(self, command: str, **more: Any) -> str:
        found = await self.mcp.call("run_command", command=command, background=True, **self._where, **more)
        assert found["exitCode"] is None
        return str(found["sessionId"])

    async def read(self, session: str, **wait: Any) -> dict[str, Any]:
        return await self.mcp.call("read_terminal", sessionId=session, **{"cursor": 0, "waitSeconds": 10, **wait})


@pytest.fixture(params=["local", "ssh", "openssh"])
async def background(request: pytest.FixtureRequest, stand: Stand) -> AsyncIterator[Background]:
    made = Background(stand, await stand.place(request.param))
    yield made
    for entry in await made.mcp.sessions():
        await made.mcp.close(entry["id"])


async def test_it_is_followed_to_its_end_and_exit_code(background: Background, tmp_path: Path) -> None:
    session = await background.begin(f"echo begun; until [ -e {tmp_path}/go ]; do sleep 0.02; done; echo ended; exit 5")
    first = await background.read(session, pattern="begun")
    assert (first["text"], first["connected"], first["exitCode"]) == ("begun\n", True, None)
    (tmp_path / "go").touch()
    last = await background.read(session, cursor=first["cursor"], waitFor="exit")
    assert (last["text"], last["waitEnded"], last["connected"], last["exitCode"]) == ("ended\n", "exit", False, 5)
    shown = await background.rest.call("GET", f"/{session}")
    assert (shown["session"]["exitCode"], shown["session"]["reason"]) == (5, "The command has ended.")


async def test_it_runs_where_it_is_told_and_on_a_terminal(background: Background, tmp_path: Path) -> None:
    (tmp_path / "it's here").mkdir()
    session = await background.begin('pwd; echo "$#"; tty >/dev/null && echo terminal', cwd=str(tmp_path / "it's here"))
    found = await background.read(session, waitFor="exit")
    assert found["text"] == f"{tmp_path}/it's here\n0\nterminal\n"


async def test_a_directory_that_is_not_there_is_refused_and_leaves_no_session(background: Background) -> None:
    with pytest.raises(Refused, match="no such directory"):
        await background.begin("true", cwd="/nonexistent")
    assert await background.mcp.sessions() == []


async def test_it_can_be_typed_to_and_interrupted(background: Background) -> None:
    session = await background.begin("read -r line; echo got $line; cat")
    answer = await background.mcp.send(session, keys="well<Enter>", pattern="^got well$", waitSeconds=10)
    assert answer["waitEnded"] == "matched"
    await background.mcp.send(session, keys="<C-c>", waitFor="exit", waitSeconds=10)
    assert (await background.read(session))["exitCode"] == 130


@pytest.mark.parametrize(("name", "code"), [("INT", 130), ("TERM", 143), ("KILL", 137)])
async def test_a_signal_ends_it_with_all_that_is_in_front(background: Background, name: str, code: int) -> None:
    nap = a_nap()
    session = await background.begin(f"sleep {nap}; exit 9" if name == "INT" else f"exec sleep {nap}")
    await until(lambda: any(found.name() == "sleep" for found in running(nap)))
    await background.rest.signal(session, name)
    found = await background.read(session, waitFor="exit")
    assert (found["connected"], found["exitCode"]) == (False, code)
    assert not running(nap)


async def test_one_that_says_nothing_is_not_asked_for_a_prompt(
    background: Background, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(interaction, "START_SECONDS", 300.0)
    session = await background.begin("read -r line; exec sleep 300")
    assert (await background.rest.call("GET", f"/{session}"))["session"]["background"] is True
    async with asyncio.timeout(20):
        await background.mcp.send(session, keys="<Enter>", waitFor="output", waitSeconds=5)
        ended = await background.mcp.send(session, signal="TERM", waitFor="exit", waitSeconds=10)
    assert (ended["waitEnded"], ended["exitCode"]) == ("exit", 143)


async def test_closing_ends_it_with_its_children(background: Background) -> None:
    nap = a_nap()
    session = await background.begin(f"sleep {nap} & setsid sleep {nap} & wait")
    await until(lambda: len([found for found in running(nap) if found.name() == "sleep"]) == 2)
    await background.mcp.close(session)
    await until(lambda: not running(nap))


async def test_what_has_ended_is_not_begun_again_by_typing(background: Background) -> None:
    session = await background.begin("echo once")
    await background.read(session, waitFor="exit")
    with pytest.raises(Refused) as ended:
        await background.mcp.send(session, keys="<Enter>")
    assert ended.value.code == "command_ended"
    assert (await background.read(session, waitSeconds=0))["text"] == "once\n"


async def test_nothing_of_it_is_left_on_the_host(background: Background, tmp_path: Path) -> None:
    before = set(Path("/tmp").glob("mcp-gateway-*"))
    session = await background.begin("printf '%s' \"$0\"; ls -d /proc/$$ >/dev/null")
    await background.read(session, waitFor="exit")
    await until(lambda: not set(Path("/tmp").glob("mcp-gateway-*")) - before)


async def test_telnet_has_no_background(stand: Stand) -> None:
    place = await stand.place("telnet")
    rest: Any = stand.doors["rest"]
    await rest.call("POST", "/connections", json={"name": "device", **place})
    with pytest.raises(Refused, match="send_to_terminal"):
        await Background(stand, {"connection": "device"}).begin("true")
