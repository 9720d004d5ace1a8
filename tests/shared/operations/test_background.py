"""Commands that go on after the call, on a whole gateway."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from shared.domain.identity import LOCAL
from shared.domain.run_events import RunBegun
from shared.errors import InvalidInput, TerminalError, Unavailable
from shared.gateway import Gateway, open_gateway
from shared.operations import dispatch, terminals
from shared.operations.operation import Operation
from shared.operations.system import HEALTH
from shared.setting_sources import load_settings
from shared.terminal.keeper import confinement
from tests.support.terminals import a_nap, running, until


def settings(folder: Path, **more: str) -> Any:
    quiet = {"OSS_DISCOVERY": "false", "EMBEDDED_MODEL": "off", "LOG_LEVEL": "error"}
    return load_settings({"DATA_DIR": str(folder / "data"), **quiet, **more})


@pytest.fixture
async def gateway(tmp_path: Path) -> AsyncIterator[Gateway]:
    async with open_gateway(settings(tmp_path, TERMINAL_SANDBOX="off")) as gateway:
        yield gateway


async def call(gateway: Gateway, operation: Operation[Any, Any], **payload: Any) -> dict[str, Any]:
    answer = await dispatch.call(gateway, LOCAL, operation, payload)
    found: dict[str, Any] = answer.model_dump(mode="json")
    return found


async def begun(gateway: Gateway, command: str, **more: Any) -> str:
    """Started in the background; the id of its session."""
    answer = await call(gateway, terminals.RUN_COMMAND, command=command, background=True, **more)
    assert set(answer) == {"session"}
    return str(answer["session"]["id"])


async def until_ended(gateway: Gateway, session: str) -> dict[str, Any]:
    async with asyncio.timeout(10):
        while (found := (await call(gateway, terminals.GET_TERMINAL, id=session))["session"])["connected"]:
            await call(gateway, terminals.READ_TERMINAL, id=session, waitMs=1000)
    return found


async def test_it_is_read_by_cursor_and_tells_its_end(gateway: Gateway, tmp_path: Path) -> None:
    session = await begun(gateway, 'echo "$A in $PWD"; echo err >&2; exit 7', cwd=str(tmp_path), env={"A": "b"})
    found = await until_ended(gateway, session)
    assert (found["exitCode"], found["title"]) == (7, 'echo "$A in $PWD"; echo err >&2; exit 7')
    read = await call(gateway, terminals.READ_TERMINAL, id=session, cursor=0)
    assert "".join(read["output"]).splitlines() == [f"b in {tmp_path}", "err"]
    assert (await call(gateway, terminals.READ_TERMINAL, id=session, cursor=read["cursor"]))["output"] == []
    with pytest.raises(TerminalError, match="ended"):
        await call(gateway, terminals.SEND_TO_TERMINAL, id=session, data="x")


async def test_it_can_be_typed_to_and_killed(gateway: Gateway) -> None:
    nap = a_nap()
    session = await begun(gateway, f"read word; echo got-$word; setsid sleep {nap} & sleep {nap}")
    await call(gateway, terminals.SEND_TO_TERMINAL, id=session, data="it\n")
    await until(lambda: len(running(nap)) >= 3)
    seen = ""
    async with asyncio.timeout(10):
        while "got-it" not in seen:
            seen += "".join((await call(gateway, terminals.READ_TERMINAL, id=session, waitMs=1000))["output"])
    assert await call(gateway, terminals.CLOSE_TERMINAL, id=session) == {"success": True}
    assert not running(nap)


async def test_followers_are_told_the_session_and_it_goes_on_without_them(gateway: Gateway) -> None:
    nap = a_nap()
    payload = {"command": f"sleep {nap}", "background": True}
    async with dispatch.open_stream(gateway, LOCAL, terminals.RUN_COMMAND_EVENTS, payload) as events:
        (event,) = [event async for event in events]
    assert isinstance(event, RunBegun)
    assert running(nap)
    await gateway.terminals.close(LOCAL.id, event.session.id)


@pytest.mark.parametrize("more", [{"sessionId": "s"}, {"stdin": "x"}, {"timeoutSeconds": 5}, {"cwd": "/nonexistent"}])
async def test_what_does_not_go_with_it_is_refused(gateway: Gateway, more: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput, match=next(iter(more))):
        await begun(gateway, "true", **more)
    assert len(gateway.terminals) == 0


async def test_a_gateway_without_the_sandbox_that_is_required_does_not_open(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(confinement, "landlock_version", lambda: 0)
    with pytest.raises(Unavailable, match="TERMINAL_SANDBOX"):
        async with open_gateway(settings(tmp_path, TERMINAL_SANDBOX="required")):
            pass
    async with open_gateway(settings(tmp_path)) as gateway:
        assert (await call(gateway, HEALTH))["sandbox"] == "none"


async def test_writable_paths_and_network_are_settings(tmp_path: Path) -> None:
    try:
        async with open_gateway(
            settings(tmp_path, TERMINAL_WRITABLE_PATHS="., /dev/shm", TERMINAL_NETWORK="off")
        ) as gateway:
            (tmp_path / "work").mkdir()
            (tmp_path / "other").mkdir()
            answer = await call(
                gateway, terminals.RUN_COMMAND, command="touch here; touch ../other/x", cwd=str(tmp_path / "work")
            )
            if gateway.sandbox.kind == "none":
                pytest.skip(gateway.sandbox.detail)
            assert answer["result"]["exitCode"] != 0
            assert (tmp_path / "work" / "here").exists()
            assert not list((tmp_path / "other").iterdir())
            assert not gateway.sandbox.rules.network
    except Unavailable as error:
        pytest.skip(error.message)
