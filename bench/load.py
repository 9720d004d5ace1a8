"""A closed loop of load over raw keep-alive connections: each sends its next request when the last was answered."""

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType

import httptools
import orjson
import uvloop
from mock_upstream import IDLE_TOKENS, STREAM_TOKENS, TOKEN, WHOLE_TOKENS

GRACE_SECONDS = 30.0
DONE = b"data: [DONE]"
PROSE = 'The gateway forwards this sentence, with its "quotes", its tabs\tand its cafés, to whoever answers. '
PROMPT_BYTES = 4096
NO_HEADERS: Mapping[str, str] = MappingProxyType({})

clock = time.perf_counter


def chat(
    port: int,
    model: str,
    *,
    stream: bool,
    key: str = "sk-bench",
    messages: Sequence[Mapping[str, str]] | None = None,
    headers: Mapping[str, str] = NO_HEADERS,
) -> bytes:
    """A chat request as it goes over the wire; unless messages are given, with a prompt of 4 KiB in eight turns."""
    payload = {"model": model, "messages": messages or conversation(8, PROMPT_BYTES), "temperature": 0.7}
    if stream:
        payload |= {"stream": True, "stream_options": {"include_usage": True}}
    return post(port, "/v1/chat/completions", payload, key=key, headers=headers)


