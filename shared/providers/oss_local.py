"""The provider `oss-local`: a model server found on this machine, else the embedded model."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from typing import Any

from shared.domain.chat import ChatRequest, Chunk, Completion
from shared.domain.models import Model
from shared.errors import UpstreamError, UpstreamTimeout
from shared.providers.base import FoundModel, Probe, Provider, Timeouts
from shared.providers.discovery import Discovery, LocalServer
from shared.providers.embedded import MODEL, EmbeddedModel, is_embedded
from shared.providers.embedded_child import Endpoint
from shared.providers.local_addresses import shown
from shared.structured import get_logger

log = get_logger(__name__)

Connect = Callable[[str, str], Provider]
"""Makes the client of an OpenAI-compatible API from its base URL and key."""

ConnectOllama = Callable[[str], Provider]
"""Makes the client of Ollama's own API from the server's root."""

NAMED = 10
"""Models of a server that an error names."""

RECHECK_DELAYS = (0.0, 1.0, 4.0)


class OssLocal:
    """Routes a model to the local server that lists it; the embedded one to its own process."""

    name = "oss-local"
    reports_cost = False

    def __init__(
        self, *, discovery: Discovery, embedded: EmbeddedModel, connect: Connect, connect_ollama: ConnectOllama
    ) -> None:
        self._discovery = discovery
        self._embedded = embedded
        self._connect = connect
        self._connect_ollama = connect_ollama
        self._clients: dict[str, Provider] = {}
        self._embedded_client: tuple[Endpoint, Provider] | None = None
        self._recheck: asyncio.Task[None] | None = None

    @property
    def configured(self) -> bool:
        """Whether somebody is there, was named by the operator, or can be started."""
        named = any(candidate.explicit for candidate in self._discovery.candidates)
        return bool(self._discovery.servers) or named or self._embedded.installed

    @property
    def awaited(self) -> bool:
        """Whether a server that the operator named does not answer."""
        found = {server.root for server in self._discovery.servers}
        return any(one.explicit and one.root not in found for one in self._discovery.candidates)

    def unlisted(self, model: Model) -> str:
        """What to say of a local model that no server offers though some answer; empty for any other."""
        servers = self._discovery.servers
        if model.provider != self.name or not servers or is_embedded(model) or self._server_for(model) is not None:
            return ""
        offered = "; ".join(
            f"{server.label} offers {', '.join(one.name for one in server.models[:NAMED]) or 'no model'}"
            for server in servers
        )
        return f"no local model server lists '{model.api_model_name}': {offered}"

    def serves(self, model: Model) -> bool:
        """Whether a server that answers lists it, or it is the embedded one and can be had."""
        if self._server_for(model) is not None:
            return True
        return model.api_model_name == MODEL.name and self._embedded.available

    async def complete(self, model: Model, request: ChatRequest, timeouts: Timeouts) -> Completion:
        """The whole answer. Raises UpstreamError and its kin."""
        server = self._server_for(model)
        if server is not None:
            with self._noticing_trouble(server):
                return await self._client_of(server).complete(model, request, timeouts)
        endpoint, client = await self._embedded_for(model)
        try:
            return await client.complete(model, request, timeouts)
        except UpstreamError as error:
            await self._let_dead_process_be_replaced(error, endpoint)
        return await (await self._embedded_for(model))[1].complete(model, request, timeouts)

    @asynccontextmanager
    async def stream(
        self, model: Model, request: ChatRequest, timeouts: Timeouts
    ) -> AsyncIterator[AsyncIterator[Chunk]]:
        """The answer as it comes. Raises UpstreamError and its kin."""
        server = self._server_for(model)
        async with AsyncExitStack() as stack:
            if server is None:
                yield await self._embedded_stream(stack, model, request, timeouts)
                return
            with self._noticing_trouble(server):
                chunks = await stack.enter_async_context(self._client_of(server).stream(model, request, timeouts))
            yield self._watched(server, chunks)

    async def probe(self) -> Probe:
        """Look who is there and what they offer; an embedded model that is wanted at once is started.

        The first probe after `aclose` brings everything back: a provider may be turned off and on again.
        """
        self._embedded.open()
        servers, _ = await asyncio.gather(self._discovery.refresh(), asyncio.to_thread(self._embedded.look))
        if self._embedded.mode == "start":
            self._embedded.begin()
        own = (MODEL,) if self._embedded.installed else ()
        unique: dict[str, FoundModel] = {}
        for model in (*(model for server in servers for model in server.models), *own):
            unique.setdefault(model.name, model)
        return Probe(
            healthy=bool(servers) or self._embedded.available, detail=self._in_words(), models=tuple(unique.values())
        )

    def describe(self) -> dict[str, Any]:
        """What answers, for people who look at the gateway's health."""
        servers = self._discovery.servers
        state = self._embedded.state
        found = {server.root for server in servers}
        return {
            "answering": servers[0].label if servers else "embedded model" if self._embedded.available else None,
            "servers": [
                {"kind": one.kind, "url": shown(one.root), "models": [model.name for model in one.models]}
                for one in servers
            ],
            "notAnswering": [
                shown(one.root) for one in self._discovery.candidates if one.explicit and one.root not in found
            ],
            "embedded": {"model": MODEL.name, "state": state.status, "detail": state.detail},
        }

    async def aclose(self) -> None:
        """End the embedded model's process, and everything else that it holds."""
        if self._recheck is not None:
            self._recheck.cancel()
            await asyncio.wait([self._recheck])
        await self._discovery.aclose()
        await self._embedded.aclose()
        clients = [*self._clients.values(), *([self._embedded_client[1]] if self._embedded_client else [])]
        self._clients, self._embedded_client = {}, None
        for client in clients:
            await client.aclose()

    def _server_for(self, model: Model) -> LocalServer | None:
        return next((server for server in self._discovery.servers if server.offers(model.api_model_name)), None)

    def _client_of(self, server: LocalServer) -> Provider:
        if server.base_url not in self._clients:
            native = server.kind == "ollama"
            client = self._connect_ollama(server.root) if native else self._connect(server.base_url, "")
            self._clients[server.base_url] = client
        return self._clients[server.base_url]

    async def _embedded_for(self, model: Model) -> tuple[Endpoint, Provider]:
        """The embedded model's process and a client for it; starts it where need be."""
        if model.api_model_name != MODEL.name:
            raise UpstreamError(f"No local model server offers '{model.api_model_name}' just now.")
        endpoint = await self._embedded.endpoint()
        known = self._embedded_client
        if known is not None and known[0] == endpoint:
            return known
        fresh = self._embedded_client = (endpoint, self._connect(endpoint.base_url, endpoint.api_key))
        if known is not None:
            await known[1].aclose()
        return fresh

    async def _embedded_stream(
        self, stack: AsyncExitStack, model: Model, request: ChatRequest, timeouts: Timeouts
    ) -> AsyncIterator[Chunk]:
        endpoint, client = await self._embedded_for(model)
        try:
            return await stack.enter_async_context(client.stream(model, request, timeouts))
        except UpstreamError as error:
            await self._let_dead_process_be_replaced(error, endpoint)
        client = (await self._embedded_for(model))[1]
        return await stack.enter_async_context(client.stream(model, request, timeouts))

    async def _watched(self, server: LocalServer, chunks: AsyncIterator[Chunk]) -> AsyncIterator[Chunk]:
        with self._noticing_trouble(server):
            async for chunk in chunks:
                yield chunk

    async def _let_dead_process_be_replaced(self, error: UpstreamError, endpoint: Endpoint) -> None:
        """Return when a call failed because the process had died, so that it can be made again; else raise the error."""
        lost = error.status is None and not isinstance(error, UpstreamTimeout)
        if not lost or not await self._embedded.ended(endpoint):
            raise error

    @contextmanager
    def _noticing_trouble(self, server: LocalServer) -> Iterator[None]:
        """Look again soon when a call fails below HTTP, or the model is unknown; one that can't be reached is gone."""
        try:
            yield
        except UpstreamError as error:
            if error.status is None or error.status == 404:
                if error.status is None and not isinstance(error, UpstreamTimeout):
                    self._discovery.drop(server)
                self._look_again_soon()
            raise

    def _look_again_soon(self) -> None:
        if self._recheck is None or self._recheck.done():
            self._recheck = asyncio.create_task(self._look_again(set(self._discovery.servers)))

    async def _look_again(self, before: set[LocalServer]) -> None:
        for delay in RECHECK_DELAYS:
            await asyncio.sleep(delay)
            if set(await self._discovery.refresh()) != before:
                break
        log.info("local model servers", found=self._in_words())

    def _in_words(self) -> str:
        servers = [f"{server.label} ({len(server.models)} models)" for server in self._discovery.servers]
        state = self._embedded.state
        embedded = f"embedded model {state.status}" + (f" ({state.detail})" if state.detail else "")
        return "; ".join([*servers, embedded])
