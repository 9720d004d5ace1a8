"""One session: its readers, its screen, its place in time."""

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from shared.domain.targets import LocalTarget
from shared.domain.terminal import CommandResult
from shared.errors import InvalidInput, TerminalError
from shared.security.redaction import Redactor
from shared.terminal import display as display_module
from shared.terminal.channel import Command, Seat
from shared.terminal.keys import Input, parse
from shared.terminal.scrollback import Scrollback
from shared.terminal.session import Session
from shared.terminal.waits import Wanted
from tests.support.clock import Clock
from tests.support.terminals import kept_outputs


class Loopback:
    """A channel that shows what is typed into it, and runs commands when told to."""

    def __init__(self, seat: Seat) -> None:
        self.connected = True
        self.seat = seat
        self.starts = 0
        self.sizes: list[tuple[int, int]] = []
        self.failures: list[TerminalError] = []
        self.starting = asyncio.Event()
        self.may_start = asyncio.Event()
        self.may_start.set()
        self.stopped = 0

    async def execute(self, command: Command, stop: asyncio.Event) -> CommandResult:
        await stop.wait()
        self.stopped += 1
        raise TerminalError("stopped", code="connection_lost")

    async def start(self) -> None:
        self.starts += 1
        self.starting.set()
        await self.may_start.wait()
        if self.failures:
            raise self.failures.pop()

    def send(self, data: bytes) -> None:
        self.seat.scrollback.feed(data)

    def resize(self) -> None:
        self.sizes.append((self.seat.cols, self.seat.rows))

    async def aclose(self) -> None:
        self.connected = False


@pytest.fixture
def channel() -> Loopback:
    return Loopback(Seat(Scrollback(100_000)))


@pytest.fixture
async def session(channel: Loopback) -> AsyncIterator[Session]:
    made = Session(
        "term-1-x",
        "owner",
        LocalTarget(),
        channel.seat,
        channel,
        kept_outputs(Path("unused")),
        redactor=Redactor(),
        title="mine",
        clock=Clock(),
    )
    yield made
    await made.end()


async def test_it_says_what_it_is(session: Session) -> None:
    said = session.info.model_dump(mode="json")
    assert said == {
        "id": "term-1-x",
        "type": "local",
        "createdAt": "2026-11-24T06:00:00.000Z",
        "connected": True,
        "lastActivity": "2026-11-24T06:00:00.000Z",
        "title": "mine",
    }


async def test_each_reader_gets_what_it_has_not_read_yet(session: Session) -> None:
    await session.send("one ")
    assert (await session.read("a")).text == "one "
    await session.send("two")
    assert (await session.read("a")).text == "two"
    assert (await session.read("a")).text == ""
    assert (await session.read("b")).text == "one two"


async def test_reading_by_cursor_consumes_nothing(session: Session) -> None:
    await session.send("one two")
    for _ in range(2):
        assert (await session.read("a", cursor=4)).text == "two"
    assert (await session.read("a")).text == "one two"


async def test_a_poll_waits_for_something_new(session: Session) -> None:
    poll = asyncio.ensure_future(session.read("a", wait=5))
    second = asyncio.ensure_future(session.read("a", cursor=0, wait=5))
    await asyncio.sleep(0.01)
    assert not poll.done()
    await session.send("new")
    assert (await poll).text == "new"
    assert (await second).text == "new"
    assert (await session.read("a", wait=0.01)).text == ""


async def test_two_polls_of_one_reader_share_what_comes(session: Session) -> None:
    polls = [asyncio.ensure_future(session.read("a", wait=0.2)) for _ in range(2)]
    await asyncio.sleep(0.01)
    await session.send("once")
    assert sorted(part.text for part in await asyncio.gather(*polls)) == ["", "once"]


async def test_a_slow_reader_is_told_what_it_missed(session: Session, channel: Loopback) -> None:
    await session.send("begin")
    await session.read("a")
    channel.seat.scrollback.feed(b"x" * 300_000)
    part = await session.read("a")
    assert part.dropped > 190_000
    assert part.dropped + len(part.text) == 300_000


async def test_the_shell_is_started_once_however_many_ask(session: Session, channel: Loopback) -> None:
    channel.may_start.clear()
    asked = [asyncio.ensure_future(work) for work in (session.send("a"), session.read("r"), session.resize(90, 20))]
    await channel.starting.wait()
    asked[0].cancel()  # the one that began it
    channel.may_start.set()
    with pytest.raises(asyncio.CancelledError):
        await asked[0]
    await asyncio.gather(*asked[1:])
    assert channel.starts == 1
    assert channel.sizes == [(90, 20)]


async def test_a_shell_that_did_not_start_is_tried_again(session: Session, channel: Loopback) -> None:
    channel.failures = [TerminalError("no more processes")]
    with pytest.raises(TerminalError, match="no more"):
        await session.send("x")
    await session.send("y")
    assert (await session.read("a")).text == "y"


async def test_reading_after_the_end_starts_nothing(session: Session, channel: Loopback) -> None:
    await session.send("last words")
    channel.seat.scrollback.finish()
    assert not session.connected
    assert (await session.read("a", wait=5)).text == "last words"
    assert channel.starts == 1
    await session.send(" and more")
    assert channel.starts == 2
    assert session.connected


async def test_a_lost_connection_can_still_be_read(session: Session, channel: Loopback) -> None:
    channel.connected = False
    assert (await session.read("a")).text == ""
    assert channel.starts == 0


