"""MCP on stdin and stdout: answers the handshake at once, and leaves nothing behind however it ends."""

import atexit
import importlib
import logging
import os
import signal
import threading
from collections.abc import AsyncIterator, Callable
from io import BufferedReader, TextIOWrapper
from types import TracebackType
from typing import Any, NoReturn

import anyio
from mcp.server.lowlevel import Server
from mcp.server.stdio import stdio_server
from mcp.shared._stream_protocols import WriteStream
from mcp.shared.message import SessionMessage
from mcp.types import JSONRPCError, JSONRPCResponse

from mcp_gateway.core import Opener, OpeningCore
from mcp_gateway.folder import project_folder
from mcp_gateway.greeting import Handover, Incoming
from mcp_gateway.server import create_server
from mcp_gateway.tools import Tools
from mcp_gateway.toolsets import selected_here
from mcp_gateway.wire import Wire, claim
from shared.setting_sources import load_settings
from shared.terminal.keeper.mark import marked_as_gateway

SIGNALS = [getattr(signal, name) for name in ("SIGTERM", "SIGINT", "SIGHUP") if hasattr(signal, name)]
GRACE_SECONDS = 20.0
"""Longer than ending a command, its session and the embedded model can take by their own limits, one after the other."""
LAST_SECONDS = 4.0
"""For what is left once that is done; a host that no longer reads would hold us up for ever."""
CALLS = tuple(f"mcp_gateway.calls.{name}" for name in ("chat", "commands", "models", "snapshots"))


def main(wire: Wire | None = None, *, sidecar: bool = False, handover: Handover | None = None) -> None:
    """Serve until stdin ends, or until a signal; with `sidecar` over HTTP too. A connection may have been opened before."""
    with marked_as_gateway():
        wire = claim() if wire is None else wire
        anyio.run(serve, wire, load_with_http if sidecar else load, handover or Handover())


def load() -> Opener:
    """Read the settings and import what opening the gateway and answering calls takes."""
    _import_calls()
    from shared.gateway import open_gateway

    settings = load_settings()
    return lambda: open_gateway(settings)


def load_with_http() -> Opener:
    """The same, for a gateway that is served over HTTP while it is open."""
    _import_calls()
    from mcp_gateway.sidecar import open_and_serve

    settings = load_settings()
    return lambda: open_and_serve(settings)


def _import_calls() -> None:
    for name in CALLS:
        importlib.import_module(name)


async def serve(wire: Wire, load: Callable[[], Opener], handover: Handover) -> None:
    """One connection, from its first line to the end of stdin. The gateway opens meanwhile, and closes at the end."""
    served = anyio.Event()
    lines = BufferedReader(Incoming(wire.incoming, handover))
    incoming = TextIOWrapper(lines, encoding="utf-8", errors="replace")
    outgoing = TextIOWrapper(os.fdopen(wire.outgoing, "wb", closefd=False), encoding="utf-8")
    async with stdio_server(anyio.wrap_file(incoming), anyio.wrap_file(outgoing)) as streams:
        core = OpeningCore(load)
        async with anyio.create_task_group() as tasks:
            server = create_server(core.ready, selection=selected_here(), folder=project_folder())
            tasks.start_soon(_end_on_signal, tasks.cancel_scope, served, core, server.tools)
            try:
                await _answer(server, streams[0], Unanswered(streams[1], handover.answered))
            finally:
                served.set()
                _exit_within(GRACE_SECONDS, 1)
                with anyio.CancelScope(shield=True):
                    await core.aclose()
                _exit_within(LAST_SECONDS, 1)
            tasks.cancel_scope.cancel()
    atexit._run_exitfuncs()  # writes out the log
    _exit(0)  # the usual end would wait for a thread that still imports what nobody needs any more


class Unanswered:
    """A stream to a client without the answer to one request, which the client has already."""

    def __init__(self, stream: WriteStream[SessionMessage], answered: int | str | None) -> None:
        self._stream = stream
        self._answered = answered

    async def send(self, item: SessionMessage, /) -> None:
        """As of any stream."""
        message = item.message
        if (
            isinstance(message, JSONRPCResponse | JSONRPCError)
            and message.id is not None
            and message.id == self._answered
        ):
            self._answered = None
            return
        await self._stream.send(item)

    async def aclose(self) -> None:
        """As of any stream."""
        await self._stream.aclose()

    async def __aenter__(self) -> "Unanswered":
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()


async def _answer(server: Server[Any], incoming: Any, outgoing: Any) -> None:
    await server.run(incoming, outgoing, server.create_initialization_options())


async def _end_on_signal(calls: anyio.CancelScope, served: anyio.Event, core: OpeningCore, tools: Tools) -> None:
    """Let running calls end within the grace, at the second signal at once.

    The thread that reads stdin cannot be interrupted, so the process ends itself once all is cleaned up.
    """
    with anyio.open_signal_receiver(*SIGNALS) as signals:
        number = await anext(signals)
        async with anyio.create_task_group() as waiting:
            waiting.start_soon(_insisted, signals, waiting.cancel_scope)
            await _finish(core, tools)
            waiting.cancel_scope.cancel()
        _exit_within(GRACE_SECONDS, 128 + number)
        calls.cancel()
        with anyio.CancelScope(shield=True):
            await served.wait()
            await core.aclose()
        _exit(128 + number)


async def _insisted(signals: AsyncIterator[signal.Signals], waiting: anyio.CancelScope) -> None:
    async for number in signals:
        if number in (signal.SIGINT, signal.SIGTERM):  # a closing terminal hangs up more than once
            waiting.cancel()


async def _finish(core: OpeningCore, tools: Tools) -> None:
    """Take no more calls, and wait for those under way and for commands in the background."""
    tools.leave()
    if (gateway := core.opened) is None:
        return
    from shared.shutdown import finish  # not before the handshake

    terminals, grace = gateway.terminals, gateway.settings.shutdown_grace
    terminals.announce_end(grace)
    await finish(lambda: {"call": tools.running, "command": terminals.running}, within=grace)


def _exit_within(seconds: float, code: int) -> None:
    """Whatever hangs while we end is left hanging."""
    timer = threading.Timer(seconds, _exit, (code,))
    timer.daemon = True
    timer.start()


def _exit(code: int) -> NoReturn:
    logging.shutdown()
    os._exit(code)
