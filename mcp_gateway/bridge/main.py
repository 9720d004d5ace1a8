"""The process of `stdio --connect`: finds the gateway, bridges until the host leaves, and closes what it opened."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import sys
import threading
from contextlib import suppress
from typing import NoReturn
from urllib.parse import urlsplit

from mcp_gateway.bridge.bridge import Bridge
from mcp_gateway.bridge.lines import Writer, read_lines
from mcp_gateway.bridge.trust import Untrusted
from mcp_gateway.bridge.upstream import VARIABLE, Upstream, key_here, local_url
from mcp_gateway.folder import project_folder
from mcp_gateway.wire import Wire

SIGNALS = ("SIGTERM", "SIGINT", "SIGHUP")
LAST_SECONDS = 4.0
"""For closing; a host that no longer reads, or a gateway that no longer answers, would hold us up for ever."""
SECRETS = ("_KEY", "_KEYS", "_SECRET", "_PASSWORD", "_TOKEN", "DATABASE_URL", "REDIS_URL")
"""How the names of variables end that hold secrets."""

FAILED = 1
MISUSED = 2


def bridge(wire: Wire, url: str) -> None:
    """Bridge until the host leaves, and end the process; returns only when there is no gateway on this machine to bridge to.

    An empty URL stands for the gateway that the settings describe.
    """
    logging.basicConfig(stream=sys.stderr, level=logging.WARNING, format="mcp-gateway: %(message)s")
    logging.getLogger("httpx2").setLevel(logging.WARNING)
    _conceal_what_others_need()
    base = with_scheme(url or _configured())
    if fault := fault_of(base) or _fault_of_key():
        _say(fault)
        _exit(MISUSED)
    code = asyncio.run(_found_and_bridged(wire, base))
    if code is not None:
        _exit(code)


def _conceal_what_others_need() -> None:
    """A host may hand on the secrets of a gateway, which commands of that gateway could then read from this process.

    Without a key the gateway has to see which process is at the other end, so that this one stays open.
    """
    from shared.terminal.concealment import conceal

    conceal(_secrets(), closed=bool(os.environ.get(VARIABLE, "").strip()))


def _secrets() -> list[str]:
    return [name for name in os.environ if name.endswith(SECRETS)]


def with_scheme(address: str) -> str:
    """An address may come as `host:port`."""
    return address if "://" in address else f"http://{address}"


def fault_of(base: str) -> str:
    """What is wrong with an address; empty when nothing is."""
    parts = urlsplit(base)
    try:
        known_port = parts.port != 0
    except ValueError:
        known_port = False
    if parts.scheme not in ("http", "https") or not parts.hostname or not known_port:
        return f"--connect {base} is no address of a gateway; it takes one like http://127.0.0.1:3000."
    if parts.username or parts.password:
        return f"--connect takes no password, which every process could read; put a key into {VARIABLE}."
    return ""


def _fault_of_key() -> str:
    ascii_only = os.environ.get(VARIABLE, "").strip().isascii()
    return "" if ascii_only else f"{VARIABLE} holds characters that no key has."


def _configured() -> str:
    from shared.setting_sources import SettingsError, load_settings

    try:
        return local_url(load_settings())
    except SettingsError as error:
        _say(str(error))
        _exit(FAILED)


async def _found_and_bridged(wire: Wire, base: str) -> int | None:
    """The exit code, None when this machine has no gateway there."""
    try:
        upstream = Upstream(base, key_here(), folder=project_folder())
    except ValueError as error:
        _say(str(error))
        return MISUSED
    try:
        found = not upstream.is_local or await upstream.is_ours()
    except Untrusted as error:
        _say(str(error))
        await upstream.aclose()
        return FAILED
    if not found:
        _say(f"No gateway runs at {upstream.base}; this process opens its own.")
        await upstream.aclose()
        return None
    for name in _secrets():
        del os.environ[name]
    if upstream.has_key and not upstream.is_local and base.startswith("http:"):
        _say(
            f"The key for {upstream.base} crosses the network unencrypted, to a listener nobody vouches for; use https."
        )
    return await serve(wire, upstream)


async def serve(wire: Wire, upstream: Upstream) -> int:
    """Bridge until stdin ends, nobody reads stdout any more, or a signal comes; returns the exit code."""
    ended: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    _heed_signals(ended)
    lines: asyncio.Queue[bytes] = asyncio.Queue()
    read_lines(wire.incoming, lambda line: _end(ended, 0) if line is None else lines.put_nowait(line))
    writer = Writer(wire.outgoing)

    async def write(message: bytes) -> None:
        try:
            await writer.write(message)
        except OSError:
            _end(ended, FAILED)

    connection = Bridge(upstream, write)
    passing = asyncio.create_task(_pass_on(lines, connection))
    passing.add_done_callback(lambda _: _end(ended, FAILED))
    code = await ended
    timer = threading.Timer(LAST_SECONDS, os._exit, (code or FAILED,))
    timer.daemon = True
    timer.start()
    passing.cancel()
    await connection.aclose()
    with suppress(asyncio.CancelledError):
        await passing
    return code


async def _pass_on(lines: asyncio.Queue[bytes], connection: Bridge) -> None:
    while True:
        await connection.take(await lines.get())


def _heed_signals(ended: asyncio.Future[int]) -> None:
    loop = asyncio.get_running_loop()
    for name in SIGNALS:
        number = getattr(signal, name, None)
        if number is not None:
            with suppress(NotImplementedError):
                loop.add_signal_handler(number, _end, ended, 128 + number)


def _end(ended: asyncio.Future[int], code: int) -> None:
    if not ended.done():
        ended.set_result(code)


def _say(text: str) -> None:
    with suppress(OSError, ValueError, AttributeError):
        print(f"mcp-gateway: {text}", file=sys.stderr, flush=True)


def _exit(code: int) -> NoReturn:
    """Without waiting for the thread that reads stdin."""
    with suppress(OSError, ValueError, AttributeError):
        sys.stderr.flush()
    os._exit(code)
