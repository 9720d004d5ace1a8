"""Anthropic's Messages API as a provider: the canonical payload translated to it, its answers translated back.

Source: https://platform.claude.com/docs/en/api/overview
"""

import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import aclosing, asynccontextmanager
from dataclasses import replace

import orjson

from shared.domain.chat import ChatRequest, Chunk, Completion
from shared.domain.models import Model
from shared.errors import InvalidInput, UpstreamError
from shared.providers.anthropic import errors, native
from shared.providers.anthropic.decode import completion
from shared.providers.anthropic.encode import encode
from shared.providers.anthropic.relay import MessageRelay
from shared.providers.anthropic.stream import StreamDecoder
from shared.providers.anthropic.traits import traits_of
from shared.providers.base import Probe, Timeouts
from shared.providers.http_client import MAX_ERROR_BYTES, Exchange, HttpClient
from shared.providers.translated import payload_of

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
        own = self._native(model, request, stream=False)
        async with self._post(model, request, timeouts, own, stream=False) as exchange:
            if exchange.status != 200:
                raise await self._failure(exchange)
            body = await exchange.read()
        found = completion(self.name, body, model.api_model_name, int(self._clock()), secret=self._key)
        return found if own is None else replace(found, native=body)

    @asynccontextmanager
    async def stream(
        self, model: Model, request: ChatRequest, timeouts: Timeouts
    ) -> AsyncIterator[AsyncIterator[Chunk]]:
        """The answer as it comes."""
        own = self._native(model, request, stream=True)
        kind = StreamDecoder if own is None else MessageRelay
        async with self._post(model, request, timeouts, own, stream=True) as exchange:
            if exchange.status != 200:
                raise await self._failure(exchange)
            decoder = kind(self.name, model.api_model_name, int(self._clock()), secret=self._key)
            async with aclosing(self._chunks(exchange, decoder)) as chunks:
                yield chunks

    async def count_tokens(self, model: Model, request: ChatRequest) -> int | None:
        """The tokens of a request that came in this dialect; None for any other."""
        if request.native is None or request.native.dialect != "messages":
            return None
        body = native.with_model(request.native.changed(max_tokens=None, stream=None), model.api_model_name)
        headers = native.headers_for(request.native, self._headers)
        url = self.base_url + "/v1/messages/count_tokens"
        async with self._client.post(url, headers=headers, body=body, timeouts=PROBE_TIMEOUTS) as exchange:
            if exchange.status != 200:
                raise await self._failure(exchange)
            counted = await exchange.read(MAX_ERROR_BYTES)
        try:
            return int(orjson.loads(counted)["input_tokens"])
        except (orjson.JSONDecodeError, KeyError, TypeError, ValueError):
            return None

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

    def _native(self, model: Model, request: ChatRequest, *, stream: bool) -> bytes | None:
        """The caller's own body, where that is in this dialect and the model takes it."""
        if request.native is None or request.native.dialect != "messages":
            return None
        return native.body_for(request.native, model.api_model_name, traits_of(model.api_model_name), stream=stream)

    def _post(
        self, model: Model, request: ChatRequest, timeouts: Timeouts, own: bytes | None, *, stream: bool
    ) -> Exchange:
        if own is not None and request.native is not None:
            headers = native.headers_for(request.native, self._headers)
            return self._client.post(self.base_url + "/v1/messages", headers=headers, body=own, timeouts=timeouts)
        late_system = traits_of(model.api_model_name).inner_system
        payload = payload_of(request, late_system=late_system, server_tools=True)
        encoded = encode(payload, model=model.api_model_name, stream=stream)
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
            yield replace(last, final=None)
        yield Chunk(b"", final=last.final)  # by itself, or what commits the stream would take it along
        await exchange.drain()
