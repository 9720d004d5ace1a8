"""Commands on this machine: each in a fresh shell, which hands on its state to the next."""

import asyncio
import os
import signal
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass

from shared.domain.terminal import CommandResult
from shared.errors import TerminalError, Unsupported, invalid_field
from shared.terminal import shell_state
from shared.terminal.channel import Command, Inherited
from shared.terminal.child import Child, Launch, Reader
from shared.terminal.egress import Way
from shared.terminal.environment import NON_INTERACTIVE
from shared.terminal.keepers import Keepers, View
from shared.terminal.local_run import LocalRun, shown
from shared.terminal.shell_state import ShellState

MAX_LINGERING = 16


@dataclass(frozen=True, slots=True)
class Place:
    """Where processes are started: by a keeper for what they see, with a way out where there is one."""

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


class LocalExecutor:
    """Commands on this machine, one at a time, with what the ones before have set."""

    def __init__(self, shells: Shells, state: ShellState, place: Place) -> None:
        self.connected = True
        self._shells = shells
        self._first = state
        self._state = ShellState(state.cwd, {**NON_INTERACTIVE, **state.env})
        self._place = place
        self._lingering: deque[Reader] = deque()
        self._children: set[Child] = set()

    @property
    def inherited(self) -> Inherited:
        """The exported variables and the umask that the next command starts with."""
        return shell_state.inherited(self._state)

    async def execute(self, command: Command, stop: asyncio.Event) -> CommandResult:
        """Run a command in a fresh shell that takes over the state of the one before it."""
        if command.sudo:
            raise Unsupported("'sudo' is for sessions and saved connections over SSH; leave it out.")
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

    async def aclose(self) -> None:
        """End every process that was started here, those left in the background by commands included."""
        self.connected = False
        await asyncio.gather(*(child.end(signal.SIGHUP) for child in self._children))
        while self._lingering:
            self._lingering.pop().close()
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
        cwd = directory(self._state.env, self._state.cwd, path)
        if cwd is None:
            raise invalid_field("cwd", "there is no such directory")
        return ShellState(cwd, self._state.env, self._state.umask)

    def _trim(self) -> None:
        self._lingering = deque(reader for reader in self._lingering if not reader.ended.is_set())
        while len(self._lingering) > MAX_LINGERING:
            self._lingering.popleft().close()


def directory(env: Mapping[str, str], base: str, path: str) -> str | None:
    """The directory that is meant, if it exists: `~` is home, and a relative path starts at `base`."""
    if path == "~" or path.startswith("~/"):
        path = env.get("HOME", "/") + path[1:]
    whole = os.path.normpath(os.path.join(base, path))
    return whole if os.path.isdir(whole) else None
