"""The uvicorn server of one application: its signals, its clock, and how it goes down."""

import asyncio
import functools
import signal
import socket
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import cast

import uvicorn
from starlette.types import ASGIApp

from http_api.limits import Limits
from http_api.protocol import LimitedProtocol
from http_api.socket_protocol import LimitedSocket

GRACE_SECONDS = 5
SHORTEST_LOOK = 0.1
LONGEST_LOOK = 1.0
"""Seconds between two looks at connections that are slower than they may be; the date that answers bear is not older."""
KEEP_ALIVE_SECONDS = 30


class Server(uvicorn.Server):
    """Serves on sockets that are bound already, until a signal or `stop`.

    `on_ready` is called when connections are accepted, `on_stopping` when no more are.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        limits: Limits,
        max_message_bytes: int,
        on_ready: Callable[[], None],
        on_stopping: Callable[[], None],
        handle_signals: bool = True,
    ) -> None:
        self._wake = asyncio.Event()
        protocol = functools.partial(LimitedProtocol, limits=limits, opened=self._wake.set)
        super().__init__(
            uvicorn.Config(
                app,
                http=cast("type[asyncio.Protocol]", protocol),
                ws=cast("type[asyncio.Protocol]", functools.partial(LimitedSocket, limits=limits)),
                ws_max_size=max_message_bytes,
                ws_per_message_deflate=False,
                lifespan="off",
                log_config=None,
                log_level="warning",
                access_log=False,
                proxy_headers=False,
                server_header=False,
                timeout_keep_alive=KEEP_ALIVE_SECONDS,
                timeout_graceful_shutdown=GRACE_SECONDS,
            )
        )
        self._on_ready = on_ready
        self._on_stopping = on_stopping
        self._handle_signals = handle_signals
        self._loop: asyncio.AbstractEventLoop | None = None
        self._look_seconds = min(LONGEST_LOOK, max(SHORTEST_LOOK, limits.shortest_seconds / 10))
        self._asked_to_end = asyncio.Event()

    def stop(self) -> None:
        """Begin to go down; `serve` returns when that is done."""
        self.should_exit = True
        self._end()

    def _end(self) -> None:
        self._asked_to_end.set()
        self._wake.set()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._on_ready()

    async def main_loop(self) -> None:
        """As uvicorn's, but asleep while there is no connection, and seldom awake while there are some."""
        self._loop = asyncio.get_running_loop()
        while not await self.on_tick(0):
            if not self.server_state.connections:
                self._wake.clear()
                await self._wake.wait()  # then the next look sets the date, before the connection's first answer
                continue
            with suppress(TimeoutError):
                async with asyncio.timeout(self._look_seconds):
                    await self._asked_to_end.wait()

    async def on_tick(self, counter: int) -> bool:
        now = asyncio.get_running_loop().time()
        for connection in tuple(self.server_state.connections):
            if isinstance(connection, LimitedProtocol | LimitedSocket):
                connection.enforce(now)
        return await super().on_tick(counter)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._on_stopping()
        await super().shutdown(sockets)

    @contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        """As uvicorn's, but a signal that was obeyed is not raised again: the process ends in its own way."""
        if not self._handle_signals:
            yield
            return
        before = {number: signal.signal(number, self.handle_exit) for number in ending_signals()}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """The first signal asks, the second insists; but a closing terminal hangs up more than once."""
        self.force_exit = self.force_exit or (self.should_exit and sig in (signal.SIGINT, signal.SIGTERM))
        self.should_exit = True
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._end)


def ending_signals() -> list[signal.Signals]:
    """Ctrl-C, a request to end, and (where there is such a signal, and no `nohup`) a terminal that has gone."""
    hung_up = getattr(signal.Signals, "SIGHUP", None)
    also = [hung_up] if hung_up is not None and signal.getsignal(hung_up) != signal.SIG_IGN else []
    return [signal.SIGINT, signal.SIGTERM, *also]
