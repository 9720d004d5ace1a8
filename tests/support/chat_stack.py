"""The chat core without its surroundings: a registry, providers at scripted servers, the executor, a ledger."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from shared.domain.chat import ChatRequest
from shared.domain.identity import LOCAL
from shared.domain.models import Capabilities, Model
from shared.providers.base import Timeouts
from shared.providers.directory import Directory
from shared.providers.http_client import HttpClient
from shared.providers.openai.provider import OpenAICompatible
from shared.providers.scripted import ScriptedServer
from shared.providers.vendors import Account
from shared.registry.registry import Registry
from shared.routing.executor import Answer, Executor
from shared.routing.planner import Policy
from shared.storage import schema
from shared.storage.database import Database
from shared.usage.ledger import Ledger
from shared.usage.pricing import PriceBook

QUICK = Timeouts(connect=2, first_token=0.5, stall=0.5, total=5)
ABLE = Capabilities(code=True, vision=True, tools=True)


def now() -> datetime:
    return datetime.now(UTC)


@dataclass
class ChatStack:
    server: ScriptedServer
    registry: Registry
    providers: Directory
    executor: Executor
    ledger: Ledger
    database: Database

    async def add(
        self, name: str, *, provider: str = "scripted", layer: Any = "L0", priority: int = 0, **more: Any
    ) -> Model:
        more = {"capabilities": ABLE, "price_per_1k_input_tokens": "1", "price_per_1k_output_tokens": "2", **more}
        model_id = more.pop("id", f"{provider}/{name}")
        return await self.registry.add(
            Model(id=model_id, provider=provider, api_model_name=name, layer=layer, priority=priority, **more)
        )

    async def chat(self, **body: Any) -> Answer:
        return await self.executor.complete(LOCAL, ask(**body))


def ask(**body: Any) -> ChatRequest:
    return ChatRequest.parse({"messages": [{"role": "user", "content": "hi"}], **body})


@asynccontextmanager
async def chat_stack(
    folder: Path, policy: Policy | None = None, timeouts: Timeouts = QUICK
) -> AsyncIterator[ChatStack]:
    """Providers: `scripted` answers as the model name says, `dead` refuses connections. The registry starts empty."""
    async with AsyncExitStack() as stack:
        server = await stack.enter_async_context(ScriptedServer().listening())
        database = await stack.enter_async_context(Database(f"sqlite:///{folder / 'stack.sqlite3'}"))
        schema.upgrade(database)
        database.run_sync(_no_seed)
        registry = Registry(database)
        await registry.load()
        client = HttpClient()
        stack.push_async_callback(client.aclose)
        providers = Directory(lambda account: OpenAICompatible(account.name, account.base_url, account.api_key, client))
        await providers.replace(
            [
                Account(name="scripted", dialect="openai", base_url=server.base_url, api_key="sk-test-key"),
                Account(name="dead", dialect="openai", base_url="http://127.0.0.1:9/v1", api_key="sk-test-key"),
            ]
        )
        ledger = Ledger(database, now)
        executor = Executor(
            registry=registry,
            providers=providers,
            ledger=ledger,
            prices=PriceBook(),
            timeouts=timeouts,
            policy=lambda: policy or Policy(),
            clock=now,
        )
        yield ChatStack(server, registry, providers, executor, ledger, database)


def _no_seed(session: Any) -> None:
    from shared.registry.registry import SEEDED
    from shared.storage import facts

    facts.write(session, SEEDED, {"version": 0})
