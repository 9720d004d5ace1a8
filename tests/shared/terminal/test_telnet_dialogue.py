"""Dialogues with a device as networks have them: a login, a pager, questions about the terminal."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from shared.domain.targets import TelnetTarget
from shared.terminal.keys import Input
from shared.terminal.patterns import Pattern
from shared.terminal.sessions import Sessions
from shared.terminal.waits import Outcome, Wanted
from tests.support.asciicast import parse_cast
from tests.support.telnet_device import Appliance, running_appliance
from tests.support.terminals import OWNER, Terminal, make_sessions, opened, until


@pytest.fixture
async def sessions(tmp_path: Path) -> AsyncIterator[Sessions]:
    async with make_sessions(tmp_path) as made:
        yield made


@pytest.fixture
async def device() -> AsyncIterator[Appliance]:
    async with running_appliance() as running:
        yield running


async def sent(terminal: Terminal, data: str | Input, pattern: str) -> Outcome:
    """Type something, and wait for what it brings."""
    after = await terminal.session.send(data)
    return await terminal.session.wait(
        Wanted(kind="output", pattern=Pattern(pattern), timeout=5, quiet=0.1), after=after
    )


async def logged_in(terminal: Terminal) -> None:
    await terminal.shows("Username: ")
    assert (await sent(terminal, f"{Appliance.NAME}\n", "Password: ")).reason == "matched"
    assert (await sent(terminal, f"{Appliance.PASSWORD}\n", "switch#")).reason == "matched"


@pytest.mark.parametrize(("rows", "pages"), [(24, 2), (40, 1), (80, 0)])
async def test_a_pager_is_gone_through_by_send_and_wait(
    sessions: Sessions, device: Appliance, rows: int, pages: int
) -> None:
    async with opened(sessions, TelnetTarget(host="127.0.0.1", port=device.port), rows=rows) as terminal:
        await logged_in(terminal)
        begin = await terminal.session.send("show log\n")
        turned = 0
        wanted = Wanted(kind="output", pattern=Pattern("--More--|switch#$"), timeout=5, quiet=0.1)
        outcome = await terminal.session.wait(wanted, after=begin)
        while outcome.match == "--More--":
            turned += 1
            outcome = await sent(terminal, " ", "--More--|switch#$")
        assert turned == pages
        shown = (await terminal.session.read("test", cursor=begin, strip=True)).text
        assert shown.count("link up") == Appliance.LINES


async def test_a_pager_is_left(sessions: Sessions, device: Appliance) -> None:
    async with opened(sessions, TelnetTarget(host="127.0.0.1", port=device.port)) as terminal:
        await logged_in(terminal)
        assert (await sent(terminal, "show log\n", "--More--")).reason == "matched"
        assert (await sent(terminal, "q", "switch#$")).reason == "matched"


async def test_a_new_size_counts_for_the_next_page(sessions: Sessions, device: Appliance) -> None:
    async with opened(sessions, TelnetTarget(host="127.0.0.1", port=device.port)) as terminal:
        await logged_in(terminal)
        await terminal.session.resize(80, 100)
        outcome = await sent(terminal, "show log\n", "--More--|060 link up")
        assert outcome.match == "060 link up"


async def test_a_wrong_password_is_told_and_the_end_noticed(sessions: Sessions, device: Appliance) -> None:
    async with opened(sessions, TelnetTarget(host="127.0.0.1", port=device.port)) as terminal:
        await terminal.shows("Username: ")
        await sent(terminal, "admin\n", "Password: ")
        assert (await sent(terminal, "wrong\n", "Login invalid")).reason == "matched"
        await until(lambda: not terminal.session.connected)


async def test_questions_about_the_terminal_are_answered(sessions: Sessions, device: Appliance) -> None:
    target = TelnetTarget(host="127.0.0.1", port=device.port)
    async with opened(sessions, target, cols=100, rows=33) as terminal:
        await logged_in(terminal)
        await sent(terminal, "resize\n", "switch#")
        await sent(terminal, "who\n", "switch#")
        await until(lambda: len(device.reports) == 2)
        assert device.reports == [b"\x1b[33;100R", b"\x1b[?1;2c"]


async def test_they_are_left_to_a_live_terminal(sessions: Sessions, device: Appliance) -> None:
    async with opened(sessions, TelnetTarget(host="127.0.0.1", port=device.port)) as terminal:
        await logged_in(terminal)
        async with terminal.session.follow():
            await sent(terminal, "resize\n", "\\[6n|resize")
            await terminal.session.send("\x1b[7;7R")
            await until(lambda: device.reports != [])
        assert device.reports == [b"\x1b[7;7R"]


async def test_the_password_is_in_no_recording(sessions: Sessions, device: Appliance) -> None:
    async with opened(sessions, TelnetTarget(host="127.0.0.1", port=device.port), record=True) as terminal:
        await logged_in(terminal)
        await sent(terminal, "version\n", "Unknown command")
        await terminal.close()
    cast = parse_cast(await sessions.recordings.read(OWNER, terminal.session.id))
    assert cast.of("i") == ["admin\n", "version\n"]
    assert Appliance.PASSWORD not in cast.text()
