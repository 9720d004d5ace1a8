"""A provider that speaks the OpenAI dialect: the caller's payload goes through, the answer's bytes come back."""

from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import aclosing, asynccontextmanager

import orjson

from shared.domain.chat import ChatRequest, Chunk, Completion
from shared.domain.models import Model
from shared.errors import UpstreamError, UpstreamUnsupportedParameter
from shared.providers.base import FoundModel, Probe, Timeouts
from shared.providers.http_client import MAX_ERROR_BYTES, Exchange, HttpClient
from shared.providers.openai import encode, errors
from shared.providers.openai.decode import completion
from shared.providers.openai.stream import StreamDecoder

NOTHING: frozenset[str] = frozenset()
PROBE_TIMEOUTS = Timeouts(connect=3, first_token=5, stall=5, total=8)


class OpenAICompatible:
    """One account at one OpenAI-compatible service."""

    def __init__(
        self,
        name: str,
        base_url: str,
        api_key: str,
        client: HttpClient,
        *,
        needs_key: bool = True,
        headers: Mapping[str, str] | None = None,
        renames: tuple[tuple[str, str], ...] = (),
        message_fields_refused: frozenset[str] = frozenset(),
        probe_path: str = "/models",
        reports_cost: bool = False,
        well_known: bool = False,
    ) -> None:
        self.name = name
        self.reports_cost = reports_cost
        self.base_url = base_url.rstrip("/")
        self._client = client
        self._key = api_key
        self._configured = bool(api_key) or not needs_key
        self._renames = renames
        self._message_fields_refused = message_fields_refused
        self._probe_path = probe_path
        self._well_known = well_known
        self._unsupported: dict[str, frozenset[str]] = {}
        self._headers = {"Content-Type": "application/json", "User-Agent": "ai-mcp-gateway", **(headers or {})}
        if api_key:
            self._headers["Authorization"] = f"Bearer {api_key}"

    @property
    def configured(self) -> bool:
        """Whether there is a key, or none is needed."""
        return self._configured

    def serves(self, model: Model) -> bool:
        """Any model, as far as can be known without asking."""
        return self._configured

    async def complete(self, model: Model, request: ChatRequest, timeouts: Timeouts) -> Completion:
        """The whole answer."""
        unsupported = self._unsupported.get(model.api_model_name, NOTHING)
        async with self._post(model, request, timeouts, unsupported) as exchange:
            failure = None if exchange.status == 200 else await self._failure(exchange)
            body = b"" if failure else await exchange.read()
        if failure is None:
            return completion(self.name, body, model.api_model_name, secret=self._key)
        if not self._adapts(model, unsupported, failure):
            raise failure
        return await self.complete(model, request, timeouts)

    @asynccontextmanager
    async def stream(
        self, model: Model, request: ChatRequest, timeouts: Timeouts
    ) -> AsyncIterator[AsyncIterator[Chunk]]:
        """The answer as it comes."""
        unsupported = self._unsupported.get(model.api_model_name, NOTHING)
        async with self._post(model, request, timeouts, unsupported) as exchange:
            failure = None if exchange.status == 200 else await self._failure(exchange)
            if failure is None:
                decoder = StreamDecoder(self.name, model.api_model_name, secret=self._key)
                async with aclosing(self._chunks(exchange, decoder)) as chunks:
                    yield chunks
        if failure is None:
            return
        if not self._adapts(model, unsupported, failure):
            raise failure
        async with self.stream(model, request, timeouts) as again:
            yield again

    async def probe(self) -> Probe:
        """Ask for the list of models."""
        if not self.configured:
            return Probe(healthy=False, detail="no API key")
        try:
            async with self._client.get(
                self.base_url + self._probe_path, headers=self._headers, timeouts=PROBE_TIMEOUTS
            ) as exchange:
                if exchange.status != 200:
                    return Probe(healthy=False, detail=(await self._failure(exchange)).message)
                return Probe(healthy=True, models=_listed(await exchange.read()))
        except UpstreamError as error:
            return Probe(healthy=False, detail=error.message)

    async def aclose(self) -> None:
        """Nothing to free: the client is shared."""

    def _adapts(self, model: Model, left_out: frozenset[str], failure: UpstreamError) -> bool:
        """Remember a parameter that the model does not support, other than those that were left out already.

        Returns whether the request is worth sending again without it.
        """
        if not isinstance(failure, UpstreamUnsupportedParameter):
            return False
        if failure.parameter not in encode.ADAPTABLE - left_out:
            return False
        known = self._unsupported.get(model.api_model_name, NOTHING)
        self._unsupported[model.api_model_name] = known | {failure.parameter}
        return True

    def _post(self, model: Model, request: ChatRequest, timeouts: Timeouts, unsupported: frozenset[str]) -> Exchange:
        body = encode.body(
            request,
            model.api_model_name,
            renames=self._renames,
            message_fields_refused=self._message_fields_refused,
            unsupported=unsupported,
            well_known=self._well_known,
        )
        return self._client.post(
            self.base_url + "/chat/completions", headers=self._headers, body=body, timeouts=timeouts
        )

    async def _failure(self, exchange: Exchange) -> UpstreamError:
        body = await exchange.beginning()
        return errors.from_response(self.name, exchange.status, exchange.headers, body, secret=self._key)

    async def _chunks(self, exchange: Exchange, decoder: StreamDecoder) -> AsyncGenerator[Chunk]:
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


def _listed(body: bytes) -> tuple[FoundModel, ...] | None:
    try:
        found = orjson.loads(body)["data"]
        return tuple(FoundModel(name=entry["id"]) for entry in found)
    except (orjson.JSONDecodeError, KeyError, TypeError):
        return None
