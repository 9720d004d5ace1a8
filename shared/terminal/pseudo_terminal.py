"""The terminal of a local session: a program on a pseudo-terminal whose output goes to the scrollback."""

import asyncio
import os
import signal
import termios
from collections.abc import Mapping, Sequence

from shared.errors import TerminalError
from shared.terminal import job_control
from shared.terminal.channel import Seat
from shared.terminal.child import Child, Launch, Reader, Writer
from shared.terminal.local_run import Start
from shared.terminal.notices import notice
from shared.terminal.shell_state import ShellState


class PseudoTerminal:
    """A program on a terminal of its own, from its start to its end."""

    def __init__(self, child: Child, master: int, seat: Seat, shell: str) -> None:
        self.child = child
        self._seat = seat
        self._shell = shell
        self._writer = Writer(os.dup(master))
        self._size = os.dup(master)
        self._reader = Reader(master, seat.scrollback.feed)
        seat.scrollback.flow.attach(self._reader.hold)
        seat.hides_input = self._hides_input
        seat.shell_waits = self._shell_waits
        self._ending = asyncio.get_running_loop().create_task(self._end_with_child())

    @classmethod
    async def begin(
        cls,
        start: Start,
        arguments: Sequence[str],
        state: ShellState,
        seat: Seat,
        *,
        env: Mapping[str, str],
        shell: str = "",
    ) -> "PseudoTerminal":
        """Start the program, which is an interactive shell where that is named. Raises OSError."""
        launch = Launch(
            arguments=arguments,
            env={**state.env, **env, "PWD": state.cwd},
            cwd=state.cwd,
            umask=state.umask,
            terminal=(seat.rows, seat.cols),
        )
        child = await start(launch)
        master, child.terminal = child.terminal, None
        if master is None:
            await child.end(signal.SIGHUP)
            raise OSError(0, "it got no terminal")
        return cls(child, master, seat, shell)

    def send(self, data: bytes) -> None:
        """Type. Raises TerminalError when the program has left too much unread."""
        if len(data) > self._writer.room:
            raise TerminalError(
                "The program in this session does not read its input; interrupt it with the signal INT "
                "(a key would wait behind what is typed already), or close the session.",
                code="input_not_read",
            )
        self._writer.write(data)

    def resize(self, cols: int, rows: int) -> None:
        """Change the size; the program in front gets SIGWINCH."""
        if not self._writer.closed:
            termios.tcsetwinsize(self._size, (rows, cols))

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the process group in front. Raises TerminalError where that has gone."""
        try:
            group = 0 if self._writer.closed else os.tcgetpgrp(self._size)
            if group <= 0:
                raise ProcessLookupError
            os.killpg(group, number)
        except OSError as error:
            raise TerminalError(
                "The signal found nobody: what ran in front has just ended.", code="nothing_runs"
            ) from error

    @property
    def has_jobs(self) -> bool:
        """Whether something runs on it, or was left behind by it, beside the program that it was begun with."""
        if self._writer.closed:
            return self.child.exited.is_set() and not self.child.gone.is_set()
        try:
            return job_control.has_jobs(self._size)
        except OSError:  # it has just ended
            return False

    def _shell_waits(self) -> bool:
        """Whether the shell is in front and reads; false where that is not known."""
        if not self._shell or self._writer.closed:
            return False
        try:
            return job_control.shell_waits(self._size, self._shell)
        except (OSError, termios.error):  # it has just ended
            return False

    def _hides_input(self) -> bool:
        """Whether a program reads a line with the echo off, as those do that ask for a password.

        Line editors turn off both, and show what is typed themselves.
        """
        if self._writer.closed:
            return True
        modes = termios.tcgetattr(self._size)[3]
        return bool(modes & termios.ICANON) and not modes & termios.ECHO

    def hang_up(self) -> None:
        """Type nothing more."""
        self._writer.close()

    async def aclose(self) -> None:
        """Once its processes have ended: let go of the terminal."""
        if self.child.exited.is_set():
            await self._ending

    async def _end_with_child(self) -> None:
        await self.child.exited.wait()
        self._reader.drain()
        self._reader.close()
        self._writer.close()
        os.close(self._size)
        self._seat.exit_code = self.child.exit_code
        if self.child.notice:
            self._seat.reason = self.child.notice
            self._seat.scrollback.feed(notice(self.child.notice))
        self._seat.scrollback.finish()
