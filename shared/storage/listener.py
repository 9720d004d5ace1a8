"""Hearing of changes from PostgreSQL: one connection of the process that listens, proven and renewed."""

import asyncio
import secrets
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from shared.errors import GatewayError
from shared.storage import facts
from shared.structured import get_logger

if TYPE_CHECKING:
    from psycopg import Connection

    from shared.storage.database import Database

log = get_logger(__name__)

PROOF_SECONDS = 3.0
FIRST_PAUSE = 1.0
LONGEST_PAUSE = 30.0
POOLED_PAUSE = 600.0
"""Between two tries where a pooler keeps notifications back."""


class Listener:
    """Calls `wake` for each notification, and when it begins or ceases to work.

    `works` says that a notification of ours has arrived on the connection, which is still there. A pooler that lends
    connections for a transaction, such as PgBouncer, accepts LISTEN and delivers nothing.
    """

    def __init__(self, database: "Database", wake: Callable[[], None]) -> None:
        self.works = False
        self._database = database
        self._wake = wake

    async def run(self) -> None:
        """Listen, for ever; connect again after a pause that doubles."""
        pause = FIRST_PAUSE
        while True:
            try:
                connection = await self._connected()
            except GatewayError as error:
                log.debug("no connection that listens", reason=error.operator_detail)
            else:
                pause = await self._listened(connection) or pause
            await asyncio.sleep(pause)
            pause = min(2 * pause, LONGEST_PAUSE) if pause < LONGEST_PAUSE else LONGEST_PAUSE

    async def _connected(self) -> "Connection":
        """A connection; one that comes after this task was cancelled is closed. Raises GatewayError."""
        coming = asyncio.get_running_loop().run_in_executor(None, self._database.listening_connection)
        try:
            return await asyncio.shield(coming)
        except asyncio.CancelledError:
            coming.add_done_callback(_close)
            raise

    async def _listened(self, connection: "Connection") -> float | None:
        """Listen until the connection is lost; the pause before the next try, None for the usual one."""
        ears = _Ears(connection, self._wake)
        try:
            if not await self._proven(ears):
                return None if ears.lost.is_set() else POOLED_PAUSE
            self.works = True
            self._wake()  # for what changed before
            await ears.lost.wait()
            log.info("the connection that listens for changes is lost; the database is polled until there is another")
            return FIRST_PAUSE
        except GatewayError as error:
            log.debug("no notification can be sent", reason=error.operator_detail)
            return None
        finally:
            self.works = False
            self._wake()
            ears.close()
            connection.close()

    async def _proven(self, ears: "_Ears") -> bool:
        """Whether a notification that another connection sends arrives. Raises GatewayError."""
        ears.proof = secrets.token_hex(8)
        await self._database.run(partial(facts.notify, payload=ears.proof))
        try:
            async with asyncio.timeout(PROOF_SECONDS):
                await ears.proven.wait()
        except TimeoutError:
            log.info("notifications of PostgreSQL do not arrive, as behind a pooler; changes are looked for by polling")
            return False
        return not ears.lost.is_set()


def _close(coming: "asyncio.Future[Connection]") -> None:
    if not coming.cancelled() and coming.exception() is None:
        coming.result().close()


class _Ears:
    """The socket of a connection that listens, in the event loop."""

    def __init__(self, connection: "Connection", wake: Callable[[], None]) -> None:
        self.proof = ""
        self.proven = asyncio.Event()
        self.lost = asyncio.Event()
        self._connection = connection
        self._wake = wake
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(connection.fileno(), self._read)

    def close(self) -> None:
        """Hear nothing more."""
        if not self.lost.is_set():
            self._loop.remove_reader(self._connection.fileno())

    def _read(self) -> None:
        from psycopg import Error

        descriptor = self._connection.pgconn.socket
        try:
            self._connection.pgconn.consume_input()
            while note := self._connection.pgconn.notifies():
                if note.extra.decode() == self.proof:
                    self.proven.set()
                self._wake()
        except Error:
            self._loop.remove_reader(descriptor)
            self.lost.set()
            self.proven.set()
