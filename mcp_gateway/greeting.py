"""The beginning of a server on stdio: the first requests are answered from data, then the server is imported.

Hosts give a server as little as three seconds for its handshake, in which every process of an editor starts. What needs
the server waits until a thread has imported it; then the server goes on with the connection as if it had been there.
"""

from __future__ import annotations

import io
import json
import os
import select
import signal
import threading
from typing import TYPE_CHECKING, NoReturn

from mcp_gateway.opening import Opening
from mcp_gateway.toolsets import selected_here

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from mcp_gateway.wire import Wire

QUIET_SECONDS = 0.2
"""The server is imported when a client has said nothing for as long."""
BLOCK_BYTES = 65536
SIGNALS = ("SIGTERM", "SIGINT", "SIGHUP")
FAILED = 1


class Handover:
    """What the server needs to go on: the lines that it has to read first, and the id of the request among them that is
    answered already. `ended` says that nothing will follow.
    """

    __slots__ = ("answered", "ended", "lines")

    def __init__(self) -> None:
        self.lines = b""
        self.answered: int | str | None = None
        self.ended = False


def greet(wire: Wire, load: Callable[[], object]) -> Handover | None:
    """Answer what can be answered from data until the server is loaded; None when the client has left meanwhile.

    `load` imports the server, in a thread; where that fails, the next import of it fails in the same way.
    """
    for name in SIGNALS:
        if (number := getattr(signal, name, None)) is not None:
            signal.signal(number, _end)  # nothing is open yet
    return _Greeting(wire, Opening(selected_here()), load).run()


def _end(number: int, _: object) -> NoReturn:
    os._exit(128 + number)


class _Greeting:
    """One connection, up to the hand-over."""

    def __init__(self, wire: Wire, opening: Opening, load: Callable[[], object]) -> None:
        self._wire = wire
        self._opening = opening
        self._loader = _Loader(load)
        self._handover = Handover()
        self._kept: list[bytes] = []
        self._rest = b""
        self._waits = False

    def run(self) -> Handover | None:
        """Serve until the server is loaded."""
        incoming, loaded = self._wire.incoming, self._loader.finished
        while not self._handover.ended:
            ready, _, _ = select.select([incoming, loaded], [], [], None if self._loader.began else QUIET_SECONDS)
            if loaded in ready:
                break
            if incoming in ready:
                self._read()
            else:
                self._loader.begin()
        if self._handover.ended and not self._waits:
            return None
        self._loader.join()
        self._handover.lines = b"".join([*self._kept, self._rest])
        return self._handover

    def _read(self) -> None:
        try:
            block = os.read(self._wire.incoming, BLOCK_BYTES)
        except OSError:
            block = b""
        *lines, self._rest = (self._rest + block).split(b"\n")
        for line in lines:
            if line.strip():
                self._take(line + b"\n")
        if not block:
            self._handover.ended = True
            self._waits = self._waits or bool(self._rest.strip())

    def _take(self, line: bytes) -> None:
        message = _parsed(line)
        result = self._opening.answer(message)
        if result is not None:
            if self._handover.answered is None:  # the server has to know how the connection was opened
                self._handover.answered = message["id"]
                self._kept.append(line)
            self._write({"jsonrpc": "2.0", "id": message["id"], "result": result})
        else:
            self._kept.append(line)
        greets = message.get("method") == "notifications/initialized" and self._opening.era == "handshake"
        if result is None and not greets:
            self._waits = True
        if self._waits or message.get("method") == "tools/list":
            self._loader.begin()

    def _write(self, answer: dict[str, Any]) -> None:
        view = memoryview(json.dumps(answer, ensure_ascii=False, separators=(",", ":")).encode() + b"\n")
        try:
            while view:
                view = view[os.write(self._wire.outgoing, view) :]
        except OSError:  # the host does not read any more
            os._exit(FAILED)


class _Loader:
    """Loads the server in a thread. `finished` is a descriptor that is readable once that has ended."""

    def __init__(self, load: Callable[[], object]) -> None:
        self.began = False
        self.finished, self._done = os.pipe()
        self._load = load
        self._thread = threading.Thread(target=self._run, daemon=True, name="loading")

    def begin(self) -> None:
        """Begin, unless that was done."""
        if not self.began:
            self.began = True
            self._thread.start()

    def join(self) -> None:
        """Wait for the end."""
        self.begin()
        self._thread.join()
        os.close(self.finished)

    def _run(self) -> None:
        try:
            self._load()
        finally:
            os.close(self._done)


def _parsed(line: bytes) -> dict[str, Any]:
    """The message in a line; empty where there is none that concerns us."""
    try:
        message = json.loads(line)
    except ValueError:
        return {}
    return message if isinstance(message, dict) else {}


class Incoming(io.RawIOBase):
    """What a client sends: the lines of a hand-over, and then what its descriptor brings."""

    def __init__(self, descriptor: int, handover: Handover) -> None:
        self._descriptor = descriptor
        self._first = handover.lines
        self._ended = handover.ended

    def readable(self) -> bool:
        """As of every stream that is read."""
        return True

    def readinto(self, buffer: Any, /) -> int:
        """As of every stream without a buffer."""
        size = len(buffer)
        if self._first:
            found, self._first = self._first[:size], self._first[size:]
        else:
            found = b"" if self._ended else os.read(self._descriptor, size)
        buffer[: len(found)] = found
        return len(found)


def load() -> None:
    """Import the server."""
    import mcp_gateway.stdio  # noqa: F401
