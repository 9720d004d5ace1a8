"""Ollama's own API as a provider: the window fits the prompt, and a prompt that was cut all the same is told of.

Source: https://docs.ollama.com/api
"""

import time
import uuid
from collections import Counter, defaultdict
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, aclosing, asynccontextmanager, contextmanager
from dataclasses import dataclass, replace
from typing import Any

import orjson

from shared.domain.chat import ChatRequest, Chunk, Completion
from shared.domain.models import Model
from shared.errors import InvalidInput, UpstreamContextTooLong
from shared.providers.base import Probe, Timeouts
from shared.providers.http_client import Exchange, HttpClient
from shared.providers.local_listings import ollama_entries, ollama_model
from shared.providers.ollama import errors
from shared.providers.ollama.decode import Asked, completion
from shared.providers.ollama.encode import Body, asked_window, encode, room_in
from shared.providers.ollama.server import Server
from shared.providers.ollama.stream import StreamDecoder
from shared.providers.ollama.window import Window, size_of, window_for
from shared.providers.translated import payload_of
from shared.structured import get_logger

log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Prepared:
    """A request that is ready to go, but for the window that goes with it."""

    body: Body
    window: Window

    def encoded(self) -> bytes:
        """The bytes to send. Raises InvalidInput when they cannot be JSON."""
        options = {**self.body["options"], "num_ctx": self.window.tokens}
        try:
            return orjson.dumps({**self.body, "options": options})
        except orjson.JSONEncodeError as error:
            raise InvalidInput("The request cannot be sent as JSON.", details=str(error)) from None


