"""Sessions on this machine: commands in fresh shells that hand on their state, and one interactive shell."""

import asyncio
import os
import signal
from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from shared.domain.identity import is_key_id
from shared.domain.signals import SignalName
from shared.domain.targets import LocalTarget
from shared.domain.terminal import CommandResult
from shared.errors import GatewayError, TerminalError, invalid_field
from shared.terminal import shell_state
from shared.terminal.channel import Channel, Command, Inherited, Seat
from shared.terminal.child import Child, Launch, Reader
from shared.terminal.egress import Egress, Way
from shared.terminal.environment import INTERACTIVE, NON_INTERACTIVE, child_environment, find_shell
from shared.terminal.keepers import Keepers, View
from shared.terminal.local_run import LocalRun, not_started, shown
from shared.terminal.notices import new_shell
from shared.terminal.pseudo_terminal import PseudoTerminal
from shared.terminal.sandbox import Sandbox
from shared.terminal.shell_state import ShellState

MAX_LINGERING = 16
AGENT = "SSH_AUTH_SOCK"
"""It leads to the keys of the gateway's user, which are not for those who come with an API key."""


class LocalShells:
    """Opens sessions on this machine. `environ` is what the allow-list picks from, `env_allow` adds names to it.

    `egress` is the way out of a sandbox whose rules list hosts.
    """

    def __init__(
        self,
        environ: Mapping[str, str],
        *,
        shell: str = "",
        env_allow: Iterable[str] = (),
        sandbox: Sandbox | None = None,
        egress: Egress | None = None,
    ) -> None:
        self._env = child_environment(environ, env_allow)
        self._shell = shell
        self._keepers = Keepers(sandbox or Sandbox(), egress=egress)
        self._unheld = Keepers(self._keepers.sandbox.lifted())

    async def open(self, target: LocalTarget, seat: Seat, *, owner: str = "") -> Channel:
        """A session; no process is started yet. Those of one owner see each other's processes, in a sandbox."""
        of_key = is_key_id(owner)
        env = {**{name: value for name, value in self._env.items() if name != AGENT or not of_key}, **target.env}
        shell = find_shell(target.shell or self._shell, env)
        if shell is None:
            raise _no_shell(target.shell, self._shell)
        keepers = self._keepers if target.sandbox else self._unheld
        cwd, writable = await asyncio.to_thread(self._where, keepers.sandbox, env, target, here_counts=not of_key)
        if cwd is None and target.cwd:
            raise invalid_field("cwd", "there is no such directory")
        parted = owner if keepers.sandbox.kind != "none" else ""
        way = None if keepers.egress is None else keepers.egress.way(parted)
        if way is not None:
            env = {**env, **way.environment, **target.env}
        place = Place(keepers, View(writable, parted, agent=not of_key), way)
        posix = os.path.basename(shell) in shell_state.POSIX_SHELLS
        command_shell = shell if posix else None if target.shell else find_shell("", env)
        shells = Shells(shell, command_shell)
        return LocalChannel(seat, shells, ShellState(cwd or "/", env), place, background=target.background)

    async def aclose(self) -> None:
        """End what starts the processes, once all sessions are closed."""
        await asyncio.gather(self._keepers.aclose(), self._unheld.aclose())

    def _where(
        self, sandbox: Sandbox, env: Mapping[str, str], target: LocalTarget, *, here_counts: bool
    ) -> tuple[str | None, tuple[str, ...]]:
        """The directory to begin in, if it exists, and those that may be written: of the gateway's home, not the caller's.

        An API key makes no directory writable by opening a session in it.
        """
        cwd = _directory(env, env.get("HOME", "/"), target.cwd or "~")
        return cwd, sandbox.writable(self._env["HOME"], cwd if target.cwd and here_counts else None)


@dataclass(frozen=True, slots=True)
class Place:
    """Where a session's processes are started: by a keeper for what they see, with a way out where there is one."""

    keepers: Keepers
    view: View
    way: Way | None = None

    async def start(self, launch: Launch) -> Child:
        """Start a process. Raises OSError."""
        return await self.keepers.child(self.view, launch)

    def begin(self, command: str) -> None:
        """Note that a command begins."""
        if self.way is not None:
            self.way.begin(command)

    def told(self) -> str | None:
        """What the result of the command says of the connections that were refused to it."""
        return None if self.way is None else self.way.told()

    def leave(self) -> None:
        """Give the way out back."""
        if self.way is not None and self.keepers.egress is not None:
            self.keepers.egress.close_way(self.way)


@dataclass(frozen=True, slots=True)
class Shells:
    """The interactive shell, and the one of commands: another where the gateway's own setting is no POSIX shell, and
    none where the caller asked for such a one.
    """

    interactive: str
    of_commands: str | None

    def for_commands(self) -> str:
        """Raises TerminalError."""
        if self.of_commands is None:
            raise TerminalError(
                f"Commands need a POSIX shell, and this session was opened with '{os.path.basename(self.interactive)}'. Type into its "
                "terminal instead, or open a session with the shell 'bash' or 'sh'.",
                code="shell_not_posix",
            )
        return self.of_commands


