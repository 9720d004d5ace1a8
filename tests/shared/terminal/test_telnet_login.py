"""Logging in over telnet with stored credentials."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from shared.domain.targets import TelnetTarget
from shared.errors import TerminalError
from shared.terminal.keys import Input
from shared.terminal.mask import HIDDEN
from shared.terminal.sessions import Sessions
from shared.terminal.telnet_login import TelnetLogin
from tests.support.asciicast import parse_cast
from tests.support.telnet_device import Appliance, TelnetDevice, running_appliance, running_telnet_device
from tests.support.telnet_server import running_telnetd, telnetd
from tests.support.terminals import OWNER, make_sessions, opened, until

PROGRAM = telnetd()
PASSWORD = Appliance.PASSWORD


def target(port: int, **fields: Any) -> TelnetTarget:
    password = fields.pop("password", PASSWORD)
    return TelnetTarget(
        host="127.0.0.1", port=port, password=None if password is None else SecretStr(password), **fields
    )


def dialogue(login: TelnetLogin, *shown: bytes) -> list[str | None]:
    """What is typed after each of these."""
    return [login.take(text) for text in shown]


@pytest.fixture
async def sessions(tmp_path: Path) -> AsyncIterator[Sessions]:
    async with make_sessions(tmp_path, timeout=5) as made:
        yield made


@pytest.mark.parametrize("name", [
    b"login: ", b"box login: ", b"Username:", b"\x1b[2J\x1b[1;1HUser Name : ", b"User:", b"login as: ", b"Account:",
])  # fmt: skip
@pytest.mark.parametrize(
    "password", [b"Password: ", b"Password for me: ", b"\x1b[1mEnter password:\x1b[0m ", b"Kennwort:"]
)
def test_prompts_are_recognized_in_any_parts(name: bytes, password: bytes) -> None:
    parts = [bytes((byte,)) for byte in b"Welcome\r\n" + name]
    login = TelnetLogin(target(23, username="me"))
    assert [typed for typed in dialogue(login, *parts) if typed] == ["me"]
    parts = [bytes((byte,)) for byte in b"me\r\n" + password]
    assert [typed for typed in dialogue(login, *parts) if typed] == [PASSWORD]
    assert dialogue(login, b"\r\n", b"Last login:", b" Thu\r\n") == [None] * 3


@pytest.mark.parametrize(("shown", "outcome"), [
    (b"\r\nLast login: Thu\r\nbox$ ", "done"),
    (b"\r\nswitch#", "done"),
    (b"\r\nLogin incorrect\r\n\r\nbox login: ", "refused"),
    (b"\r\nBad password\r\nPassword: ", "refused"),
    (b"\r\nEnter a new password: ", "done"),
    (b"\r\n", "waiting"),
    (b"*********", "waiting"),
])  # fmt: skip
def test_the_outcome_is_read_from_what_follows_the_password(shown: bytes, outcome: str) -> None:
    login = TelnetLogin(target(23, username="me"))
    assert dialogue(login, b"login: ", b"me\r\nPassword: ") == ["me", PASSWORD]
    assert login.take(shown) is None
    assert login.outcome == outcome


def test_each_credential_is_typed_once_and_what_is_not_stored_is_left_to_the_caller() -> None:
    login = TelnetLogin(target(23, username="me"))
    assert dialogue(login, b"login: ", b"\r\nlogin: ", b"\r\nPassword: ", b"\r\nPassword: ") == [
        "me",
        None,
        PASSWORD,
        None,
    ]
    only_name = TelnetLogin(target(23, username="me", password=None))
    assert (dialogue(only_name, b"login: "), only_name.outcome) == (["me"], "done")
    only_password = TelnetLogin(target(23))
    assert (dialogue(only_password, b"Password: "), only_password.outcome) == ([PASSWORD], "waiting")
    without_name = TelnetLogin(target(23))
    assert (dialogue(without_name, b"login: "), without_name.outcome) == ([None], "done")
    assert TelnetLogin(target(23, password=None)).outcome == "done"


async def test_a_session_opens_logged_in_and_its_recording_has_no_password(sessions: Sessions) -> None:
    async with (
        running_appliance() as device,
        opened(sessions, target(device.port, username=Appliance.NAME), record=True) as terminal,
    ):
        shown = await terminal.shows("switch#")
        await terminal.session.send("version\n")
        shown += await terminal.shows("Unknown command")
        assert terminal.session.info.username == Appliance.NAME
        await terminal.close()
    cast = parse_cast(await sessions.recordings.read(OWNER, terminal.session.id))
    assert "Username: admin" in cast.text()
    assert cast.of("i") == ["version\n"]
    assert PASSWORD not in shown + cast.text() + cast.text("i")


@pytest.mark.skipif(PROGRAM is None, reason="there is no telnetd of inetutils (Debian: inetutils-telnetd)")
async def test_a_real_server_is_logged_in_to(sessions: Sessions, tmp_path: Path) -> None:
    assert PROGRAM is not None
    async with running_telnetd(PROGRAM, tmp_path) as port:
        async with opened(sessions, target(port, username="me")) as terminal:
            await terminal.session.send("echo $((40+2))-shown\n")
            assert PASSWORD not in await terminal.shows("42-shown")
            await terminal.close()
        with pytest.raises(TerminalError) as refused:
            await sessions.open(OWNER, target(port, username="me", password="another"))
    assert refused.value.code == "authentication_failed"


async def test_a_refused_login_opens_no_session(sessions: Sessions) -> None:
    async with running_appliance() as device:
        with pytest.raises(TerminalError) as refused:
            await sessions.open(OWNER, target(device.port, username=Appliance.NAME, password="wrong-word"))
    assert refused.value.code == "authentication_failed"
    assert refused.value.message == (
        f"127.0.0.1:{device.port} refused the login of admin; check 'username' or 'password'."
    )
    assert sessions.list(OWNER) == []


class Echoing(TelnetDevice):
    """A device that sends back every character, one at a time, the password's too."""

    async def serve(self, reader: Any, writer: Any) -> None:
        self.writers.append(writer)
        writer.write(b"Password: ")
        while data := await reader.read(4096):
            for byte in data.replace(b"\0", b"\n"):
                writer.write(bytes((byte,)))
                await writer.drain()
            writer.write(b"device> ")
        writer.close()


