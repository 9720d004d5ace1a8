"""Telnet sessions with a real telnet server."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from shared.domain.targets import TelnetTarget
from shared.terminal.keys import Input, parse
from shared.terminal.sessions import Sessions
from shared.terminal.waits import Wanted
from tests.support.asciicast import parse_cast
from tests.support.telnet_server import running_telnetd, telnetd
from tests.support.terminals import OWNER, Terminal, make_sessions, opened, until

PROGRAM = telnetd()
pytestmark = pytest.mark.skipif(
    PROGRAM is None, reason="there is no telnetd of inetutils (Debian: inetutils-telnetd) to test against"
)


@pytest.fixture
async def sessions(tmp_path: Path) -> AsyncIterator[Sessions]:
    async with make_sessions(tmp_path) as made:
        yield made


@pytest.fixture
async def port(tmp_path: Path) -> AsyncIterator[int]:
    assert PROGRAM is not None
    async with running_telnetd(PROGRAM, tmp_path) as given:
        yield given


async def logged_in(terminal: Terminal) -> Terminal:
    """By send and wait, as a client does it."""
    session = terminal.session
    assert (await session.wait(Wanted(kind="prompt", timeout=10, quiet=0.2), after=0)).match == "login:"
    after = await session.send("me\n")
    asked = await session.wait(Wanted(kind="prompt", timeout=10, quiet=0.2), after=after)
    assert (asked.reason, asked.match) == ("password", "Password:")
    after = await session.send("tr0ub4dor\n")
    assert (await session.wait(Wanted(kind="prompt", timeout=10, quiet=0.2), after=after)).match == "device>"
    return terminal


async def test_a_login_and_a_command(sessions: Sessions, port: int) -> None:
    async with opened(sessions, TelnetTarget(host="127.0.0.1", port=port)) as terminal:
        await logged_in(terminal)
        await terminal.session.send("echo $TERM $((40+2))-shown héllo\n")
        shown = await terminal.shows("42-shown héllo")
        assert "xterm-256color 42-shown" in shown
        assert "tr0ub4dor" not in shown


async def test_the_size_reaches_the_program_and_follows_the_terminal(sessions: Sessions, port: int) -> None:
    async with opened(sessions, TelnetTarget(host="127.0.0.1", port=port), cols=101, rows=31) as terminal:
        await logged_in(terminal)
        await terminal.session.send("stty size\n")
        await terminal.shows("31 101")
        await terminal.session.send("trap 'stty size' WINCH\n")
        await terminal.session.resize(255, 77)
        await terminal.session.send("stty size\n")
        await terminal.shows("77 255")


@pytest.mark.parametrize("interrupt", ["character", "ip", "brk"])
async def test_ctrl_c_interrupts_in_each_of_its_forms(sessions: Sessions, port: int, interrupt: str) -> None:
    target = TelnetTarget(host="127.0.0.1", port=port, interrupt=interrupt)  # type: ignore[arg-type]
    async with opened(sessions, target) as terminal:
        await logged_in(terminal)
        await terminal.session.send("sh -c 'echo be\"\"gun; exec sleep 300' && echo no''t-this\n")
        await terminal.shows("begun")
        after = await terminal.session.send(Input(keys=parse("<C-c>")))
        await terminal.shows("device> ", after=after)  # what is typed before it may be thrown away with the program
        await terminal.session.send("echo st''ill-here\n")
        shown = await terminal.shows("still-here")
        assert "not-this" not in shown
        assert "\ufffd" not in shown


async def test_large_output_comes_whole(sessions: Sessions, port: int) -> None:
    async with opened(sessions, TelnetTarget(host="127.0.0.1", port=port)) as terminal:
        await logged_in(terminal)
        after = await terminal.session.send("seq 1 20000; echo ov''er\n")
        shown = await terminal.shows("over", after=after)
        assert "\r\n".join(str(number) for number in range(1, 20001)) in shown


async def test_bytes_that_telnet_escapes_come_as_they_are(sessions: Sessions, port: int) -> None:
    async with opened(sessions, TelnetTarget(host="127.0.0.1", port=port), encoding="latin-1") as terminal:
        await logged_in(terminal)
        await terminal.session.send("printf 'a\\377b\\rc\\n'\n")
        await terminal.shows("aÿb\rc")


async def test_the_end_of_the_login_ends_the_session(sessions: Sessions, port: int) -> None:
    async with opened(sessions, TelnetTarget(host="127.0.0.1", port=port)) as terminal:
        await logged_in(terminal)
        await terminal.session.send("exit\n")
        await until(lambda: not terminal.session.connected, 10)


async def test_the_password_is_not_in_the_recording(sessions: Sessions, port: int) -> None:
    async with opened(sessions, TelnetTarget(host="127.0.0.1", port=port), record=True) as terminal:
        await logged_in(terminal)
        await terminal.session.send("echo do''ne\n")
        await terminal.shows("done")
        await terminal.close()
    cast = parse_cast(await sessions.recordings.read(OWNER, terminal.session.id))
    assert "tr0ub4dor" not in cast.text() + cast.text("i")
    assert cast.of("i")[0] == "me\n"
    assert "echo do''ne\n" in cast.of("i")
