"""What only the core can see of typing and reading, over all three kinds of terminal; the rest is in tests/contracts."""

import asyncio
import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from shared.domain.targets import LocalTarget, Target, TelnetTarget
from shared.errors import InvalidInput
from shared.terminal import flow
from shared.terminal.sessions import Sessions
from tests.support.ssh_server import running_ssh_server
from tests.support.telnet_shell import running_telnet_shell
from tests.support.terminals import make_sessions, ssh_target, until
from tests.support.typist import Typist

LINES = 1_000_000


@pytest.fixture(params=["local", "ssh", "telnet"])
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
async def sessions(tmp_path: Path) -> AsyncIterator[Sessions]:
    async with make_sessions(tmp_path) as made:
        yield made


@pytest.fixture
async def target(kind: str, tmp_path: Path) -> AsyncIterator[Target]:
    env = {"HOME": str(tmp_path), "PATH": os.environ["PATH"], "TERM": "xterm-256color", "LANG": "C.UTF-8"}
    if kind == "local":
        yield LocalTarget(cwd=str(tmp_path))
    elif kind == "ssh":
        async with running_ssh_server(tmp_path) as server:
            yield ssh_target(server)
    else:
        async with running_telnet_shell(env) as shell:
            yield TelnetTarget(host="127.0.0.1", port=shell.port)


@pytest.fixture
async def typist(target: Target, sessions: Sessions) -> AsyncIterator[Typist]:
    session = await sessions.open("local", target)
    yield Typist(sessions, session.id)
    await sessions.close("local", session.id)


async def test_plain_typing_answers_as_ever(typist: Typist) -> None:
    assert await typist.send(data="echo hi\n") == {"success": True}
    assert await typist.send(keys="<Enter>") == {"success": True}


async def test_a_paste_is_in_brackets_where_the_program_asks_for_them(typist: Typist, tmp_path: Path) -> None:
    await typist.prompt(data="bind 'set enable-bracketed-paste off'\r")
    program = (
        "import sys,tty,termios; old = termios.tcgetattr(0); tty.setraw(0); sys.stdout.write('\\x1b[?2004hready\\r\\n'); "
        "sys.stdout.flush(); data = b''\n"
        "while not data.endswith(b'!'): data += sys.stdin.buffer.raw.read(1000)\n"
        "termios.tcsetattr(0, termios.TCSANOW, old); print('\\x1b[?2004l', ascii(data))"
    )
    script = tmp_path / "paste.py"
    await typist.prompt(data=f"cat >{script} <<'EOF'\r" + program.replace("\n", "\r") + "\rEOF\r")
    await typist.until("^ready", data=f"python3 {script}\r")
    answer = await typist.until("^ b'.*", data="a\nb", paste=True, keys="!")
    assert answer["match"] == r" b'\x1b[200~a\rb\x1b[201~!'"


async def test_marks_of_the_shell_are_believed_at_once(typist: Typist) -> None:
    await typist.prompt()
    await typist.prompt(ready="prompt", data=r"PS1='\[\e]133;A\a\]here \[\e]133;B\a\]'" + "\r")
    answer = await typist.prompt(
        ready="prompt", data="echo 'looks like: '; sleep 0.5; echo 'a prompt$ '; sleep 0.5\r", wait={"quietMs": 60_000}
    )
    assert answer["match"] == "here"
    assert "a prompt$" in answer["output"][0]


async def test_a_reader_who_leaves_does_not_hold_up_the_shell_for_long(typist: Typist, tmp_path: Path) -> None:
    await typist.prompt(data="stty -echo -onlcr\r")
    await typist.send(data=f"seq {LINES}; touch {tmp_path}/over\r")
    await typist.read(waitMs=5000)
    await until((tmp_path / "over").exists, 10)


async def test_a_session_is_closed_while_its_shell_is_held_up(
    target: Target, sessions: Sessions, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(flow, "HOLD", 60)
    session = await sessions.open("local", target)
    typist = Typist(sessions, session.id)
    await typist.prompt(data="stty -echo\r")
    await typist.send(data="yes\r")
    await typist.read(waitMs=5000)
    await until(lambda: session._seat.scrollback.flow.held, 20)
    async with asyncio.timeout(5):
        await sessions.close("local", session.id)
    assert len(sessions) == 0


async def test_another_encoding_is_typed_and_read(target: Target, sessions: Sessions, kind: str) -> None:
    session = await sessions.open("local", target, encoding="cp437")
    typist = Typist(sessions, session.id)
    await typist.prompt(data="bind 'set convert-meta off'; stty -echo\r")
    answer = await typist.until("^é=[0-9a-f ]+$", data="echo -n é=; printf %s é | od -An -tx1\r")
    assert answer["match"] == "é= 82"
    with pytest.raises(InvalidInput, match="cp437"):
        await typist.send(data="漢")
    await sessions.close("local", session.id)


async def test_what_makes_no_sense_is_refused_before_anything_is_typed(typist: Typist) -> None:
    for payload, said in (
        ({}, "data"),
        ({"paste": True}, "data"),
        ({"keys": "<Entr>"}, "Enter"),
        ({"keys": "a < b"}, "<lt>"),
        ({"data": "x", "wait": {"for": "output", "pattern": "(a"}}, "pattern"),
        ({"data": "x", "wait": {"for": "output", "pattern": r"(?=a)b"}}, "look-around"),
        ({"data": "x", "wait": {"for": "prompt", "pattern": "a"}}, "pattern"),
        ({"data": "x", "wait": {"for": "later"}}, "for"),
        ({"data": "x", "wait": {"for": "output", "timeoutMs": 60_001}}, "timeoutMs"),
    ):
        with pytest.raises(InvalidInput) as refused:
            await typist.send(**payload)
        assert said in str(refused.value) + str(refused.value.details)
    assert (await typist.read(waitMs=1))["cursor"] < 5000
