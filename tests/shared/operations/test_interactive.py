"""Typing and waiting in one call, where the shell does not do as one hopes."""

import asyncio
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from shared.domain.identity import LOCAL
from shared.domain.targets import LocalTarget, TelnetTarget
from shared.errors import NotFound
from shared.operations import terminals as operations
from shared.terminal.sessions import Sessions
from tests.support.telnet_device import running_telnet_device
from tests.support.terminals import make_sessions
from tests.support.typist import Typist


@pytest.fixture
async def sessions(tmp_path: Path) -> AsyncIterator[Sessions]:
    async with make_sessions(tmp_path) as made:
        yield made


async def test_the_first_prompt_is_waited_for_within_the_time_given(sessions: Sessions) -> None:
    async with running_telnet_device(b"") as device, asyncio.timeout(4):
        session = await sessions.open("local", TelnetTarget(host="127.0.0.1", port=device.port))
        typist = Typist(sessions, session.id)
        answer = await typist.send(data="hello\n", wait={"for": "prompt", "timeoutMs": 300})
        assert answer["reason"] == "timeout"
        await device.got(b"hello\r\n")
        assert (await typist.until(r"^\[hello\]$", wait={"cursor": 0}))["match"] == "[hello]"
        await sessions.close("local", session.id)


async def test_what_was_there_before_is_told_from_what_was_typed_for(sessions: Sessions) -> None:
    async with running_telnet_device(b"login: ") as device:
        session = await sessions.open("local", TelnetTarget(host="127.0.0.1", port=device.port))
        typist = Typist(sessions, session.id)
        assert (await typist.prompt())["match"] == "login:"
        answer = await typist.send(data="me\n", wait={"for": "output", "pattern": "login", "timeoutMs": 200})
        assert answer["reason"] == "timeout"
        assert "login" not in "".join(answer["output"])
        device.writers[0].write(b"Password: ")
        assert (await typist.prompt(ready="password"))["match"] == "Password:"
        device.writers[0].close()
        over = await typist.send(wait={"for": "exit"})
        assert (over["reason"], over["connected"]) == ("exit", False)
        await sessions.close("local", session.id)
        with pytest.raises(NotFound):
            await typist.call(operations.READ_TERMINAL)


async def test_a_caller_who_leaves_ends_the_wait(sessions: Sessions) -> None:
    async with running_telnet_device(b"login: ") as device:
        session = await sessions.open("local", TelnetTarget(host="127.0.0.1", port=device.port))
        typist = Typist(sessions, session.id)
        waiting = asyncio.ensure_future(typist.send(wait={"for": "exit", "timeoutMs": 60_000}))
        await asyncio.sleep(0.01)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        assert session.idle_seconds < 5
        assert not session.in_use
        await sessions.close("local", session.id)


@pytest.mark.parametrize("shell", ["bash", "sh", "zsh", "fish"])
async def test_a_local_shell_that_waits_is_known_whatever_its_prompt(sessions: Sessions, shell: str) -> None:
    if shutil.which(shell) is None:
        pytest.skip(f"{shell} is not installed")
    session = await sessions.open(LOCAL.id, LocalTarget(shell=shell))
    typist = Typist(sessions, session.id)
    await typist.send(data="true\n", wait={"for": "prompt", "timeoutMs": 10_000})
    prompt = "function fish_prompt; echo -n same; end\n" if shell == "fish" else "PS1=same\n"
    answer = await typist.prompt(data=prompt)
    assert answer["match"] == "same"
    busy = await typist.send(data="echo sa''me; sleep 300\n", wait={"for": "prompt", "timeoutMs": 700})
    assert busy["reason"] == "timeout"
    assert (await typist.prompt(keys="<C-c>"))["match"] == "same"
