"""One terminal session: its commands one after the other, its interactive shell, and those who read it."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from datetime import datetime

from shared.domain.signals import SignalName
from shared.domain.targets import SshTarget, Target, background_of, type_of, without_sandbox
from shared.domain.terminal import CommandResult, SessionInfo
from shared.errors import Conflict, GatewayError, TerminalError, Unsupported
from shared.security.redaction import Redactor
from shared.terminal.answers import Answers, check_prompt, secret_of
from shared.terminal.channel import Channel, Command, Inherited, Seat
from shared.terminal.display import Display, Rendering
from shared.terminal.execs import shutting_down
from shared.terminal.files import Files, HasFiles
from shared.terminal.jobs import unless_cancelled
from shared.terminal.kept_outputs import KeptOutputs
from shared.terminal.keys import Input, Modes, in_encoding
from shared.terminal.notices import notice
from shared.terminal.prompts import Prompts
from shared.terminal.recording_channel import RecordedChannel, unrecorded
from shared.terminal.scrollback import Scrollback, Slice
from shared.terminal.transfers import Transfers
from shared.terminal.turns import Turns
from shared.terminal.uses import Uses, now
from shared.terminal.waits import Outcome, Waiting, Wanted
from shared.terminal.watchers import Watchers

ANSWER_QUIET = 0.1
"""Seconds without output after which a line counts as a prompt that stands there."""


class Session:
    """An open session. Who may use it is decided by Sessions."""

    def __init__(
        self,
        session_id: str,
        owner: str,
        target: Target,
        seat: Seat,
        channel: Channel,
        outputs: KeptOutputs,
        *,
        redactor: Redactor,
        title: str | None = None,
        clock: Callable[[], datetime] = now,
    ) -> None:
        self.id = session_id
        self.owner = owner
        self.closed = self._shutting_down = False
        self.transfers = Transfers()
        self.watchers = Watchers(clock)
        self.directory: str | None = None  # of its commands, once one has told
        self._target = target
        self._title = title
        self._seat = seat
        self._channel = channel
        self._outputs = outputs
        self._created = clock()
        self._uses = Uses(clock)
        self._turns = Turns(redactor, clock)
        self._job: tuple[asyncio.Task[CommandResult], asyncio.Event] | None = None
        self._beginning: asyncio.Task[None] | None = None
        self._ending: asyncio.Task[None] | None = None
        self._running: asyncio.Task[None] | None = None
        self._read_up_to: dict[str, int] = {}
        self._display = Display(seat)
        self._prompts = Prompts(seat)

    @property
    def info(self) -> SessionInfo:
        """What listings show."""
        remote = self._target.login if isinstance(self._target, SshTarget) else self._target
        return SessionInfo(
            id=self.id,
            type=type_of(self._target),
            created_at=self._created,
            connected=self.connected,
            last_activity=self._uses.last,
            host=getattr(remote, "host", None),
            port=getattr(remote, "port", None),
            username=getattr(remote, "username", None),
            title=self._title,
            exit_code=self._seat.exit_code,
            busy=self._turns.busy,
            recording=isinstance(self._channel, RecordedChannel) and self._channel.recording,
            background=background_of(self._target) is not None,
            sandbox=not without_sandbox(self._target),
            login=self._seat.login,
            reason=self._seat.about_login if self.connected else self._why_ended(),
            watchers=self.watchers.shown,
            transfers=self.transfers.now,
        )

    def _why_ended(self) -> str | None:
        if self._seat.reason or self.closed or not self._channel.connected:
            return self._seat.reason
        shell = background_of(self._target) is None
        return "The shell has ended; typing starts a new one." if shell else "The command has ended."

    @property
    def connected(self) -> bool:
        """False once the connection, or the interactive shell, has ended."""
        return not self.closed and self._channel.connected and not self._seat.scrollback.ended

    @property
    def inherited(self) -> Inherited:
        """What its next command takes over from those before it, as far as that is known here."""
        return self._channel.inherited

    @property
    def in_use(self) -> bool:
        """Whether somebody uses it just now."""
        return self._uses.now > 0

    @property
    def idle_seconds(self) -> float:
        """Seconds since it was used or showed something; 0 during a use, and while a command in the background runs."""
        return min(self._uses.idle_seconds, time.monotonic() - self._seat.scrollback.fed_at)

    async def runs_jobs(self) -> bool:
        """Whether something runs in it but a shell that waits, which counts as use."""
        try:
            runs = await self._channel.runs_jobs()
        except GatewayError:  # such a host does not tell
            return False
        if runs:
            self._uses.touch()
        return runs

    async def execute(self, command: Command) -> CommandResult:
        """Run a command, after those that were asked for before it, within its time. Cancelling it ends its processes.

        Raises Conflict when those take too long, TerminalError, also when the session is closed meanwhile, and Unsupported.
        """
        with self._in_use():
            async with self._turns.take(command) as turn:
                self._check_open()
                if command.permit is not None:
                    await command.permit()
                    self._check_open()
                stop = asyncio.Event()
                running = self._outputs.keeping(self.owner, turn.command, self._channel.execute, stop)
                job = asyncio.get_running_loop().create_task(running)
                job.add_done_callback(self._moved)
                self._job = job, stop
                try:
                    result = await unless_cancelled(job, stop)
                except TerminalError:
                    self._check_open()
                    raise
                finally:
                    self._job = None
                self._check_open()
                return turn.told(result)

    def _moved(self, job: "asyncio.Task[CommandResult] | asyncio.Task[None]") -> None:
        """Note where a command or a start has left the session, also when nobody waits for its result."""
        if job.cancelled():
            return
        error = job.exception()
        if error is None and (result := job.result()) is not None:
            self.directory = result.cwd
        elif isinstance(error, TerminalError) and error.code == "directory_gone" and isinstance(error.details, dict):
            self.directory = error.details["cwd"]

    @property
    def size(self) -> tuple[int, int]:
        """The columns and rows of the terminal."""
        return self._seat.cols, self._seat.rows

    @property
    def end_cursor(self) -> int:
        """The cursor after all that was shown so far."""
        return self._seat.scrollback.end

    @property
    def shell_runs(self) -> bool:
        """Whether there is an interactive shell, or a command in the background, that has not ended."""
        return self._beginning is not None and not self._seat.scrollback.ended

    @property
    def runs_command(self) -> bool:
        """Whether it runs a command that was asked for, or one in the background; typed ones are not known here."""
        return self._turns.taken or (self._running is not None and not self._running.done())

    def say(self, text: str) -> None:
        """Show a line of the gateway's own on the terminal, where something runs on it."""
        if self.shell_runs:
            self._seat.scrollback.feed(notice(text))

    @property
    def ended_shell(self) -> bool:
        """Whether there was one, and it has ended."""
        return self._beginning is not None and self._seat.scrollback.ended

    async def start(self) -> None:
        """Start the interactive shell where none runs. Raises TerminalError."""
        with self._in_use():
            await self._begin(again=True)

    async def signal(self, name: SignalName) -> None:
        """Send a signal to the job in front. Raises Conflict where nothing runs, Unsupported, TerminalError."""
        with self._in_use():
            if not self.shell_runs:
                raise Conflict("Nothing that could get a signal runs on this terminal.", code="nothing_runs")
            await self._channel.signal(name)
            self._check_open()

    async def send(self, data: str | Input) -> int:
        """Type into the interactive shell, starting one where there is none; the cursor that what follows begins at.

        Raises TerminalError, and InvalidInput for characters that the session's encoding does not have.
        """
        given = Input(text=data) if isinstance(data, str) else data
        with self._in_use():
            await self._begin(again=True)
            typed = in_encoding(given.encoded(await self._modes(given)), self._seat.scrollback.encoding)
            self._check_open()
            cursor = self._seat.scrollback.end
            self._prompts.answered(self._display)
            self._channel.send(typed)
            return cursor

    async def wait(self, wanted: Wanted, *, after: int | None = None) -> Outcome:
        """Until what is wanted has come after the cursor; without one, from now on. Raises TerminalError."""
        with self._in_use():
            await self._begin()
            scrollback = self._seat.scrollback
            begin = scrollback.end if after is None else min(after, scrollback.end)
            outcome = await Waiting(scrollback, self._display, begin, self._prompts.look).until(wanted)
            self._check_open()
            return outcome

    @asynccontextmanager
    async def files(self) -> AsyncIterator[Files]:
        """The files of the target. Raises Unsupported where there is no way to them, TerminalError."""
        with self._in_use():
            channel = unrecorded(self._channel)
            if not isinstance(channel, HasFiles):
                raise Unsupported(
                    f"Files are for sessions over SSH; this one is {type_of(self._target)}. Use commands instead.",
                )
            async with channel.files() as files:
                yield files

    async def answer(self, *, timeout: float) -> None:
        """Type the password that the session was opened with, once a program asks for it; no recording has it.

        Raises Conflict when none asks in that time, Unsupported, TerminalError.
        """
        secret, channel = secret_of(self._target), unrecorded(self._channel)
        asked = await self.wait(Wanted(kind="prompt", timeout=timeout, quiet=ANSWER_QUIET))
        check_prompt(asked.match if asked.reason == "password" else None)
        with self._in_use():
            if isinstance(channel, Answers):
                channel.answer(secret)

    async def resize(self, cols: int, rows: int) -> None:
        """Change the size of the terminal. Raises TerminalError."""
        with self._in_use():
            self._seat.cols, self._seat.rows = cols, rows
            await self._begin()
            self._channel.resize()

    async def read(self, reader: str, *, cursor: int | None = None, wait: float = 0, strip: bool = False) -> Slice:
        """What came after the cursor; without one, what this reader has not read yet. Waits for something new.

        With `strip`, without control sequences; one that is not whole yet stays for the next time.
        """
        with self._in_use():
            await self._begin()
            until, after = time.monotonic() + wait, self._read_up_to.get(reader, 0) if cursor is None else cursor
            self._seat.scrollback.flow.claim(reader, after)
            await self._something_new(after, wait)
            part = self._part(reader, cursor, strip)
            if not part.text and part.cursor < self.end_cursor:  # no more than half a sequence
                await self._something_new(self.end_cursor, max(0, until - time.monotonic()))
                part = self._part(reader, cursor, strip)
            if cursor is None:
                self._read_up_to[reader] = part.cursor
            self._seat.scrollback.flow.claim(reader, part.cursor)
            return part

    async def held(self) -> Scrollback:
        """The scrollback, for a search of all that it holds."""
        with self._in_use():
            await self._begin()
            return self._seat.scrollback

    @asynccontextmanager
    async def follow(self, after: int = 0) -> AsyncIterator[AsyncIterator[Slice]]:
        """Everything after the cursor as it comes, until the shell or the connection ends."""
        with self._in_use():
            await self._begin()
            self._seat.followers += 1
            try:
                yield self._seat.scrollback.follow(after)
            finally:
                self._seat.followers -= 1

    async def screen(self, *, after: int | None = None, wait: float = 0) -> Rendering:
        """The rendered screen, and which rows of it have changed after the cursor.

        With `wait`, once there is something after the cursor (without one: after the last rendering).
        """
        with self._in_use():
            await self._begin()
            await self._something_new(self._display.cursor if after is None else after, wait)
            return await self._display.view(after)

    @property
    def kept_bytes(self) -> int:
        """Bytes of its scrollback."""
        return self._seat.scrollback.size

    def end(self, *, shutting_down: bool = False) -> asyncio.Task[None]:
        """Begin to end everything that was started here, and tell callers that wait; nothing is left when the task is done."""
        if self._ending is None:
            self.closed, self._shutting_down = True, shutting_down
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
        if self._running is not None:
            await asyncio.wait({self._running})
        await self._display.settle()
        self._seat.let_go()

    def _part(self, reader: str, cursor: int | None, strip: bool) -> Slice:
        part = self._seat.scrollback.read(self._read_up_to.get(reader, 0) if cursor is None else cursor)
        return part.stripped(last=self._seat.scrollback.ended) if strip else part

    async def _something_new(self, after: int, wait: float) -> None:
        if wait:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._seat.scrollback.wait(after), wait)

    async def _begin(self, *, again: bool = False) -> None:
        """See to it that there is an interactive shell; `again` also after one has ended."""
        self._check_open()
        if not again and (self._seat.scrollback.ended or not self._channel.connected):
            return  # what was shown can still be read
        begun = self._beginning
        failed = begun is not None and begun.done() and begun.exception() is not None
        if begun is None or failed or (again and self._seat.scrollback.ended and begun.done()):
            begun = self._beginning = asyncio.get_running_loop().create_task(self._start_shell())
            begun.add_done_callback(self._moved)
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
        if background_of(self._target) is not None:
            self._running = asyncio.get_running_loop().create_task(self._use_while_it_runs())

    async def _use_while_it_runs(self) -> None:
        """What runs in the background needs nobody to look; once it has ended there is time to read it."""
        scrollback = self._seat.scrollback
        with self._uses.during():
            while not scrollback.ended:
                await scrollback.wait(scrollback.end)

    async def _modes(self, given: Input) -> Modes:
        return await self._display.modes() if given.needs_modes else Modes()

    def _check_open(self) -> None:
        if self.closed:
            if self._shutting_down:
                raise shutting_down()
            raise TerminalError("This session has been closed; open another one.", code="session_closed")

    @contextmanager
    def _in_use(self) -> Iterator[None]:
        self._check_open()
        with self._uses.during():
            yield
