"""Telnet sessions with a real connection."""

import asyncio
import itertools
import socket
import struct
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from shared.domain.targets import TelnetTarget
from shared.errors import Forbidden, TerminalError, Unsupported
from shared.terminal.channel import Seat
from shared.terminal.scrollback import Scrollback
from shared.terminal.sessions import Sessions
from shared.terminal.telnet import BYTES_A_TURN, TelnetChannel
from shared.terminal.telnet_negotiation import DO, IAC, SB, TERMINAL_TYPE, WILL, WINDOW_SIZE, Negotiation
from tests.support.telnet_device import TelnetDevice, running_telnet_device
from tests.support.terminals import Terminal, make_sessions, open_descriptors, opened, until

ASKING = bytes([IAC, DO, TERMINAL_TYPE, IAC, DO, WINDOW_SIZE, IAC, WILL, 1]) + b"login: "


@pytest.fixture(params=["asyncio", "uvloop"])
def anyio_backend(request: pytest.FixtureRequest) -> tuple[str, dict[str, bool]]:
    return "asyncio", {"use_uvloop": request.param == "uvloop"}


@pytest.fixture
async def sessions(tmp_path: Path) -> AsyncIterator[Sessions]:
    async with make_sessions(tmp_path, timeout=2) as made:
        yield made


@pytest.fixture
async def device() -> AsyncIterator[TelnetDevice]:
    async with running_telnet_device(ASKING) as running:
        yield running


@pytest.fixture
async def terminal(sessions: Sessions, device: TelnetDevice) -> AsyncIterator[Terminal]:
    async with opened(sessions, TelnetTarget(host="localhost", port=device.port)) as made:
        yield made
        await sessions.__aexit__()


async def type_on(terminal: Terminal) -> None:
    for _ in range(200):
        await terminal.session.send("x" * 100_000)


async def test_a_dialogue_is_held(terminal: Terminal, device: TelnetDevice) -> None:
    assert await terminal.shows("login: ") == "login: "
    await device.got(bytes([IAC, SB, WINDOW_SIZE, 0, 80, 0, 24]))
    await terminal.session.send("héllo\n")
    await device.got("héllo\r\n".encode())
    assert "[héllo]" in await terminal.shows("[héllo]")
    info = terminal.session.info
    assert (info.type, info.host, info.port, info.username) == ("telnet", "localhost", device.port, None)


async def test_the_size_is_passed_on(terminal: Terminal, device: TelnetDevice) -> None:
    await device.got(bytes([IAC, SB, WINDOW_SIZE, 0, 80, 0, 24]))
    await terminal.session.resize(120, 40)
    await device.got(bytes([IAC, SB, WINDOW_SIZE, 0, 120, 0, 40]))


async def test_a_command_to_its_end_is_refused_with_the_way_to_go(terminal: Terminal) -> None:
    with pytest.raises(Unsupported, match="/send"):
        await terminal.run("show version")


async def test_the_hosts_end_is_noticed(terminal: Terminal, device: TelnetDevice) -> None:
    await terminal.shows("login")
    device.writers[0].close()
    await until(lambda: not terminal.session.connected)
    assert (await terminal.session.read("a", wait=5)).text == "login: "
    with pytest.raises(TerminalError) as gone:
        await terminal.session.send("x")
    assert gone.value.code == "connection_lost"
    assert (
        gone.value.message
        == terminal.session.info.reason
        == "The host has closed the connection; open another session."
    )


async def test_a_connection_that_breaks_says_how(terminal: Terminal, device: TelnetDevice) -> None:
    await terminal.shows("login")
    broken = device.writers[0].get_extra_info("socket")
    broken.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # a reset in the place of an end
    device.writers[0].transport.abort()
    await until(lambda: not terminal.session.connected)
    assert terminal.session.info.reason == (
        "The connection to the host was lost (Connection reset by peer); open another session."
    )


