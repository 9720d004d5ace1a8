"""A fake provider that misbehaves on demand: an OpenAI-compatible HTTP server for tests, demos and benchmarks.

What it does is said by the model name, in words joined with `-` after the first one, so that any client can ask
for any fault: `scripted`, `scripted-n200`, `scripted-e429-ra2`, `scripted-drop5`.

    n<N>        tokens in the answer (default 8)
    ttft<MS>    wait before the first byte            itl<MS>   wait between tokens
    tool        call the first tool offered           reason    reasoning before the answer
    echo        answer with the last user message     nousage   say nothing about usage
    e<STATUS>   answer with that status and an error  ra<SEC>   with e: a Retry-After header
    e200        status 200, an error in the body      errmid<K> streaming: an error event after K tokens
    rst         reset before any answer               rsthead   reset after the headers
    drop<K>     reset after K tokens                  cut<K>    end cleanly after K tokens, unfinished
    hang        never answer                          hang<K>   fall silent after K tokens, or half a whole answer
    badjson     not JSON                              trunc     JSON that stops half way, as if that were its end
    html        a web page with status 200            big       with e: an error of 80 KiB
    empty       no choices                            blank     a choice with nothing in it
    len         end as if it were too long            filter    end by a content filter, with nothing
    refuse      refuse in words                       badtool   call a tool with broken arguments
    ctx         refuse the prompt as too long         policy    refuse it by its rules
    huge        an answer of 80 MiB, or an event without end
    first<K>    misbehave only the first K times      p<PCT>    misbehave in that share of requests, evenly

Run it by itself: `python -m shared.providers.scripted [PORT]`.
"""

import asyncio
import sys
from collections import Counter, deque
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any, Self

import orjson

from shared.providers.scripted_answers import CREATED, FAULTS, Reply, Script, Turn, play

Said = str | Callable[[dict[str, Any]], str | Turn]
Failing = Callable[[dict[str, Any]], tuple[int, Any, str] | None]


@dataclass(slots=True)
class Seen:
    """A request as it arrived."""

    path: str
    headers: dict[str, str]
    body: dict[str, Any]


@dataclass(slots=True)
class ScriptedServer:
    """Listens on loopback. `says` gives models words of their own, made from the request where need be (a `Turn` calls tools); `bills` is
    the cost it states in usage, `refuses` holds keys that it does not take; `fails` gives models an error of their own for a request (status, body,
    header lines), or None. `seen` holds the last requests, `gone` counts clients that left before the end;
    `arrived` and `left` are set with the first chat and the first such client.
    """

    port: int = 0
    models: tuple[str, ...] = ("scripted",)
    says: dict[str, Said] = field(default_factory=dict)
    bills: float | None = None
    refuses: frozenset[str] = frozenset()
    fails: dict[str, Failing] = field(default_factory=dict)
    seen: deque[Seen] = field(default_factory=lambda: deque(maxlen=256))
    requests: int = 0
    gone: int = 0
    active: int = 0
    arrived: asyncio.Event = field(default_factory=asyncio.Event)
    left: asyncio.Event = field(default_factory=asyncio.Event)
    _uses: Counter[str] = field(default_factory=Counter)
    _connections: "set[_Connection]" = field(default_factory=set)

    @property
    def base_url(self) -> str:
        """For OPENAI_BASE_URL."""
        return f"http://127.0.0.1:{self.port}/v1"

    @asynccontextmanager
    async def listening(self) -> AsyncIterator[Self]:
        """Serve for the length of the block."""
        loop = asyncio.get_running_loop()
        server = await loop.create_server(lambda: _Connection(self), "127.0.0.1", self.port)
        self.port = server.sockets[0].getsockname()[1]
        try:
            yield self
        finally:
            server.close()
            for connection in tuple(self._connections):
                connection.abort()
            await server.wait_closed()

    async def answer(self, seen: Seen, reply: Reply) -> None:
        """Answer one request as its model name says."""
        self.seen.append(seen)
        self.requests += 1
        if seen.headers.get("authorization", "").removeprefix("Bearer ") in self.refuses:
            error = {
                "message": "Incorrect API key provided.",
                "type": "invalid_request_error",
                "code": "invalid_api_key",
            }
            await reply.json(401, {"error": error})
            return
        if not seen.path.endswith("/chat/completions"):
            listed = [
                {"id": name, "object": "model", "created": CREATED, "owned_by": "scripted"} for name in self.models
            ]
            await reply.json(200, {"object": "list", "data": listed})
            return
        model = str(seen.body.get("model"))
        if model in self.fails and (failure := self.fails[model](seen.body)) is not None:
            await reply.json(*failure)
            return
        self.active += 1
        self.arrived.set()
        try:
            await play(self._due(self._script(model, seen.body), model), model, seen.body, reply)
        finally:
            self.active -= 1

    def client_left(self) -> None:
        """A client closed its connection while it was being answered."""
        self.gone += 1
        self.left.set()

    def _script(self, model: str, body: dict[str, Any]) -> Script:
        said = self.says.get(model)
        return replace(Script.read(model, body, said(body) if callable(said) else said), bill=self.bills)

    def _due(self, script: Script, model: str) -> Script:
        """The script, without its fault where `first` or `p` say that it is not due."""
        words = script.words
        self._uses[model] += 1
        use = self._uses[model]
        spared = ("first" in words and use > words["first"]) or (
            "p" in words and (use * words["p"]) // 100 == ((use - 1) * words["p"]) // 100
        )
        if not spared:
            return script
        return replace(script, words={word: value for word, value in words.items() if word not in FAULTS})