async def test_following_ends_with_the_session(session: Session) -> None:
    await session.send("one")
    seen = []
    async with asyncio.timeout(5), session.follow() as parts:
        async for part in parts:
            seen.append(part.text)
            session.end()
    assert seen == ["one"]


async def test_using_it_counts_as_activity(session: Session) -> None:
    await asyncio.sleep(0.02)
    before = time.monotonic()
    assert session.idle_seconds >= 0.02
    async with session.follow():
        await asyncio.sleep(0.02)
        assert session.idle_seconds == 0
    assert session.idle_seconds < time.monotonic() - before
    running = asyncio.ensure_future(session.execute(Command(text="x", timeout=5, max_output_bytes=10)))
    await asyncio.sleep(0.02)
    assert session.idle_seconds == 0
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert session.idle_seconds < time.monotonic() - before


async def test_a_cancelled_command_has_stopped_when_its_caller_knows(session: Session, channel: Loopback) -> None:
    running = asyncio.ensure_future(session.execute(Command(text="x", timeout=5, max_output_bytes=10)))
    await asyncio.sleep(0.01)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert channel.stopped == 1


async def test_a_closed_session_refuses_everything(session: Session) -> None:
    await session.end()
    for use in (session.send("x"), session.read("a"), session.resize(1, 1), session.screen()):
        with pytest.raises(TerminalError) as refused:
            await use
        assert refused.value.code == "session_closed"
    assert not session.connected
    assert session.end() is session.end()


async def test_the_screen_is_rendered_only_from_what_is_new(
    session: Session, channel: Loopback, monkeypatch: pytest.MonkeyPatch
) -> None:
    fed: list[str] = []
    real = display_module._rendered
    monkeypatch.setattr(
        display_module, "_rendered", lambda screen, text, *size: fed.append(text) or real(screen, text, *size)
    )
    await session.send("one\r\n")
    assert (await session.screen()).look.lines[:2] == ("one", "")
    await session.send("two")
    seen = await session.screen()
    assert seen.look.lines[:2] == ("one", "two")
    assert seen.cursor == 8
    assert fed == ["one\r\n", "two"]


async def test_the_screen_follows_the_size(session: Session) -> None:
    await session.send("abc")
    await session.resize(40, 5)
    assert len((await session.screen()).look.lines) == 5


async def test_the_screen_survives_a_gap(session: Session, channel: Loopback) -> None:
    await session.send("old")
    await session.screen()
    channel.seat.scrollback.feed(b"x" * 300_000 + b"\x1b[2J\x1b[Hnew")
    assert (await session.screen()).look.lines[0] == "new"


async def test_a_screen_can_be_waited_for(session: Session) -> None:
    cursor = (await session.screen()).cursor
    waiting = asyncio.ensure_future(session.screen(after=cursor, wait=5))
    await asyncio.sleep(0.01)
    assert not waiting.done()
    await session.send("here")
    assert (await waiting).look.lines[0] == "here"


async def test_reading_without_sequences_never_sees_half_of_one(session: Session, channel: Loopback) -> None:
    seen = []
    for piece in ("a\x1b[3", "1mb\x1b]0;t", "itle\x07c\x1b", "[0md"):
        channel.seat.scrollback.feed(piece.encode())
        seen.append((await session.read("a", strip=True)).text)
    assert seen == ["a", "b", "c", "d"]
    part = await session.read("b", cursor=0, strip=True)
    assert (part.text, part.cursor) == ("abcd", channel.seat.scrollback.end)
    channel.seat.scrollback.feed(b"e\x1b[")
    channel.seat.scrollback.finish()
    part = await session.read("a", strip=True)
    assert part.cursor == channel.seat.scrollback.end
    assert part.text.startswith("e")


async def test_keys_follow_the_programs_modes(session: Session, channel: Loopback) -> None:
    typed = Input(text="x\ny", paste=True, keys=parse("<Up>"))
    cursor = await session.send(typed)
    assert (await session.read("a")).text == "x y\x1b[A"
    channel.seat.scrollback.feed(b"\x1b[?1h\x1b[?2004h")
    cursor = await session.send(typed)
    assert (await session.read("a", cursor=cursor)).text == "\x1b[200~x\ry\x1b[201~\x1bOA"


async def test_what_the_encoding_lacks_is_not_typed() -> None:
    channel = Loopback(Seat(Scrollback(1000, "latin-1")))
    session = Session(
        "term-1-x", "owner", LocalTarget(), channel.seat, channel, kept_outputs(Path("unused")), redactor=Redactor()
    )
    with pytest.raises(InvalidInput, match="latin-1"):
        await session.send("é漢")
    assert (await session.read("a")).text == ""
    await session.send("é")
    assert (await session.read("a")).text == "é"
    await session.end()


async def test_closing_ends_a_wait(session: Session) -> None:
    waiting = asyncio.ensure_future(session.wait(Wanted(kind="silence", timeout=5, quiet=5)))
    await asyncio.sleep(0.01)
    session.end()
    with pytest.raises(TerminalError) as closed:
        await waiting
    assert closed.value.code == "session_closed"


async def test_half_a_sequence_ends_no_poll(session: Session, channel: Loopback) -> None:
    channel.seat.scrollback.feed(b"\x1b[3")
    poll = asyncio.ensure_future(session.read("a", strip=True, wait=5))
    await asyncio.sleep(0.02)
    assert not poll.done()
    channel.seat.scrollback.feed(b"1mred")
    assert (await poll).text == "red"