def conversation(turns: int, size: int) -> list[dict[str, str]]:
    """So many messages whose texts have so many characters together, the last of them the user's."""
    last, before = "Go on.", turns - 1
    if not before:
        return [{"role": "user", "content": (PROSE * (size // len(PROSE) + 1))[:size]}]
    each = (size - len(last)) // before
    turn = (PROSE * (each // len(PROSE) + 1))[:each]
    said = [{"role": "user" if index % 2 else "assistant", "content": turn} for index in range(turns, 1, -1)]
    return [*said, {"role": "user", "content": last}]


def post(
    port: int, path: str, payload: object, *, key: str = "sk-bench", headers: Mapping[str, str] = NO_HEADERS
) -> bytes:
    """A POST of JSON, as it goes over the wire."""
    body = orjson.dumps(payload)
    head = (
        f"POST {path} HTTP/1.1\r\nhost: 127.0.0.1:{port}\r\ncontent-type: application/json\r\n"
        f"authorization: Bearer {key}\r\ncontent-length: {len(body)}\r\n"
        + "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        + "\r\n"
    )
    return head.encode() + body


def fault_of_chat(status: int, body: bytes) -> str | None:
    """What is wrong with an answer to a chat that is not streamed."""
    if status != 200:
        return f"status {status}"
    return None if body.count(TOKEN) == WHOLE_TOKENS and b'"usage"' in body else "wrong answer"


def fault_of_idle_stream(status: int, body: bytes) -> str | None:
    """The same of the short streams of `mock-idle`."""
    return fault_of_stream(status, body, IDLE_TOKENS)


def fault_of_stream(status: int, body: bytes, tokens: int = STREAM_TOKENS) -> str | None:
    """What is wrong with a streamed answer: every token must be there, and the end."""
    if status != 200:
        return f"status {status}"
    if body.count(TOKEN) != tokens or b'"usage"' not in body:
        return "tokens missing"
    return None if DONE in body else "no end"


@dataclass(slots=True)
class Sample:
    """What one run saw. `served` counts answers from when the counting began to the very end, for CPU per answer."""

    seconds: float = 0.0
    latencies: list[float] = field(default_factory=list)
    first_tokens: list[float] = field(default_factory=list)
    served: int = 0
    faults: Counter[str] = field(default_factory=Counter)

    def latency_ms(self, quantile: float) -> float:
        """That quantile of the time to a whole answer."""
        return _quantile(self.latencies, quantile) * 1000

    def first_token_ms(self, quantile: float) -> float:
        """That quantile of the time to the first token."""
        return _quantile(self.first_tokens, quantile) * 1000

    @property
    def per_second(self) -> float:
        """Answers a second."""
        return len(self.latencies) / self.seconds if self.seconds else 0.0


def _quantile(values: list[float], quantile: float) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(quantile * len(ordered)))] if ordered else float("nan")


class Connection(asyncio.Protocol):
    """One connection of the load."""

    def __init__(self, run: "Run") -> None:
        self._run = run
        self._parser = httptools.HttpResponseParser(self)
        self._parts: list[bytes] = []
        self.began = 0.0
        self.first: float | None = None
        self.sent = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        self.transport = transport

    def connection_lost(self, error: Exception | None) -> None:
        self._run.lost(self)

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def on_body(self, data: bytes) -> None:
        if self.first is None and TOKEN in data:
            self.first = clock()
        self._parts.append(data)

    def on_message_complete(self) -> None:
        self._run.answered(self, self._parser.get_status_code(), b"".join(self._parts))

    def send(self) -> None:
        """The next request."""
        self._parts = []
        self.first = None
        self.sent += 1
        self.began = clock()
        self.transport.write(self._run.request)


class Run:
    """One closed loop. It ends after `seconds`, or when each connection has had `each` answers."""

    def __init__(
        self, request: bytes, fault_of: Callable[[int, bytes], str | None], *, each: int | None = None
    ) -> None:
        self.request = request
        self.sample = Sample()
        self._fault_of = fault_of
        self._each = each
        self._counting = each is not None
        self._timing = each is not None
        self._stopping = False
        self._busy: set[Connection] = set()
        self._idle = asyncio.Event()

    async def go(
        self, port: int, connections: int, seconds: float, warm_seconds: float, on_begin: Callable[[], None]
    ) -> Sample:
        """Run it. `on_begin` is called when the counting begins."""
        loop = asyncio.get_running_loop()
        opened = [
            (await loop.create_connection(lambda: Connection(self), "127.0.0.1", port))[1] for _ in range(connections)
        ]
        if self._each is not None:
            on_begin()
        began = clock()
        for connection in opened:
            self._busy.add(connection)
            connection.send()
        if self._each is None:
            await asyncio.sleep(warm_seconds)
            on_begin()
            began = clock()
            self._counting = self._timing = True
            await asyncio.sleep(seconds)
            self._timing, self._stopping = False, True
            self.sample.seconds = clock() - began
        async with asyncio.timeout(seconds + GRACE_SECONDS):
            await self._idle.wait()
        if self._each is not None:
            self.sample.seconds = clock() - began
        self._stopping = True
        for connection in opened:
            connection.transport.abort()
        return self.sample

    def answered(self, connection: Connection, status: int, body: bytes) -> None:
        """Note an answer, and go on."""
        now = clock()
        fault = self._fault_of(status, body)
        if fault is not None:
            self.sample.faults[fault] += 1
        elif self._counting:
            self.sample.served += 1
            if self._timing:
                self.sample.latencies.append(now - connection.began)
                if connection.first is not None:
                    self.sample.first_tokens.append(connection.first - connection.began)
        if self._stopping or (self._each is not None and connection.sent >= self._each):
            self._rest(connection)
        else:
            connection.send()

    def lost(self, connection: Connection) -> None:
        """Note a connection that broke off in the middle of an answer."""
        if connection in self._busy:
            self.sample.faults["connection lost"] += 1
            self._rest(connection)

    def _rest(self, connection: Connection) -> None:
        self._busy.discard(connection)
        if not self._busy:
            self._idle.set()


def run(
    port: int,
    request: bytes,
    fault_of: Callable[[int, bytes], str | None],
    *,
    connections: int,
    seconds: float = 0.0,
    each: int | None = None,
    warm_seconds: float = 0.0,
    on_begin: Callable[[], None] = lambda: None,
) -> Sample:
    """One closed loop against a port of this machine, in a loop of its own."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:

        async def go() -> Sample:
            return await Run(request, fault_of, each=each).go(port, connections, seconds, warm_seconds, on_begin)

        return runner.run(go())
