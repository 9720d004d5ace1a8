"""What the clients of the soak do until they are told to stop: hold connections, chat, work in terminals, and leave early."""

import asyncio
import json
import random
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import aiohttp

MODEL = "soak/scripted"
SCRIPTED = "scripted-n8-ttft200-itl100"
"""An answer takes a second."""
QUICK_MODEL, QUICK = "soak/quick", "scripted-n1"
AT_ONCE = 50
STREAMED, WHOLE = "data: [DONE]", '"usage"'


@dataclass
class Tally:
    """What was done, and what went wrong that no client caused."""

    done: Counter[str] = field(default_factory=Counter)
    aborted: Counter[str] = field(default_factory=Counter)
    wrong: Counter[str] = field(default_factory=Counter)


@dataclass
class Crowd:
    """The clients of one gateway. `aborts` is the share of requests whose client leaves before they are answered."""

    port: int
    http: aiohttp.ClientSession
    aborts: float
    tally: Tally
    stopped: asyncio.Event

    def leaves(self) -> bool:
        return random.random() < self.aborts

    async def worker(self, kind: str, turn: Callable[[], Awaitable[None]]) -> None:
        """One client: the same again and again."""
        while not self.stopped.is_set():
            try:
                await turn()
            except (OSError, aiohttp.ClientError, asyncio.IncompleteReadError, AssertionError) as error:
                self.tally.wrong[f"{kind}: {type(error).__name__} {error}"[:200]] += 1

    async def ask(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> tuple[int, str]:
        async with self.http.request(method, f"http://127.0.0.1:{self.port}{path}", json=body) as answer:
            return answer.status, await answer.text()

    async def left(self, kind: str, request: Awaitable[object], *, within: float) -> None:
        """Begin a request and leave at some moment; whatever came until then is not looked at."""
        try:
            async with asyncio.timeout(random.uniform(0, within)):
                await request
        except TimeoutError:
            self.tally.aborted[kind] += 1

    async def chat(self) -> None:
        stream = random.random() < 0.5
        body = {"model": MODEL, "stream": stream, "messages": [{"role": "user", "content": "Go on."}]}
        request = self.ask("POST", "/v1/chat/completions", body)
        if self.leaves():
            await self.left("chat", request, within=1)
            return
        status, text = await request
        assert status == 200, f"status {status}: {text}"
        assert (STREAMED if stream else WHOLE) in text, f"no end: {text[-100:]}"
        self.tally.done["chat"] += 1

    async def terminal(self) -> None:
        status, text = await self.ask("POST", "/v1/terminal/sessions", {"type": "local"})
        assert status == 201, f"status {status}: {text}"
        path = "/v1/terminal/" + json.loads(text)["session"]["id"]
        try:
            await self._work(path)
        finally:
            status, text = await self.ask("DELETE", path)
            assert status == 200, f"status {status}: {text}"

    async def _work(self, path: str) -> None:
        for _ in range(5):
            if self.leaves():
                await self.left("command", self.ask("POST", f"{path}/execute", {"command": "sleep 20"}), within=0.5)
                continue
            number = random.randrange(10**9)
            status, text = await self.ask("POST", f"{path}/execute", {"command": f"sleep 0.2; echo {number}"})
            assert (status, f"{number}" in text) == (200, True), f"status {status}: {text}"
            self.tally.done["command"] += 1
        line = {"data": "echo $((6*7))-\r", "wait": {"for": "output", "pattern": "42-"}}
        status, text = await self.ask("POST", f"{path}/send", line)
        assert (status, '"matched"' in text) == (200, True), f"status {status}: {text}"
        self.tally.done["line typed"] += 1

    async def connection(self) -> None:
        """Hold one connection, say something on it now and then, and end it in either way."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        try:
            while not self.stopped.is_set():
                writer.write(b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n")
                if self.leaves():
                    writer.transport.abort()
                    self.tally.aborted["connection"] += 1
                    return
                await self._answered(reader)
                await self._pause(random.uniform(1, 10))
        finally:
            writer.close()

    async def _answered(self, reader: asyncio.StreamReader) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200 "), head.split(b"\r\n")[0].decode()
        length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
        await reader.readexactly(length)
        self.tally.done["request on a held connection"] += 1

    async def _pause(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self.stopped.wait()
        except TimeoutError:
            pass


async def fill(port: int, count: int) -> None:
    """So many quick chats, after which everything that is remembered of the last ones is as large as it gets."""
    body = {"model": QUICK_MODEL, "messages": [{"role": "user", "content": "Go on."}]}
    numbers = iter(range(count))

    async def client(http: aiohttp.ClientSession) -> None:
        for _ in numbers:
            async with http.post(f"http://127.0.0.1:{port}/v1/chat/completions", json=body) as answer:
                assert answer.status == 200, await answer.text()
                await answer.read()

    async with aiohttp.ClientSession() as http, asyncio.TaskGroup() as group:
        for _ in range(AT_ONCE):
            group.create_task(client(http))


async def work(port: int, sizes: Mapping[str, int], *, aborts: float, seconds: float) -> Tally:
    """A crowd of these sizes, for so long; what came of it."""
    tally, stopped = Tally(), asyncio.Event()
    connector = aiohttp.TCPConnector(limit=0)
    patience = aiohttp.ClientTimeout(total=60)
    async with aiohttp.ClientSession(connector=connector, timeout=patience) as http, asyncio.TaskGroup() as group:
        crowd = Crowd(port, http, aborts, tally, stopped)
        turns = {"connection": crowd.connection, "chat": crowd.chat, "terminal": crowd.terminal}
        for kind, turn in turns.items():
            for _ in range(sizes[kind]):
                group.create_task(crowd.worker(kind, turn))
        await asyncio.sleep(seconds)
        stopped.set()
    return tally
