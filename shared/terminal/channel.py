"""The seam between sessions, single commands and the three kinds of target."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from secrets import token_hex
from typing import Protocol, TypeVar

from shared.domain.signals import SignalName
from shared.domain.targets import LocalTarget, SshTarget
from shared.domain.terminal import CommandResult, LoginStanding, OutputStream
from shared.terminal.scrollback import Scrollback

OutputListener = Callable[[OutputStream, str], None]
AnyTarget = TypeVar("AnyTarget", contravariant=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """A command to run: seconds it gets, bytes to keep of each stream, and who is told of output as it comes.

    `sink` gives what takes in all of a stream, to be kept where the result is cut; from `keep_from` bytes on it is kept
    even if the result is whole. `permit` is asked once nothing runs before it any more, and raises where it may not run after all.
    `sudo` runs it as root, on hosts over SSH.
    """

    text: str
    timeout: float
    max_output_bytes: int
    stdin: bytes | None = field(default=None, repr=False)
    cwd: str | None = None
    env: Mapping[str, str] = field(default_factory=dict, repr=False)
    on_output: OutputListener | None = None
    permit: Callable[[], Awaitable[None]] | None = field(default=None, repr=False)
    sink: Callable[[OutputStream], Callable[[bytes], None]] | None = field(default=None, repr=False)
    keep_from: int | None = None
    sudo: bool = False

    def kept(self, stream: OutputStream) -> Callable[[bytes], None] | None:
        """What takes in all of one of the streams."""
        return None if self.sink is None else self.sink(stream)

    def listener(self, stream: OutputStream) -> Callable[[str], None] | None:
        """Who is told of one of the streams."""
        on_output = self.on_output
        return (lambda text: on_output(stream, text)) if on_output else None


@dataclass(slots=True)
class Seat:
    """The session's side of a channel: where its interactive output goes, and the size of its screen.

    `marker` is what the processes of the session are found by; it tells nobody which session that is. `exit_code` is
    that of the shell or program on its terminal, once it has ended. `reason` says why the target cannot be used just
    now, where that is known; `hides_input`, whether what is typed now is known not to be shown; `shell_waits`,
    whether the interactive shell is known to wait for input. `login` tells what became of stored credentials that are
    typed at prompts. `followers` are live terminals, which answer themselves what a host asks of a terminal.
    """

    scrollback: Scrollback
    cols: int = 80
    rows: int = 24
    marker: str = field(default_factory=lambda: token_hex(16))
    reason: str | None = None
    exit_code: int | None = None
    login: LoginStanding | None = None
    hides_input: Callable[[], bool] = lambda: False
    shell_waits: Callable[[], bool] = lambda: False
    followers: int = 0

    @property
    def about_login(self) -> str | None:
        """What there is to know of a login that did not go to its end."""
        match self.login:
            case "not_asked":
                return "The host has not asked for the stored password or name, so the gateway has not logged in."
            case "unconfirmed":
                return "The password was typed, but the host has shown no prompt since, so it may not be logged in."
            case _:
                return None

    def let_go(self) -> None:
        """Forget the channel once it is closed: they refer to each other, and would keep the scrollback in memory."""
        self.hides_input = lambda: True
        self.shell_waits = lambda: False
        self.scrollback.flow.attach(bool)


@dataclass(frozen=True, slots=True)
class Inherited:
    """What a command takes over from those before it: exported variables, and the umask in octal; empty where not known."""

    variables: Mapping[str, str] = field(default_factory=dict, repr=False)
    umask: str = ""


class Executor(Protocol):
    """Commands on one open target, each from its beginning to its end.

    `execute` and `aclose` run in tasks that are never cancelled; `execute` ends early, its processes with it, when
    `stop` is set. One command runs at a time.
    """

    @property
    def connected(self) -> bool:
        """Whether the target can still be used."""

    @property
    def inherited(self) -> Inherited:
        """What the next command takes over from those before it, as far as that is known here."""

    async def execute(self, command: Command, stop: asyncio.Event) -> CommandResult:
        """Run a command to its end. Raises TerminalError, and Unsupported where there is no such thing."""

    async def aclose(self) -> None:
        """End everything that was started here; nothing of it is left afterwards."""


class Channel(Executor, Protocol):
    """An open target with a terminal beside its commands, on which at most one interactive shell runs.

    `start` runs in a task that is never cancelled.
    """

    async def start(self) -> None:
        """Start the interactive shell, whose output goes to the scrollback. Raises TerminalError."""

    def send(self, data: bytes) -> None:
        """Type into the interactive shell. Raises TerminalError."""

    async def signal(self, name: SignalName) -> None:
        """Send a signal to the job in front on the terminal. Raises Unsupported, TerminalError."""

    def resize(self) -> None:
        """Tell the interactive shell the size that the seat has now."""

    async def runs_jobs(self) -> bool:
        """Whether something runs here but a shell that waits, as far as the target tells. Raises GatewayError."""


class Opener(Protocol[AnyTarget]):
    """Opens channels to one kind of target."""

    async def open(self, target: AnyTarget, seat: Seat) -> Channel:
        """Raises TerminalError, HostKeyChanged, InvalidInput, Forbidden."""


class SshOpener(Opener[SshTarget], Protocol):
    """Connects to hosts over SSH, for sessions and for single commands."""

    async def open(self, target: SshTarget, seat: Seat, *, owner: str = "") -> Channel:
        """Raises as any opener, and Conflict (code_required) while a host waits for a person's answer."""

    async def executor(self, target: SshTarget, *, owner: str = "") -> Executor:
        """Raises as `open` does."""


class LocalOpener(Opener[LocalTarget], Protocol):
    """Starts shells on this machine, for sessions and for single commands, by processes that are to be ended last."""

    async def open(self, target: LocalTarget, seat: Seat, *, owner: str = "") -> Channel:
        """Raises InvalidInput. Sessions of different owners are kept apart as far as the sandbox can."""

    async def executor(self, target: LocalTarget, *, owner: str = "") -> Executor:
        """Raises as `open` does."""

    async def aclose(self) -> None:
        """End them."""
