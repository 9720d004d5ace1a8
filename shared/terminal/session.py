"""One terminal session: its commands one after the other, its interactive shell, and those who read it."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import UTC, datetime
from typing import Any

import anyio

from shared.domain.targets import LocalTarget, SessionType, SshTarget, Target
from shared.domain.terminal import CommandResult, SessionInfo
from shared.errors import TerminalError
from shared.terminal.channel import Channel, Command, Seat
from shared.terminal.screen import Screen
from shared.terminal.scrollback import Slice

SCREEN_REPLAY = 256 * 1024
"""Characters that a screen is rendered from when it is asked for the first time, or after a gap."""


def _now() -> datetime:
    return datetime.now(UTC)


class Session:
    """An open session. Who may use it is decided by Sessions."""

    def __init__(
        self,
        session_id: str,
        owner: str,
        target: Target,
        seat: Seat,
        channel: Channel,
        *,
        title: str | None = None,
        clock: Callable[[], datetime] = _now,
    ) -> None:
        self.id = session_id
        self.owner = owner
        self.closed = False
        self._target = target
        self._title = title
        self._clock = clock
        self._seat = seat
        self._channel = channel
        self._created = self._last = clock()
        self._used_at = time.monotonic()
        self._users = 0
        self._turn = asyncio.Lock()
        self._job: tuple[asyncio.Task[CommandResult], asyncio.Event] | None = None
        self._beginning: asyncio.Task[None] | None = None
        self._ending: asyncio.Task[None] | None = None
        self._read_up_to: dict[str, int] = {}
        self._screen: Screen | None = None
        self._screen_at = 0
        self._rendering = asyncio.Lock()

    @property
    def info(self) -> SessionInfo:
        """What listings show."""
        login = self._target.login if isinstance(self._target, SshTarget) else None
        remote = login or (None if isinstance(self._target, LocalTarget) else self._target)
        return SessionInfo(
            id=self.id,
            type=_type(self._target),
            created_at=self._created,
            connected=self.connected,
            last_activity=self._last,
            host=getattr(remote, "host", None),
            port=getattr(remote, "port", None),
            username=login.username if login else None,
            title=self._title,
        )

    @property
    def connected(self) -> bool:
        """False once the connection, or the interactive shell, has ended."""
        return not self.closed and self._channel.connected and not self._seat.scrollback.ended

    @property
    def idle_seconds(self) -> float:
        """Seconds since somebody used it; 0 while somebody does."""
        return 0 if self._users else time.monotonic() - self._used_at

    async def execute(self, command: Command) -> CommandResult:
        """Run a command, after those that were asked for before it. Cancelling it ends its processes.

        Raises TerminalError, also when the session is closed meanwhile, and Unsupported.
        """
        with self._in_use():
            async with self._turn:
                self._check_open()
                stop = asyncio.Event()
                job = asyncio.get_running_loop().create_task(self._channel.execute(command, stop))
                self._job = job, stop
                try:
                    result = await _unless_cancelled(job, stop)
                except TerminalError:
                    self._check_open()
                    raise
                finally:
                    self._job = None
                self._check_open()
                return result

    async def send(self, data: str) -> None:
        """Type into the interactive shell, starting one where there is none. Raises TerminalError."""
        with self._in_use():
            await self._begin(again=True)
            self._channel.send(data)

    async def resize(self, cols: int, rows: int) -> None:
        """Change the size of the terminal. Raises TerminalError."""
        with self._in_use():
            self._seat.cols, self._seat.rows = cols, rows
            await self._begin()
            self._channel.resize()

    async def read(self, reader: str, *, cursor: int | None = None, wait: float = 0) -> Slice:
        """What came after the cursor; without one, what this reader has not read yet. Waits for something new."""
        with self._in_use():
            await self._begin()
            scrollback = self._seat.scrollback
            after = self._read_up_to.get(reader, 0) if cursor is None else cursor
            await self._something_new(after, wait)
            if cursor is not None:
                return scrollback.read(cursor)
            part = scrollback.read(self._read_up_to.get(reader, 0))
            self._read_up_to[reader] = part.cursor
            return part

    @asynccontextmanager
    async def follow(self, after: int = 0) -> AsyncIterator[AsyncIterator[Slice]]:
        """Everything after the cursor as it comes, until the shell or the connection ends."""
        with self._in_use():
            await self._begin()
            yield self._seat.scrollback.follow(after)

    async def screen(self, *, after: int | None = None, wait: float = 0) -> tuple[list[str], int]:
        """The rendered screen, a text for each row, and the cursor that it was rendered up to.

        With `wait`, once there is something after the cursor (without one: after the last rendering).
        """
        with self._in_use():
            await self._begin()
            await self._something_new(self._screen_at if after is None else after, wait)
            async with self._rendering:
                return await self._render()

    def end(self) -> asyncio.Task[None]:
        """Begin to end everything that was started here; nothing of it is left when the task is done."""
        if self._ending is None:
            self.closed = True
            self._ending = asyncio.get_running_loop().create_task(self._end())
        return self._ending

    async def _end(self) -> None:
        if self._job is not None:
            job, stop = self._job
            stop.set()
            await asyncio.wait({job})
        if self._beginning is not None:
            await asyncio.wait({self._beginning})
        await self._channel.aclose()
        self._seat.scrollback.finish()

    async def _something_new(self, after: int, wait: float) -> None:
        if wait:
            try:
                await asyncio.wait_for(self._seat.scrollback.wait(after), wait)
            except TimeoutError:
                return

    async def _begin(self, *, again: bool = False) -> None:
        """See to it that there is an interactive shell; `again` also after one has ended."""
        self._check_open()
        if not again and not self._channel.connected:
            return  # what was shown can still be read
        begun = self._beginning
        failed = begun is not None and begun.done() and begun.exception() is not None
        if begun is None or failed or (again and self._seat.scrollback.ended and begun.done()):
            begun = self._beginning = asyncio.get_running_loop().create_task(self._start_shell())
            begun.add_done_callback(_seen)
        await asyncio.shield(begun)
        self._check_open()

    async def _start_shell(self) -> None:
        ended = self._seat.scrollback.ended
        self._seat.scrollback.reopen()
        try:
            await self._channel.start()
        except TerminalError:
            if ended:
                self._seat.scrollback.finish()
            raise

    async def _render(self) -> tuple[list[str], int]:
        scrollback = self._seat.scrollback
        part = scrollback.read(self._screen_at)
        cols, rows = self._seat.cols, self._seat.rows
        if self._screen is None or part.dropped or len(part.text) > SCREEN_REPLAY:
            self._screen = Screen(cols, rows)
            part = scrollback.read(max(0, scrollback.end - SCREEN_REPLAY))
        screen, self._screen = self._screen, None  # not kept if the wait for the thread is cancelled
        lines = await asyncio.to_thread(_rendered, screen, part.text, cols, rows)
        self._screen = screen
        self._screen_at = part.cursor
        return lines, part.cursor

    def _check_open(self) -> None:
        if self.closed:
            raise TerminalError("This session has been closed; open another one.", code="session_closed")

    @contextmanager
    def _in_use(self) -> Iterator[None]:
        self._check_open()
        self._users += 1
        self._touch()
        try:
            yield
        finally:
            self._users -= 1
            self._touch()

    def _touch(self) -> None:
        self._used_at = time.monotonic()
        self._last = self._clock()


async def _unless_cancelled(job: asyncio.Task[CommandResult], stop: asyncio.Event) -> CommandResult:
    """The job's result. When the wait for it is cancelled, the job is told to stop, and has stopped, before that."""
    try:
        return await asyncio.shield(job)
    except asyncio.CancelledError:
        stop.set()
        with anyio.CancelScope(shield=True):
            await asyncio.wait({job})
        _seen(job)
        raise


def _seen(task: "asyncio.Task[Any]") -> None:
    """Whoever waited for it may have left; its failure is not to be reported as one that nobody saw."""
    if not task.cancelled():
        task.exception()


def _rendered(screen: Screen, text: str, cols: int, rows: int) -> list[str]:
    screen.resize(cols, rows)
    screen.feed(text)
    return screen.lines


def _type(target: Target) -> SessionType:
    if isinstance(target, SshTarget):
        return "ssh"
    return "local" if isinstance(target, LocalTarget) else "telnet"