async def test_an_echoed_password_is_masked_then_and_later(sessions: Sessions) -> None:
    async with running_telnet_device(kind=Echoing) as device, opened(sessions, target(device.port)) as terminal:
        await terminal.session.send(f"echo {PASSWORD}-again\n")
        shown = await terminal.shows("-again")
        assert shown.startswith(f"Password: {HIDDEN.decode()}\r\ndevice> ")
        assert PASSWORD not in shown
        await terminal.close()


async def test_a_later_prompt_gets_no_password_unless_it_is_answered(tmp_path: Path) -> None:
    async with (
        make_sessions(tmp_path, timeout=0.2) as sessions,
        running_telnet_device(b"hello\r\n") as device,
        opened(sessions, target(device.port, username="me")) as terminal,
    ):
        device.writers[0].write(b"Password: ")
        await terminal.shows("Password: ")
        await terminal.session.send(Input(text="typed\n"))
        await device.got(b"typed\r\n")
        assert PASSWORD.encode() not in device.received
        device.writers[0].write(b"\r\nPassword: ")
        await terminal.shows("]\r\n\r\nPassword: ")
        await terminal.session.answer(timeout=5)
        await device.got(PASSWORD.encode() + b"\r\0")
        await terminal.close()


async def test_a_host_that_hangs_up_before_its_prompt_says_so(sessions: Sessions) -> None:
    async with running_telnet_device(b"busy\r\n") as device:
        opening = asyncio.ensure_future(sessions.open(OWNER, target(device.port)))
        await until(lambda: device.writers)
        device.writers[0].close()
        with pytest.raises(TerminalError, match="closed the connection") as lost:
            await opening
    assert lost.value.code == "connection_lost"
