"""The load that goes on while a fault happens: chats, streams and API keys, through a balancer that asks for readiness."""

import asyncio
import itertools
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import orjson
from fault_stand import CHAT, TEAM, Stand

CLIENTS = 12
PAUSE_SECONDS = 0.05
CHECK_SECONDS = 0.2
KEY_SECONDS = 0.3
REFUSED = (402, 429)


@dataclass(slots=True)
class Sent:
    """What became of everything that was sent. `answered` holds ids of requests, `keys` names by the status of the answer."""

    number: int = 0
    answered: set[str] = field(default_factory=set)
    bounded: set[str] = field(default_factory=set)
    refused: int = 0
    cut: int = 0
    failed: Counter[str] = field(default_factory=Counter)
    keys: dict[str, int] = field(default_factory=dict)


class Load:
    """Clients that send one request after another to the nodes that are ready, until `stopping` is set."""

    def __init__(self, stand: Stand, http: aiohttp.ClientSession) -> None:
        self.sent = Sent()
        self.stopping = asyncio.Event()
        self._stand = stand
        self._http = http
        self._ready = {node.port: True for node in stand.nodes}
        self._turns = itertools.count()

    async def run(self) -> None:
        """All clients, until they are told to stop and have their last answer."""
        checks = asyncio.create_task(self._check())
        try:
            await asyncio.gather(self._make_keys(), *(self._client() for _ in range(CLIENTS)))
        finally:
            checks.cancel()
            await asyncio.gather(checks, return_exceptions=True)

    async def reached(self, number: int) -> None:
        """Return once so many requests are sent."""
        while self.sent.number < number:
            await asyncio.sleep(0.01)

    def _ports(self) -> Iterator[int]:
        """Where the next request may go: the balancer, or the nodes that are ready in turn, then all others."""
        if self._stand.balancer is not None:
            yield self._stand.balancer
            return
        ports = [node.port for node in self._stand.nodes if node.port not in self._stand.out]
        turn = next(self._turns) % len(ports)
        ports = ports[turn:] + ports[:turn]
        yield from sorted(ports, key=lambda port: not self._ready[port])

    async def _check(self) -> None:
        timeout = aiohttp.ClientTimeout(total=2)
        while True:
            for port in self._ready:
                try:
                    async with self._http.get(f"http://127.0.0.1:{port}/readyz", timeout=timeout) as answer:
                        self._ready[port] = answer.status == 200
                except (aiohttp.ClientError, TimeoutError):
                    self._ready[port] = False
            await asyncio.sleep(CHECK_SECONDS)

    async def _client(self) -> None:
        while not self.stopping.is_set():
            number, self.sent.number = self.sent.number, self.sent.number + 1
            await self._chat(f"faults-{number}", stream=number % 10 == 0, bounded=number % 3 == 1)
            await asyncio.sleep(PAUSE_SECONDS)

    async def _chat(self, name: str, *, stream: bool, bounded: bool) -> None:
        body: dict[str, Any] = {
            "model": self._stand.stream if stream else CHAT,
            "stream": stream,
            "max_tokens": 20 if stream else 8,
        }
        body["messages"] = [{"role": "user", "content": name}]
        if bounded and not stream:
            self.sent.bounded.add(name)
            body["gateway"] = {"tags": {"team": TEAM}}
        for port in self._ports():
            began = False
            try:
                async with self._http.post(
                    f"http://127.0.0.1:{port}/v1/chat/completions", json=body, headers={"X-Request-ID": name}
                ) as answer:
                    began = answer.status == 200
                    self._judge(name, answer.status, await answer.read(), stream=stream)
                return
            except aiohttp.ClientConnectorError:
                self._ready[port] = False  # nothing was sent: another one may have it
            except (aiohttp.ClientError, TimeoutError) as error:
                if stream and began:
                    self.sent.cut += 1
                else:
                    self.sent.failed[type(error).__name__] += 1
                return
        self.sent.failed["no node"] += 1

    def _judge(self, name: str, status: int, text: bytes, *, stream: bool) -> None:
        if status in REFUSED:
            self.sent.refused += 1
        elif status != 200:
            self.sent.failed[str(status)] += 1
        elif stream and b"[DONE]" not in text:
            self.sent.cut += 1
        else:
            self.sent.answered.add(name)

    async def _make_keys(self) -> None:
        """Make API keys one after another; a status of 0 is one without an answer."""
        for number in itertools.count():
            if self.stopping.is_set():
                return
            name, port = f"faults-key-{number}", next(self._ports())
            self.sent.keys[name] = 0
            with suppress(aiohttp.ClientError, TimeoutError):
                body = orjson.dumps({"name": name, "scopes": ["chat"]})
                async with self._http.post(
                    f"http://127.0.0.1:{port}/v1/keys", data=body, headers={"Content-Type": "application/json"}
                ) as answer:
                    await answer.read()
                    self.sent.keys[name] = answer.status
            await asyncio.sleep(KEY_SECONDS)
