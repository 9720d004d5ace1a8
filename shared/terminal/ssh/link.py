"""The connection of a session, with the jump hosts on its way: its loss, and how it is made again."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence

from shared.errors import TerminalError, Unsupported
from shared.terminal.ssh.login import LOSS, Connection

Connect = Callable[[], Awaitable[Sequence[Connection]]]
"""Connects all the way; the connections in order, the one to the host last."""

CLOSE_TIMEOUT = 1


class Link:
    """Keeps the way to a host. `times_lost` counts how often it was made again; `on_loss` is told the reason."""

    def __init__(self, way: Sequence[Connection], connect: Connect, on_loss: Callable[[str], None]) -> None:
        self.times_lost = 0
        self.reason = ""
        self._connect = connect
        self._on_loss = on_loss
        self._making = asyncio.Lock()
        self._follow(way)

    @property
    def connected(self) -> bool:
        """Whether the connection to the host stands."""
        return not self._loss.done()

    async def connection(self) -> Connection:
        """The connection, made again where it was lost. Raises as opening a session does."""
        async with self._making:
            if not self.connected:
                self._drop()
                self._follow(await self._connect())
                self.times_lost += 1
            return self._way[-1]

    async def aclose(self) -> None:
        """End the connections, the one to the host first."""
        for connection in reversed(self._way):
            connection.close()
            try:
                await asyncio.wait_for(connection.wait_closed(), CLOSE_TIMEOUT)
            except TimeoutError:
                pass
            connection.abort()
        await asyncio.wait({self._loss}, timeout=CLOSE_TIMEOUT)

    def _follow(self, way: Sequence[Connection]) -> None:
        self._way = way
        self._loss = asyncio.get_running_loop().create_task(self._notice_loss(way[-1]))

    def _drop(self) -> None:
        for connection in reversed(self._way):
            connection.abort()

    async def _notice_loss(self, connection: Connection) -> None:
        await connection.wait_closed()
        self.reason = connection.get_extra_info(LOSS) or "the host ended it"
        self._on_loss(self.reason)


def lost(operator_detail: str = "") -> TerminalError:
    """The error for what was going on when the connection was lost."""
    return TerminalError(
        "The connection to the host was lost, and whether the work was done there is not known; the next use of the "
        "session connects again.",
        code="connection_lost",
        operator_detail=operator_detail,
    )


def refused(error: Exception, *, shell_open: bool = False) -> TerminalError:
    """The error for a channel more than the host allows; `shell_open` says that the interactive shell has one."""
    advice = (
        " This session's interactive shell is open and takes a place: type the command into it (send), end it with "
        "`exit` and run the command again, or run the command in another session."
    )
    return TerminalError(
        "The host does not run this: it refuses another command or shell, or a file transfer, on the connection."
        f"{advice if shell_open else ''}",
        code="channel_refused",
        operator_detail=str(error),
    )


def too_slow() -> TerminalError:
    """The error for a host that leaves the gateway waiting."""
    return TerminalError("The host did not answer in time; try again.", code="host_too_slow")


def no_shell(said: str) -> Unsupported:
    """The error of a host that starts no POSIX shell; `said` is its own answer."""
    answer = f" It said: {said}." if said else ""
    return Unsupported(
        f"The host runs commands on no POSIX shell, so that none can be run to its end there.{answer} Type it into the "
        "host's own shell with POST /v1/terminal/{id}/send (send_to_terminal), and read the answer.",
        code="no_posix_shell",
    )
