"""Local model servers that answer: asks every candidate, and remembers what each said."""

import asyncio
import importlib
import ssl
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import orjson

from shared.providers import local_listings as listings
from shared.providers.base import FoundModel
from shared.providers.local_addresses import Candidate, shown

if TYPE_CHECKING:
    import httpx

CONNECT_SECONDS = 2.0
READ_SECONDS = 3.0
PROBE_SECONDS = 10.0
DETAILS_SECONDS = 4.0
MAX_BODY_BYTES = 4 * 1024 * 1024
AT_ONCE = 4
MISSES_ALLOWED = 1

Details = dict[tuple[str, str, str], Any]
"""What Ollama said of a model, by server, name and digest."""


@dataclass(frozen=True, kw_only=True)
class LocalServer:
    """A model server that answers; its OpenAI-compatible API is at `base_url`."""

    kind: str
    root: str
    base_url: str
    models: tuple[FoundModel, ...]

    @property
    def label(self) -> str:
        """Kind and address, for people."""
        return label(self.kind, self.root)

    def offers(self, name: str) -> bool:
        """Whether it has a model of that name; Ollama takes one without `:latest` too."""
        return name in self._names or (self.kind == "ollama" and f"{name}:latest" in self._names)

    @cached_property
    def _names(self) -> frozenset[str]:
        return frozenset(model.name for model in self.models)


def label(kind: str, root: str) -> str:
    """A server in words."""
    return f"{kind} {shown(root)}"


class Discovery:
    """Who answers among the candidates. Their order is the order of preference."""

    def __init__(self, candidates: Iterable[Candidate]) -> None:
        self.candidates = tuple(candidates)
        self.servers: tuple[LocalServer, ...] = ()
        self._found: dict[str, LocalServer] = {}
        self._client: httpx.AsyncClient | None = None
        self._round: asyncio.Task[None] | None = None
        self._misses: dict[str, int] = {}
        self._details: Details = {}

    async def refresh(self) -> tuple[LocalServer, ...]:
        """Ask all of them again; callers at the same time share one round."""
        if not self.candidates:
            return ()
        if self._round is None or self._round.done():
            self._round = asyncio.create_task(self._ask_all())
        # Not by awaiting the task: one caller that goes away must not end it for the others.
        await asyncio.wait([self._round])
        if not self._round.cancelled():
            self._round.result()
        return self.servers

    def drop(self, server: LocalServer) -> None:
        """Take a server for gone, until it is found again."""
        self._take(server.root, None)

    async def aclose(self) -> None:
        """Stop asking."""
        if self._round is not None:
            self._round.cancel()
            await asyncio.wait([self._round])
        if self._client is not None:
            await self._client.aclose()
            self._client = None

    async def _ask_all(self) -> None:
        client = await self._opened()
        gate = asyncio.Semaphore(AT_ONCE)

        async def ask(candidate: Candidate) -> None:
            async with gate:
                found = await self._ask(_Probe(client, candidate, self._details))
            self._take(candidate.root, found)

        await asyncio.gather(*map(ask, self.candidates))

    def _take(self, root: str, server: LocalServer | None) -> None:
        if server is None:
            self._found.pop(root, None)
        else:
            self._found[root] = server
        self.servers = tuple(self._found[one.root] for one in self.candidates if one.root in self._found)

    async def _ask(self, probe: "_Probe") -> LocalServer | None:
        """Who is there. One that was there and is merely slow, being busy with an answer, is kept for a round."""
        root = probe.candidate.root
        try:
            async with asyncio.timeout(PROBE_SECONDS):
                found = await probe.run()
        except TimeoutError:
            self._misses[root] = self._misses.get(root, 0) + 1
            return self._found.get(root) if self._misses[root] <= MISSES_ALLOWED else None
        self._misses.pop(root, None)
        return found

    async def _opened(self) -> "httpx.AsyncClient":
        if self._client is None:
            await asyncio.to_thread(importlib.import_module, "httpx")
            import httpx

            # Loading certificates costs more than all the rest, and few candidates speak TLS. This context trusts none.
            secure = any(candidate.root.startswith("https:") for candidate in self.candidates)
            self._client = httpx.AsyncClient(
                verify=True if secure else ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT),
                timeout=httpx.Timeout(READ_SECONDS, connect=CONNECT_SECONDS),
                limits=httpx.Limits(max_keepalive_connections=0),
                headers={"Accept": "application/json", "Accept-Encoding": "identity", "User-Agent": "ai-mcp-gateway"},
                follow_redirects=False,
                trust_env=False,
            )
        return self._client