class _Connection(asyncio.Protocol):
    """One kept-alive connection; a client that leaves ends the answer that is under way."""

    def __init__(self, server: ScriptedServer) -> None:
        self._server = server
        self._buffer = b""
        self._answering: asyncio.Task[None] | None = None
        self._transport: asyncio.Transport
        self._may_write = asyncio.Event()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._may_write.set()
        self._server._connections.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self._server._connections.discard(self)
        self._may_write.set()
        if self._answering is not None and not self._answering.done():
            self._answering.cancel()
            self._server.client_left()

    def pause_writing(self) -> None:
        self._may_write.clear()

    def resume_writing(self) -> None:
        self._may_write.set()

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        self._begin()

    def abort(self) -> None:
        """Close without ceremony, as a broken network does."""
        self._transport.abort()

    async def write(self, data: bytes) -> None:
        """Write, at the pace of the reader. Raises ConnectionResetError once the connection has gone."""
        if self._transport.is_closing():
            raise ConnectionResetError
        self._transport.write(data)
        await self._may_write.wait()

    def _begin(self) -> None:
        if self._answering is None and (seen := self._next()) is not None:
            self._answering = asyncio.ensure_future(self._server.answer(seen, Reply(self.write, self.abort)))
            self._answering.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._answering = None
        if task.cancelled():
            return
        if task.exception() is not None:
            self._transport.abort()
        else:
            self._begin()

    def _next(self) -> Seen | None:
        head, found, rest = self._buffer.partition(b"\r\n\r\n")
        lines = head.decode("latin-1").split("\r\n")
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines[1:])}
        length = int(headers.get("content-length", 0))
        if not found or len(rest) < length:
            return None
        self._buffer = rest[length:]
        body = orjson.loads(rest[:length]) if length else {}
        return Seen(lines[0].split(" ")[1].split("?")[0], headers, body)


async def _main(port: int) -> None:
    async with ScriptedServer(port=port).listening() as server:
        sys.stdout.write(f"{server.base_url}\n")
        sys.stdout.flush()
        await asyncio.Event().wait()


def _port(arguments: Sequence[str]) -> int:
    """The port that is asked for; 0 takes a free one. Raises SystemExit."""
    text = arguments[0] if arguments else "0"
    if len(arguments) > 1 or not (text.isascii() and text.isdecimal() and int(text) <= 65535):
        sys.exit("usage: python -m shared.providers.scripted [PORT]; PORT is a number from 0 to 65535")
    return int(text)


if __name__ == "__main__":
    try:
        asyncio.run(_main(_port(sys.argv[1:])))
    except OSError as error:
        sys.exit(f"error: {error.strerror or error}")