class OllamaChat:
    """One Ollama server. `longest_context` bounds the windows that it is asked for, in tokens; 0 leaves it to the models.

    `clock` gives seconds since the epoch, `new_id` ids for answers, of which Ollama has none.
    """

    reports_cost = False

    def __init__(
        self,
        name: str,
        base_url: str,
        client: HttpClient,
        *,
        api_key: str = "",
        longest_context: int = 0,
        clock: Callable[[], float] = time.time,
        new_id: Callable[[], str] = lambda: uuid.uuid4().hex,
    ) -> None:
        self.name = name
        self.base_url = base_url.rstrip("/").removesuffix("/v1").removesuffix("/api")
        self._client = client
        self._key = api_key
        self._limit = longest_context or None
        self._clock = clock
        self._new_id = new_id
        self._headers = {"Content-Type": "application/json", "User-Agent": "ai-mcp-gateway"}
        if api_key:
            self._headers["Authorization"] = f"Bearer {api_key}"
        self._server = Server(self.base_url, self._headers, client)
        self._in_flight: defaultdict[str, Counter[int]] = defaultdict(Counter)

    @property
    def configured(self) -> bool:
        """Always: no key is needed."""
        return True

    def serves(self, model: Model) -> bool:
        """Any model, as far as can be known without asking."""
        return True

    async def complete(self, model: Model, request: ChatRequest, timeouts: Timeouts) -> Completion:
        """The whole answer."""
        async with self._answering(model, request, timeouts, stream=False) as (exchange, asked):
            answer = completion(asked, await exchange.read())
        self._look_for_cut(asked, answer.payload)
        return answer

    @asynccontextmanager
    async def stream(
        self, model: Model, request: ChatRequest, timeouts: Timeouts
    ) -> AsyncIterator[AsyncIterator[Chunk]]:
        """The answer as it comes."""
        async with (
            self._answering(model, request, timeouts, stream=True) as (exchange, asked),
            aclosing(self._chunks(exchange, asked)) as chunks,
        ):
            yield chunks

    async def probe(self) -> Probe:
        """Ask for the list of models."""
        entries = ollama_entries(await self._server.listing())
        if entries is None:
            return Probe(healthy=False, detail=f"no Ollama server answers for {self.name}")
        found = (ollama_model(entry, None, self.name) for entry in entries)
        return Probe(healthy=True, models=tuple(model for model in found if model is not None))

    async def aclose(self) -> None:
        """Nothing to free: the client is shared."""

    @asynccontextmanager
    async def _answering(
        self, model: Model, request: ChatRequest, timeouts: Timeouts, *, stream: bool
    ) -> AsyncIterator[tuple[Exchange, Asked]]:
        """An answer with status 200, and what it belongs to."""
        name = model.api_model_name
        prepared = await self._prepared(model, request, stream=stream)
        async with AsyncExitStack() as stack:
            exchange, window = await self._post(stack, name, prepared, timeouts)
            created = int(self._clock())
            yield (
                exchange,
                Asked(provider=self.name, model=name, identity=self._new_id(), created=created, window=window),
            )

    async def _prepared(self, model: Model, request: ChatRequest, *, stream: bool) -> Prepared:
        """Raises UpstreamContextTooLong for a prompt that no window of this model can hold."""
        name = model.api_model_name
        traits, loaded = await self._server.traits(name), await self._server.loaded(name)
        payload = {**payload_of(request, late_system=False), **_own_fields(request)}
        body = encode(payload, traits, model=name, stream=stream)
        window = window_for(
            size_of(body),
            room=room_in(body, traits),
            wanted=max(traits.preset, asked_window(payload), *self._in_flight[name]),
            loaded=loaded,
            longest=traits.longest or model.context_window,
            limit=self._limit,
        )
        if window.too_small:
            raise UpstreamContextTooLong(
                f"The conversation has about {window.size.estimate} tokens, and {name} can have a context window of "
                f"{window.tokens}; shorten it, or use a model with a larger one.",
                status=400,  # as Ollama itself would answer; without one the server would count as gone
            )
        return Prepared(body, window)

    async def _post(
        self, stack: AsyncExitStack, name: str, prepared: Prepared, timeouts: Timeouts
    ) -> tuple[Exchange, Window]:
        """Send it; once more with a larger window, where the server has counted that the prompt needs one."""
        url = self.base_url + "/api/chat"
        while True:
            stack.enter_context(self._holding(name, prepared.window.tokens))
            exchange = await stack.enter_async_context(
                self._client.post(url, headers=self._headers, body=prepared.encoded(), timeouts=timeouts)
            )
            if exchange.status == 200:
                return exchange, prepared.window
            prepared = replace(prepared, window=await self._larger(exchange, prepared.window))

    @contextmanager
    def _holding(self, name: str, tokens: int) -> Iterator[None]:
        """Let requests beside this one have as large a window: with another size each would load the model again."""
        self._in_flight[name][tokens] += 1
        try:
            yield
        finally:
            self._in_flight[name] -= Counter([tokens])

    async def _larger(self, exchange: Exchange, window: Window) -> Window:
        """A window that holds the prompt, if that is why it was refused; raises what was wrong otherwise."""
        reason = errors.reason_of(await exchange.beginning())
        larger = window.larger(reason.prompt) if reason.code == errors.CONTEXT_CODE and reason.prompt else None
        if larger is None:
            raise errors.from_response(
                self.name, exchange.status, exchange.headers, reason, tight=window.tight, secret=self._key
            )
        return larger

    async def _chunks(self, exchange: Exchange, asked: Asked) -> AsyncGenerator[Chunk]:
        decoder = StreamDecoder(asked)
        async for block in exchange.blocks():
            chunk = decoder.feed(block)
            if chunk.data:
                yield chunk
            if decoder.done:
                break
        last = decoder.finish()
        self._look_for_cut(asked, last.final or {})
        yield last
        await exchange.drain()

    def _look_for_cut(self, asked: Asked, payload: dict[str, Any]) -> None:
        usage = payload["usage"]
        if usage.get("truncated_prompt"):
            log.warning(
                "Ollama cut the prompt",
                provider=self.name,
                model=asked.model,
                num_ctx=asked.window.tokens,
                prompt_tokens=usage["prompt_tokens"],
                estimate=asked.window.size.estimate,
            )


def _own_fields(request: ChatRequest) -> dict[str, Any]:
    """What only Ollama takes of a request that was written for it."""
    if request.native is None or request.native.dialect != "ollama":
        return {}
    return {name: request.native.payload[name] for name in ("options", "keep_alive") if name in request.native.payload}