class _Probe:
    """One conversation with one candidate. Nothing but JSON of the right shape makes it a model server."""

    def __init__(self, client: "httpx.AsyncClient", candidate: Candidate, details: Details) -> None:
        self.candidate = candidate
        self._client = client
        self._details = details

    async def run(self) -> LocalServer | None:
        """The server, if it is one. Raises TimeoutError when somebody is there and does not answer."""
        root = self.candidate.root
        for base_url in (f"{root}/v1", root) if self.candidate.explicit else (f"{root}/v1",):
            entries = listings.openai_entries(await self._json("GET", f"{base_url}/models"))
            if entries is not None:
                return await self._identified(base_url, entries)
        return None

    async def _identified(self, base_url: str, entries: listings.Entries) -> LocalServer | None:
        kind, models = await self._models(entries)
        if not kind:
            return None
        return LocalServer(kind=kind, root=self.candidate.root, base_url=base_url, models=models)

    async def _models(self, entries: listings.Entries) -> tuple[str, tuple[FoundModel, ...]]:
        root = self.candidate.root
        kind = listings.kind_of(entries)
        if kind == "llama.cpp":
            props = await self._json("GET", f"{root}/props")
            return kind, listings.llama_cpp_models(entries, props, label(kind, root))
        if kind:
            return kind, listings.plain_models(entries, label(kind, root))
        tags = listings.ollama_entries(await self._json("GET", f"{root}/api/tags"))
        if tags is not None:
            return "ollama", await self._ollama(tags)
        native = await self._json("GET", f"{root}/api/v0/models")
        found = listings.lm_studio_models(native, label("lm-studio", root))
        if found is not None:
            return "lm-studio", found
        if not self.candidate.explicit:
            return "", ()
        return "openai-compatible", listings.plain_models(entries, label("openai-compatible", root))

    async def _ollama(self, tags: listings.Entries) -> tuple[FoundModel, ...]:
        root = self.candidate.root
        wanted = {(root, entry["name"], str(entry["digest"])): entry for entry in tags}
        for key in [key for key in self._details if key[0] == root and key not in wanted]:
            del self._details[key]
        await self._ask_details([key for key in wanted if key not in self._details])
        found = (
            listings.ollama_model(entry, self._details.get(key), label("ollama", root)) for key, entry in wanted.items()
        )
        return tuple(model for model in found if model is not None)

    async def _ask_details(self, keys: list[tuple[str, str, str]]) -> None:
        """Best effort: what isn't answered in time is asked for in the next round."""
        gate = asyncio.Semaphore(AT_ONCE)

        async def ask(key: tuple[str, str, str]) -> None:
            async with gate:
                said = await self._json("POST", f"{key[0]}/api/show", {"model": key[1]})
            if said is not None:
                self._details[key] = listings.ollama_details(said)

        try:
            async with asyncio.timeout(DETAILS_SECONDS):
                await asyncio.gather(*map(ask, keys))
        except TimeoutError:
            pass

    async def _json(self, method: str, url: str, body: dict[str, Any] | None = None) -> Any:
        """The JSON that a request with status 200 brings, or None. Raises TimeoutError."""
        import httpx

        data = bytearray()
        try:
            async with self._client.stream(method, url, json=body) as response:
                if response.status_code != 200:
                    return None
                async for part in response.aiter_raw():
                    data += part
                    if len(data) > MAX_BODY_BYTES:
                        return None
            return orjson.loads(data)
        except httpx.TimeoutException:
            raise TimeoutError from None
        except (httpx.HTTPError, httpx.InvalidURL, ValueError, OSError):
            return None
