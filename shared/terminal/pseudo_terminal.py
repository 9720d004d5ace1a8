"""The interactive shell of a local session: a pseudo-terminal whose output goes to the scrollback."""

import asyncio
import fcntl
import os
import struct
import termios

from shared.errors import TerminalError
from shared.terminal import process_tree
from shared.terminal.channel import Seat
from shared.terminal.child import Child, Launch, Reader, Writer
from shared.terminal.environment import INTERACTIVE
from shared.terminal.shell_state import ShellState

TAKE_TERMINAL = 'exec <>"$0" >&0 2>&0 && exec "$@"'
"""Opening a terminal makes it the controlling one of a session leader that has none. Doing that in a shell spares
code between fork and exec, which is not safe in a process with threads."""


class PseudoTerminal:
    """A shell on a terminal of its own, from its start to its end."""

    def __init__(self, child: Child, master: int, slave: int, seat: Seat) -> None:
        self._child = child
        self._seat = seat
        self._slave = slave  # held open, or the reader would see an end before the shell has opened it
        self._writer = Writer(os.dup(master))
        self._reader = Reader(master, seat.scrollback.feed)
        self._ending = asyncio.get_running_loop().create_task(self._end_with_child())

    @classmethod
    async def start(cls, shell: str, state: ShellState, seat: Seat, marker: str) -> "PseudoTerminal":
        """Start the shell. Raises OSError."""
        master, slave = os.openpty()
        try:
            _set_size(master, seat.cols, seat.rows)
            launch = Launch(
                arguments=["/bin/sh", "-c", TAKE_TERMINAL, os.ttyname(slave), shell, "-i"],
                env={**state.env, **INTERACTIVE, "PWD": state.cwd, process_tree.MARKER: marker},
                cwd=state.cwd,
                umask=state.umask,
            )
            child = await Child.start(launch)
        except BaseException:
            os.close(master)
            os.close(slave)
            raise
        return cls(child, master, slave, seat)

    @property
    def root(self) -> process_tree.Root:
        """The shell itself."""
        return self._child.root

    def send(self, data: bytes) -> None:
        """Type. Raises TerminalError when the program has left too much unread."""
        if len(data) > self._writer.room:
            raise TerminalError(
                "The program in this session does not read its input; interrupt it (send U+0003) or close the session.",
                code="input_not_read",
            )
        self._writer.write(data)

    def resize(self, cols: int, rows: int) -> None:
        """Change the size; the program in front gets SIGWINCH."""
        if not self._writer.closed:
            _set_size(self._slave, cols, rows)

    def hang_up(self) -> None:
        """Type nothing more."""
        self._writer.close()

    async def aclose(self) -> None:
        """Once its processes have ended: let go of the terminal."""
        await self._child.reaped()
        if self._child.exited.is_set():
            await self._ending

    async def _end_with_child(self) -> None:
        await self._child.exited.wait()
        self._reader.drain()
        self._reader.close()
        self._writer.close()
        os.close(self._slave)
        self._seat.scrollback.finish()


def _set_size(descriptor: int, cols: int, rows: int) -> None:
    fcntl.ioctl(descriptor, termios.TIOCSWINSZ, struct.pack("HHHH", rows, cols, 0, 0))