class LocalChannel:
    """A session on this machine. With `background`, its terminal runs that command instead of an interactive shell."""

    def __init__(
        self, seat: Seat, shells: Shells, state: ShellState, place: Place, *, background: str | None = None
    ) -> None:
        self.connected = True
        self._seat = seat
        self._shells = shells
        self._first = state
        self._state = ShellState(state.cwd, {**NON_INTERACTIVE, **state.env})
        self._place = place
        self._background = background
        self._lingering: deque[Reader] = deque()
        self._terminal: PseudoTerminal | None = None
        self._children: set[Child] = set()

    @property
    def inherited(self) -> Inherited:
        """The exported variables and the umask that the next command starts with."""
        return shell_state.inherited(self._state)

    async def execute(self, command: Command, stop: asyncio.Event) -> CommandResult:
        """Run a command in a fresh shell that takes over the state of the one before it."""
        shell = self._shells.for_commands()
        state = await asyncio.to_thread(self._state_in, command.cwd) if command.cwd else self._state
        env = {**state.env, **command.env, "PWD": state.cwd}
        run = LocalRun(shell, command, ShellState(state.cwd, env, state.umask))
        self._place.begin(command.text)
        try:
            await self._begin(run)
            timed_out = await run.ended(stop)
            await run.drain(self._state)
        finally:
            self._keep(run.child)
            run.release(self._lingering)
        self._trim()
        self._state = run.state_after or self._state
        return run.result(timed_out, self._state.cwd, self._place.keepers.sandbox, refused=self._place.told())

    async def start(self) -> None:
        """Start the interactive shell in the session's directory and with its variables, or the background command."""
        if self._background is not None and self._terminal is not None:
            raise TerminalError("The background command has ended; run it again.", code="command_ended")
        again, code = self._terminal is not None, self._seat.exit_code
        try:
            self._terminal = await self._begun()
        except OSError as error:
            await asyncio.to_thread(self._check_directory)
            raise not_started(error) from error
        if again:  # nothing of the new one has been read yet
            self._seat.scrollback.feed(new_shell(code, shown(self._state.cwd)))
        self._seat.exit_code = self._seat.reason = None
        self._keep(self._terminal.child)

    async def _begun(self) -> PseudoTerminal:
        if self._background is not None:
            arguments = [self._shells.for_commands(), "-c", self._background]
            return await PseudoTerminal.begin(self._place.start, arguments, self._state, self._seat, env={})
        env = {name: value for name, value in self._state.env.items() if NON_INTERACTIVE.get(name) != value}
        env.setdefault("HISTFILE", "/dev/null")  # what clients type does not belong into the user's own history
        state = ShellState(self._state.cwd, env, self._state.umask)
        shell = self._shells.interactive
        return await PseudoTerminal.begin(
            self._place.start, [shell, "-i"], state, self._seat, env=INTERACTIVE, shell=os.path.basename(shell)
        )

    def send(self, data: bytes) -> None:
        """Type into the interactive shell."""
        if self._terminal is not None:
            self._terminal.send(data)

    async def signal(self, name: SignalName) -> None:
        """Send a signal to the job in front."""
        if self._terminal is not None:
            self._terminal.signal(signal.Signals[f"SIG{name}"])

    async def runs_jobs(self) -> bool:
        """Whether a job runs on the terminal, or what a command has left running."""
        terminal = self._terminal
        left = any(
            not child.gone.is_set() for child in self._children if terminal is None or child is not terminal.child
        )
        return left or (terminal is not None and terminal.has_jobs)

    def resize(self) -> None:
        """Tell the interactive shell its new size."""
        if self._terminal is not None:
            self._terminal.resize(self._seat.cols, self._seat.rows)

    async def aclose(self) -> None:
        """End every process of the session, those left in the background by its commands included."""
        self.connected = False
        if self._terminal is not None:
            self._terminal.hang_up()
        await asyncio.gather(*(child.end(signal.SIGHUP) for child in self._children))
        while self._lingering:
            self._lingering.pop().close()
        if self._terminal is not None:
            await self._terminal.aclose()
        self._place.leave()

    def _keep(self, child: Child | None) -> None:
        """Remember it while anything of it is left."""
        self._children = {found for found in (*self._children, child) if found and not found.gone.is_set()}

    async def _begin(self, run: LocalRun) -> None:
        """Start it. The directory is looked at only if that fails: a look may wait for a disk, and needs a thread."""
        try:
            await run.start(self._place.start)
        except TerminalError:
            await asyncio.to_thread(self._check_directory)
            raise

    def _check_directory(self) -> None:
        """A directory that has gone is an error: a command must not run elsewhere instead. Raises TerminalError."""
        state = self._state
        if not os.path.isdir(state.cwd):
            self._state = ShellState(self._first.cwd if os.path.isdir(self._first.cwd) else "/", state.env, state.umask)
            raise TerminalError(
                f"The session's directory no longer exists; nothing was run, and the session is now in {self._state.cwd}.",
                code="directory_gone",
                details={"gone": shown(state.cwd), "cwd": shown(self._state.cwd)},
            )

    def _state_in(self, path: str) -> ShellState:
        """The state to start in, in another directory. Raises TerminalError, InvalidInput."""
        self._check_directory()
        cwd = _directory(self._state.env, self._state.cwd, path)
        if cwd is None:
            raise invalid_field("cwd", "there is no such directory")
        return ShellState(cwd, self._state.env, self._state.umask)

    def _trim(self) -> None:
        self._lingering = deque(reader for reader in self._lingering if not reader.ended.is_set())
        while len(self._lingering) > MAX_LINGERING:
            self._lingering.popleft().close()


def _no_shell(wanted: str | None, configured: str) -> GatewayError:
    if wanted:
        return invalid_field("shell", f"there is no such program: {wanted}")
    return TerminalError(
        f"The setting TERMINAL_SHELL names a program that is not there: {configured}. Correct it, or name another in 'shell'.",
        code="shell_not_started",
    )


def _directory(env: Mapping[str, str], base: str, path: str) -> str | None:
    """The directory that is meant, if it exists: `~` is home, and a relative path starts at `base`."""
    if path == "~" or path.startswith("~/"):
        path = env.get("HOME", "/") + path[1:]
    whole = os.path.normpath(os.path.join(base, path))
    return whole if os.path.isdir(whole) else None
