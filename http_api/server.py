"""The uvicorn server of one application: its signals, its clock, and how it goes down."""

import asyncio
import functools
import signal
import socket
from collections.abc import Callable, Generator, Iterable
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from types import FrameType
from typing import cast

import uvicorn
from starlette.types import ASGIApp, Scope

from http_api.limits import Limits
from http_api.protocol import LimitedProtocol, Phase
from http_api.socket_protocol import LimitedSocket
from shared import shutdown
from shared.shutdown import Work
from shared.structured import get_logger

log = get_logger(__name__)

LAST_SECONDS = 5
"""For what is told to end, and for connections whose client does not read."""
SHORTEST_LOOK = 0.1
LONGEST_LOOK = 1.0
"""Seconds between two looks at connections that are slower than they may be; the date that answers bear is not older."""
KEEP_ALIVE_SECONDS = 30


@dataclass(frozen=True, slots=True, kw_only=True)
class Shutdown:
    """How a server goes down, in three steps; times are seconds.

    `leave` is called first, with whether balancers are to leave before anything else; requests are taken for as long as
    it returns. Then none are taken, and what `running` counts, given the requests under way, has `grace` to end. `stop`
    is called last, to end the rest.
    """

    leave: Callable[[bool], float] = lambda drain: 0.0
    grace: float = 0.0
    running: Callable[[Iterable[Scope]], Work] = lambda requests: {"request": len(list(requests))}
    stop: Callable[[], None] = lambda: None


class Server(uvicorn.Server):
    """Serves on sockets that are bound already, until a signal or `stop`.

    `on_ready` is called when connections are accepted.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        limits: Limits,
        max_message_bytes: int,
        on_ready: Callable[[], None],
        shutdown: Shutdown,
        handle_signals: bool = True,
    ) -> None:
        self._wake = asyncio.Event()
        self._phase = Phase()
        protocol = functools.partial(LimitedProtocol, limits=limits, phase=self._phase, opened=self._wake.set)
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
            )
        )
        self._on_ready = on_ready
        self._shutdown = shutdown
        self._grace = shutdown.grace
        self._handle_signals = handle_signals
        self._loop: asyncio.AbstractEventLoop | None = None
        self._look_seconds = min(LONGEST_LOOK, max(SHORTEST_LOOK, limits.shortest_seconds / 10))
        self._signalled = False
        self._asked_to_end = asyncio.Event()

    def stop(self, *, grace: float | None = None) -> None:
        """Begin to go down without a drain; `serve` returns when that is done. `grace` is in place of the usual one."""
        self._grace = self._grace if grace is None else grace
        self._leave(drain=False)

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
        self._enforce()
        return await super().on_tick(counter)

    def _enforce(self) -> None:
        now = asyncio.get_running_loop().time()
        for connection in tuple(self.server_state.connections):
            if isinstance(connection, LimitedProtocol | LimitedSocket):
                connection.enforce(now)

    def _leave(self, *, drain: bool) -> None:
        """Take requests for as long as balancers need to leave, then end; at once where that was asked for twice."""
        if self.force_exit or self._phase.leaving:
            self._end()
            return
        self._phase.leaving = True
        seconds = self._shutdown.leave(drain)
        if seconds:
            log.info("shutting down: not ready from now on; requests are still taken", seconds=seconds)
            asyncio.get_running_loop().call_later(seconds, self._end)
        else:
            self._end()

    def _end(self) -> None:
        self.should_exit = True
        self._asked_to_end.set()
        self._wake.set()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Take no more requests, wait for running work, and end what is left."""
        for server in self.servers:
            server.close()
        for listener in sockets or ():
            listener.close()
        self._close_idle(LimitedProtocol)
        await shutdown.finish(self._running, within=self._grace, hurried=lambda: self.force_exit)
        self._shutdown.stop()
        asyncio.get_running_loop().call_later(LAST_SECONDS / 2, self._close_idle, LimitedSocket)
        with suppress(TimeoutError):
            async with asyncio.timeout(LAST_SECONDS):
                await self._wait_tasks_to_complete()
        for task in tuple(self.server_state.tasks):
            task.cancel()

    def _close_idle(self, kind: type[LimitedProtocol | LimitedSocket]) -> None:
        """Close connections of a kind: those of HTTP after the answer under way, and WebSockets at once."""
        for connection in tuple(self.server_state.connections):
            if isinstance(connection, kind):
                connection.shutdown()

    def _running(self) -> Work:
        self._enforce()
        connections = [each for each in self.server_state.connections if isinstance(each, LimitedProtocol)]
        return self._shutdown.running([cast("Scope", each.cycle.scope) for each in connections if each.is_answering])

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
        self.force_exit = self.force_exit or (self._signalled and sig in (signal.SIGINT, signal.SIGTERM))
        first, self._signalled = not self._signalled, True
        if self._loop is None:  # the gateway is still being opened
            self.should_exit = True
        elif first or self.force_exit:
            drain = sig == signal.SIGTERM
            self._loop.call_soon_threadsafe(functools.partial(self._leave, drain=drain))


def ending_signals() -> list[signal.Signals]:
    """Ctrl-C, a request to end, and (where there is such a signal, and no `nohup`) a terminal that has gone."""
    hung_up = getattr(signal.Signals, "SIGHUP", None)
    also = [hung_up] if hung_up is not None and signal.getsignal(hung_up) != signal.SIG_IGN else []
    return [signal.SIGINT, signal.SIGTERM, *also]
