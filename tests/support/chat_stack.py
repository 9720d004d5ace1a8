"""The chat core without its surroundings: a registry, providers at scripted servers, the executor, a ledger."""

from collections.abc import AsyncIterator, Iterable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from shared.domain.chat import ChatRequest
from shared.domain.identity import LOCAL
from shared.domain.models import Capabilities, Model
from shared.domain.shares import parse_shares
from shared.providers.anthropic.provider import AnthropicMessages
from shared.providers.base import Provider, Timeouts
from shared.providers.directory import Directory
from shared.providers.http_client import HttpClient
from shared.providers.openai.provider import OpenAICompatible
from shared.providers.scripted import ScriptedServer
from shared.providers.vendors import Account
from shared.registry.aliases import LiveAliases
from shared.registry.registry import Registry
from shared.routing.affinity import Affinity
from shared.routing.answers import Answer
from shared.routing.attempt import Desk, conditions_of
from shared.routing.caching.response_cache import ResponseCache
from shared.routing.executor import Executor
from shared.routing.health import Health
from shared.routing.judgement import Judgement
from shared.routing.learning.learner import Learner
from shared.routing.naming import Naming
from shared.routing.planning import Planning, Rules
from shared.routing.policy import Policy
from shared.routing.replay.decision import Decision
from shared.routing.router import Router
from shared.storage.database import Database
from shared.storage.key_values import MemoryValues
from shared.usage.budgets import Budgets
from shared.usage.ledger import Ledger
from shared.usage.pricing import PriceBook
from tests.support.databases import no_models_file

QUICK = Timeouts(connect=2, first_token=0.5, stall=0.5, total=5)
ABLE = Capabilities(code=True, vision=True, tools=True)
UNGUARDED = Policy(spend_guard=False)


def now() -> datetime:
    return datetime.now(UTC)


@dataclass(repr=False)
class ChatStack:
    server: ScriptedServer
    registry: Registry
    aliases: LiveAliases
    providers: Directory
    router: Router
    health: Health
    ledger: Ledger
    budgets: Budgets
    cache: ResponseCache
    database: Database
    decisions: "Kept"

    async def add(
        self, name: str, *, provider: str = "scripted", layer: Any = "L0", priority: int = 0, **more: Any
    ) -> Model:
        more = {"capabilities": ABLE, "price_per_1k_input_tokens": "1", "price_per_1k_output_tokens": "2", **more}
        model_id = more.pop("id", f"{provider}/{name}")
        return await self.registry.add(
            Model(id=model_id, provider=provider, api_model_name=name, layer=layer, priority=priority, **more)
        )

    async def chat(self, **body: Any) -> Answer:
        return await self.router.complete(LOCAL, ask(**body))


def ask(**body: Any) -> ChatRequest:
    return ChatRequest.parse({"messages": [{"role": "user", "content": "hi"}], **body})


def text_of(answer: Answer) -> str:
    """What it says."""
    return str(answer.payload["choices"][0]["message"]["content"])


def asked(stack: ChatStack) -> list[str]:
    """The models that were called, in order."""
    return [str(seen.body["model"]) for seen in stack.server.seen]


class Kept(list[Decision]):
    """A decision log that is a list."""

    takes_text = True

    def record(self, decision: Decision) -> None:
        self.append(decision)


@asynccontextmanager
async def chat_stack(
    folder: Path,
    policy: Policy = UNGUARDED,
    timeouts: Timeouts = QUICK,
    *,
    patience: float = 0,
    keys: str = "sk-test-key",
    learner: Learner | None = None,
    accounts: Iterable[Account] = (),
) -> AsyncIterator[ChatStack]:
    """Providers: `scripted` and `other` answer as the model name says, `dead` refuses connections, `accounts` are more of
    them. The registry starts empty, and all models bill, so there is no spend guard unless a test wants one.
    """
    async with AsyncExitStack() as stack:
        server = await stack.enter_async_context(ScriptedServer().listening())
        path = folder / "stack.sqlite3"
        if not path.exists():
            path.write_bytes(no_models_file())
        database = await stack.enter_async_context(Database(f"sqlite:///{path}"))
        registry = Registry(database)
        await registry.load()
        client = HttpClient()
        stack.push_async_callback(client.aclose)
        providers = Directory(lambda account: _provider(account, client))
        await providers.replace(
            [
                Account(name="scripted", dialect="openai", base_url=server.base_url, api_key=keys),
                Account(name="other", dialect="openai", base_url=server.base_url, api_key="sk-other-key"),
                Account(name="dead", dialect="openai", base_url="http://127.0.0.1:9/v1", api_key="sk-test-key"),
                *accounts,
            ]
        )
        prices, ledger, budgets = PriceBook(), Ledger(database, now), Budgets(database, None, now)
        stack.push_async_callback(budgets.aclose)
        await budgets.refresh()
        desk = Desk(providers, Health(), ledger, prices, timeouts, now)
        cache = ResponseCache(
            MemoryValues(max_bytes=1_000_000),
            enabled=lambda: False,
            usable=lambda model_id: registry.snapshot.models.get(model_id),
            terms=lambda: "",
            clock=now,
        )
        stack.push_async_callback(cache.aclose)
        decisions = Kept()
        aliases = LiveAliases(database)
        await aliases.refresh()
        router = Router(
            planning=Planning(
                registry=registry,
                rules=Rules(policy=lambda: policy, conditions=conditions_of(desk), clock=now),
                budgets=budgets,
                judgement=Judgement(learner or Learner("off", parse_shares("L0=70,L1=20,L2=8,L3=2")), prices),
                affinity=Affinity(),
            ),
            naming=Naming(registry, aliases, providers.serves),
            executor=Executor(desk, patience=patience),
            prices=prices,
            cache=cache,
            decisions=decisions,
        )
        yield ChatStack(
            server, registry, aliases, providers, router, desk.health, ledger, budgets, cache, database, decisions
        )


def _provider(account: Account, client: HttpClient) -> Provider:
    kind = AnthropicMessages if account.dialect == "anthropic" else OpenAICompatible
    return kind(account.name, account.base_url, account.api_key, client)
