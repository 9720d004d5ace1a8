"""Which model a conversation is with: it stays there while that works, since the provider's prompt cache depends on it."""

import asyncio
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import blake2b

from shared.domain.identity import Caller
from shared.domain.routing import Facts
from shared.routing.planner import follows_conversation
from shared.storage.key_values import KeyValues
from shared.storage.redis_store import StoreAway

MOST = 20_000
LASTS_SECONDS = 3600.0
"""Without a request; no provider keeps a prompt for longer."""

TOLD_AGAIN_SECONDS = 600.0
MOST_PENDING = 256


@dataclass(slots=True)
class _Stay:
    """`used` and `told`, which others have been, are seconds of the clock."""

    model_id: str
    version: int
    used: float
    told: float


class Affinity:
    """The model of each conversation: forgotten after an hour without a request, or when there are too many, the longest
    unused first. A change of the registry frees them all: what an operator arranges anew holds from the next request on.

    With `shared` other processes know of it too: they are asked about conversations that are new here.
    """

    def __init__(
        self, shared: KeyValues | None = None, *, most: int = MOST, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._stays: OrderedDict[tuple[str, str], _Stay] = OrderedDict()
        self._shared = shared
        self._most = most
        self._clock = clock
        self._pending: set[asyncio.Task[None]] = set()

    def model_of(self, caller: Caller, facts: Facts, version: int) -> str:
        """The id of the model that the conversation is with, as far as it is known here; empty when it is with none."""
        if not follows_conversation(facts):
            return ""
        stay = self._stays.get((caller.id, facts.conversation))
        if stay is None or stay.version != version or self._clock() - stay.used > LASTS_SECONDS:
            return ""
        return stay.model_id

    async def recall(self, caller: Caller, facts: Facts) -> None:
        """Take over what other processes know of a conversation that is new here."""
        place = (caller.id, facts.conversation)
        if self._shared is None or not follows_conversation(facts):
            return
        known = self._stays.get(place)
        if known is not None and self._clock() - known.used <= LASTS_SECONDS:
            return
        try:
            found = await self._shared.get(_key(place))
        except StoreAway:
            return
        if found is not None:
            at, _, model_id = found.decode().partition(" ")
            now = self._clock()
            self._put(place, _Stay(model_id, int(at), used=now, told=now))

    def keep(self, caller: Caller, facts: Facts, version: int, model_id: str) -> None:
        """The conversation has had an answer of this model."""
        place, now = (caller.id, facts.conversation), self._clock()
        stay = self._stays.get(place)
        if stay is not None and (stay.model_id, stay.version) == (model_id, version):
            stay.used = now
            self._stays.move_to_end(place)
            if now - stay.told < TOLD_AGAIN_SECONDS:
                return
            stay.told = now
        else:
            stay = _Stay(model_id, version, used=now, told=now)
            self._put(place, stay)
        if self._shared is not None and len(self._pending) < MOST_PENDING:
            task = asyncio.create_task(self._tell(self._shared, place, stay))
            self._pending.add(task)
            task.add_done_callback(self._pending.discard)

    async def aclose(self) -> None:
        """Let what others are being told arrive."""
        await asyncio.gather(*self._pending)

    def _put(self, place: tuple[str, str], stay: _Stay) -> None:
        self._stays[place] = stay
        self._stays.move_to_end(place)
        if len(self._stays) > self._most:
            self._stays.popitem(last=False)

    async def _tell(self, shared: KeyValues, place: tuple[str, str], stay: _Stay) -> None:
        try:
            await shared.put(_key(place), f"{stay.version} {stay.model_id}".encode(), seconds=LASTS_SECONDS)
        except StoreAway:
            pass  # then others choose for themselves


def _key(place: tuple[str, str]) -> str:
    digest = blake2b(digest_size=20)
    for part in place:
        digest.update(part.encode("utf-8", "surrogatepass") + b"\0")
    return f"stay:{digest.hexdigest()}"
