"""The cache of answers."""

from typing import TYPE_CHECKING, Literal

from shared.domain.identity import Caller
from shared.domain.wire import NoInput, Wire
from shared.operations.operation import Operation

if TYPE_CHECKING:
    from shared.gateway import Gateway


class ClearedCache(Wire):
    """How many answers were in it."""

    success: Literal[True] = True
    cleared: int


async def _clear(gateway: "Gateway", caller: Caller, request: NoInput) -> ClearedCache:
    return ClearedCache(cleared=await gateway.cache.clear(None if caller.may("admin") else caller))


CLEAR_CACHE = Operation(
    name="clear_cache",
    summary="Forget the cached answers: your own, or as an administrator everybody's",
    scope="chat",
    effect="destroy",
    request=NoInput,
    result=ClearedCache,
    run=_clear,
    audit=lambda request: {},
)
