"""Sessions on this machine: commands, and beside them one interactive shell on a pseudo-terminal."""

import asyncio
import os
import signal
from collections.abc import Iterable, Mapping

from shared.domain.identity import is_key_id
from shared.domain.signals import SignalName
from shared.domain.targets import LocalTarget
from shared.errors import GatewayError, TerminalError, invalid_field
from shared.terminal import shell_state
from shared.terminal.channel import Channel, Executor, Seat
from shared.terminal.egress import Egress
from shared.terminal.environment import INTERACTIVE, NON_INTERACTIVE, child_environment, find_shell
from shared.terminal.keepers import Keepers, View
from shared.terminal.local_executor import LocalExecutor, Place, Shells, directory
from shared.terminal.local_run import not_started, shown
from shared.terminal.notices import new_shell
from shared.terminal.pseudo_terminal import PseudoTerminal
from shared.terminal.sandbox import Sandbox
from shared.terminal.shell_state import ShellState

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
        return LocalChannel(seat, *await self._prepared(target, owner), background=target.background)

    async def executor(self, target: LocalTarget, *, owner: str = "") -> Executor:
        """What runs commands without a session; no process is started yet."""
        return LocalExecutor(*await self._prepared(target, owner))

    async def aclose(self) -> None:
        """End what starts the processes, once all sessions are closed."""
        await asyncio.gather(self._keepers.aclose(), self._unheld.aclose())

    async def _prepared(self, target: LocalTarget, owner: str) -> tuple[Shells, ShellState, Place]:
        """The shells, the state to begin with and the place. Raises InvalidInput, TerminalError."""
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
        return Shells(shell, command_shell), ShellState(cwd or "/", env), place

    def _where(
        self, sandbox: Sandbox, env: Mapping[str, str], target: LocalTarget, *, here_counts: bool
    ) -> tuple[str | None, tuple[str, ...]]:
        """The directory to begin in, if it exists, and those that may be written: of the gateway's home, not the caller's.

        An API key makes no directory writable by opening a session in it.
        """
        cwd = directory(env, env.get("HOME", "/"), target.cwd or "~")
        return cwd, sandbox.writable(self._env["HOME"], cwd if target.cwd and here_counts else None)


class LocalChannel(LocalExecutor):
    """A session on this machine. With `background`, its terminal runs that command instead of an interactive shell."""

    def __init__(
        self, seat: Seat, shells: Shells, state: ShellState, place: Place, *, background: str | None = None
    ) -> None:
        super().__init__(shells, state, place)
        self._seat = seat
        self._background = background
        self._terminal: PseudoTerminal | None = None

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
        if self._terminal is not None:
            self._terminal.hang_up()
        await super().aclose()
        if self._terminal is not None:
            await self._terminal.aclose()


def _no_shell(wanted: str | None, configured: str) -> GatewayError:
    if wanted:
        return invalid_field("shell", f"there is no such program: {wanted}")
    return TerminalError(
        f"The setting TERMINAL_SHELL names a program that is not there: {configured}. Correct it, or name another in 'shell'.",
        code="shell_not_started",
    )
