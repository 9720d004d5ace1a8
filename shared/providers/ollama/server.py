"""What an Ollama server says about itself, asked for when a request needs to know. Best effort: silence is "unknown"."""

import time
from collections.abc import Callable, Mapping
from typing import Any

import orjson

from shared.errors import UpstreamError
from shared.providers.base import Timeouts
from shared.providers.http_client import Exchange, HttpClient
from shared.providers.ollama.traits import Traits, loaded_context, traits_of

TIMEOUTS = Timeouts(connect=2, first_token=3, stall=3, total=3)
TRAITS_SECONDS = 300.0
MAX_BYTES = 16 * 1024 * 1024


class Server:
    """One server. A model's traits are kept for a while, for it may be pulled anew; what is loaded is always asked."""

    def __init__(
        self,
        base_url: str,
        headers: Mapping[str, str],
        client: HttpClient,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._base_url = base_url
        self._headers = headers
        self._client = client
        self._clock = clock
        self._known: dict[str, tuple[float, Traits]] = {}

    async def traits(self, name: str) -> Traits:
        """What a model can do."""
        known = self._known.get(name)
        if known is not None and self._clock() < known[0]:
            return known[1]
        said = await _json(self._post("/api/show", {"model": name}))
        found = traits_of(said)
        if said is not None:
            self._known[name] = (self._clock() + TRAITS_SECONDS, found)
        return found

    async def loaded(self, name: str) -> int:
        """The window that a model is loaded with just now, in tokens; 0 when it isn't."""
        return loaded_context(await _json(self._get("/api/ps")), name)

    async def listing(self) -> Any:
        """Its models, as `GET /api/tags` has them; None when it does not answer."""
        return await _json(self._get("/api/tags"))

    def _get(self, path: str) -> Exchange:
        return self._client.get(self._base_url + path, headers=self._headers, timeouts=TIMEOUTS)

    def _post(self, path: str, body: dict[str, Any]) -> Exchange:
        return self._client.post(
            self._base_url + path, headers=self._headers, body=orjson.dumps(body), timeouts=TIMEOUTS
        )


async def _json(asking: Exchange) -> Any:
    try:
        async with asking as exchange:
            body = await exchange.read(MAX_BYTES)
            return orjson.loads(body) if exchange.status == 200 else None
    except (UpstreamError, orjson.JSONDecodeError):
        return None
