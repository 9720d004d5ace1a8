"""Anthropic's Messages API as a provider: the canonical payload translated to it, its answers translated back.

Source: https://platform.claude.com/docs/en/api/overview
"""

import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import aclosing, asynccontextmanager

import orjson

from shared.domain.chat import ChatRequest, Chunk, Completion
from shared.domain.models import Model
from shared.errors import InvalidInput, UpstreamError
from shared.providers.anthropic import errors
from shared.providers.anthropic.decode import completion
from shared.providers.anthropic.encode import encode
from shared.providers.anthropic.stream import StreamDecoder
from shared.providers.base import Probe, Timeouts
from shared.providers.http_client import MAX_ERROR_BYTES, Exchange, HttpClient

API_VERSION = "2023-06-01"
"""The version that takes temperature and its kin where a model does; the newer one refuses them from every model."""

PROBE_TIMEOUTS = Timeouts(connect=3, first_token=5, stall=5, total=8)


class AnthropicMessages:
    """One account at Anthropic, or at a service that speaks its API. `clock` gives seconds since the epoch."""

    reports_cost = False

    def __init__(
        self,
        name: str,
        base_url: str,
        api_key: str,
        client: HttpClient,
        *,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.name = name
        self.base_url = base_url.rstrip("/").removesuffix("/v1")
        self._client = client
        self._clock = clock
        self._key = api_key
        self._headers = {
            "Content-Type": "application/json",
            "User-Agent": "ai-mcp-gateway",
            "x-api-key": api_key,
            "anthropic-version": API_VERSION,
        }

    @property
    def configured(self) -> bool:
        """Whether there is a key."""
        return bool(self._key)

    def serves(self, model: Model) -> bool:
        """Any model, as far as can be known without asking."""
        return self.configured

    async def complete(self, model: Model, request: ChatRequest, timeouts: Timeouts) -> Completion:
        """The whole answer."""
        async with self._post(model, request, timeouts, stream=False) as exchange:
            if exchange.status != 200:
                raise await self._failure(exchange)
            body = await exchange.read()
        return completion(self.name, body, model.api_model_name, int(self._clock()), secret=self._key)

    @asynccontextmanager
    async def stream(
        self, model: Model, request: ChatRequest, timeouts: Timeouts
    ) -> AsyncIterator[AsyncIterator[Chunk]]:
        """The answer as it comes."""
        async with self._post(model, request, timeouts, stream=True) as exchange:
            if exchange.status != 200:
                raise await self._failure(exchange)
            decoder = StreamDecoder(self.name, model.api_model_name, int(self._clock()), secret=self._key)
            async with aclosing(self._chunks(exchange, decoder)) as chunks:
                yield chunks

    async def probe(self) -> Probe:
        """Ask for one entry of the list of models."""
        if not self.configured:
            return Probe(healthy=False, detail="no API key")
        url = self.base_url + "/v1/models?limit=1"
        try:
            async with self._client.get(url, headers=self._headers, timeouts=PROBE_TIMEOUTS) as exchange:
                if exchange.status != 200:
                    return Probe(healthy=False, detail=(await self._failure(exchange)).message)
                await exchange.read(MAX_ERROR_BYTES)
                return Probe(healthy=True)
        except UpstreamError as error:
            return Probe(healthy=False, detail=error.message)

    async def aclose(self) -> None:
        """Nothing to free: the client is shared."""

    def _post(self, model: Model, request: ChatRequest, timeouts: Timeouts, *, stream: bool) -> Exchange:
        encoded = encode(request.payload, model=model.api_model_name, stream=stream)
        try:
            body = orjson.dumps(encoded.body)
        except orjson.JSONEncodeError as error:
            raise InvalidInput("The request cannot be sent as JSON.", details=str(error)) from None
        headers = self._headers
        if encoded.betas:
            headers = {**headers, "anthropic-beta": ",".join(encoded.betas)}
        return self._client.post(self.base_url + "/v1/messages", headers=headers, body=body, timeouts=timeouts)

    async def _failure(self, exchange: Exchange) -> UpstreamError:
        body = await exchange.beginning()
        return errors.from_response(self.name, exchange.status, exchange.headers, body, secret=self._key)

    async def _chunks(self, exchange: Exchange, decoder: StreamDecoder) -> AsyncGenerator[Chunk, None]:
        if not exchange.headers.get("content-type", "").startswith("text/event-stream"):
            raise errors.no_stream(self.name, await exchange.read(MAX_ERROR_BYTES), secret=self._key)
        async for block in exchange.blocks():
            chunk = decoder.feed(block)
            if chunk.data:
                yield chunk
            if decoder.done:
                break
        last = decoder.finish()
        if last.data:
            yield Chunk(last.data, last.content)
        yield Chunk(b"", final=last.final)  # by itself, or what commits the stream would take it along
        await exchange.drain()