async def test_closing_hangs_up(sessions: Sessions, device: TelnetDevice) -> None:
    before = open_descriptors()
    async with opened(sessions, TelnetTarget(host="127.0.0.1", port=device.port)) as terminal:
        await terminal.shows("login")
        await terminal.close()
        await asyncio.wait_for(device.hung_up.wait(), 5)
    await until(lambda: open_descriptors() <= before)


async def test_public_addresses_are_refused_unless_allowed(sessions: Sessions, tmp_path: Path) -> None:
    with pytest.raises(Forbidden) as refused:
        await sessions.open("a", TelnetTarget(host="8.8.8.8", port=23))
    assert refused.value.code == "address_refused"
    assert "TELNET_ALLOW_PUBLIC" in refused.value.message
    async with make_sessions(tmp_path, allow_public=True) as lax:
        with pytest.raises(Forbidden):
            await lax.open("a", TelnetTarget(host="169.254.169.254", port=23))


async def test_a_device_that_reads_nothing_does_not_grow_us(sessions: Sessions) -> None:
    async def deaf(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.append(writer)

    writers: list[asyncio.StreamWriter] = []
    server = await asyncio.start_server(deaf, "127.0.0.1", 0, limit=1024)
    async with opened(sessions, TelnetTarget(host="127.0.0.1", port=server.sockets[0].getsockname()[1])) as terminal:
        with pytest.raises(TerminalError) as full:
            await type_on(terminal)
        assert full.value.code == "input_not_read"
        await terminal.close()
    server.close()
    for writer in writers:
        writer.transport.abort()
    await server.wait_closed()


async def test_a_device_that_asks_on_and_on_is_cut_off(sessions: Sessions) -> None:
    async def nag(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.transport.pause_reading()  # type: ignore[attr-defined]
        try:
            while not writer.is_closing():
                writer.write(bytes([IAC, DO, 39]) * 10_000)
                await writer.drain()
        except OSError:
            pass
        finally:
            writer.close()
            over.set()

    over = asyncio.Event()
    server = await asyncio.start_server(nag, "127.0.0.1", 0)
    async with opened(sessions, TelnetTarget(host="127.0.0.1", port=server.sockets[0].getsockname()[1])) as terminal:
        await until(lambda: not terminal.session.connected, 10)
        assert "ended the connection, since the host asked for options" in str(terminal.session.info.reason)
        with pytest.raises(TerminalError, match="since the host asked for options"):
            await terminal.session.send("x")
        await asyncio.wait_for(over.wait(), 5)
    server.close()
    await server.wait_closed()


@pytest.mark.parametrize("unit", [b"\xff\xff", b"x\xff\xff", b"plain text\r\n"])
async def test_a_flood_leaves_the_loop_to_others_after_each_part(unit: bytes) -> None:
    """All of it arrives at once; whatever is waiting in the loop runs before more than a turn's bytes are taken in."""
    seat = Seat(cols=80, rows=24, scrollback=Scrollback(8 * 1024 * 1024))
    channel = TelnetChannel(seat)
    flood = unit * (8 * BYTES_A_TURN // len(unit) + 1)
    seen: list[int] = []
    channel.data_received(flood)
    while not seen or seen[-1] != seat.scrollback.end:
        seen.append(seat.scrollback.end)
        await asyncio.sleep(0)
    steps = [after - before for before, after in itertools.pairwise([0, *seen])]
    assert max(steps) <= BYTES_A_TURN
    expected = Negotiation(cols=80, rows=24).receive(flood)[0]
    assert seat.scrollback.read(0).text == expected.decode(errors="replace")


async def test_what_came_before_the_end_of_a_flood_is_shown_to_its_end() -> None:
    seat = Seat(cols=80, rows=24, scrollback=Scrollback(8 * 1024 * 1024))
    channel = TelnetChannel(seat)
    channel.data_received(b"x" * (3 * BYTES_A_TURN) + b"the end")
    channel.connection_lost(None)
    assert not seat.scrollback.ended
    async with asyncio.timeout(5):
        while not seat.scrollback.ended:
            await seat.scrollback.wait(seat.scrollback.end)
    assert seat.scrollback.read(0).text.endswith("xthe end")
