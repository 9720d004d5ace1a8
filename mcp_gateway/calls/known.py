"""The values that there are of something: ids of models, layers, providers, sessions and connections."""

from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING

from shared.domain.identity import Caller
from shared.domain.models import LAYERS
from shared.operations import dispatch
from shared.operations.connections import LIST_CONNECTIONS
from shared.operations.models import LIST_MODELS
from shared.operations.providers import LIST_PROVIDERS
from shared.operations.terminals import LIST_TERMINALS

if TYPE_CHECKING:
    from shared.gateway import Gateway

DAYS = ("1", "7", "30", "90")


async def values(gateway: "Gateway", caller: Caller, kind: str) -> list[str]:
    """Those that the caller may see. Raises Forbidden where that is none."""
    return await KINDS[kind](gateway, caller)


async def _models(gateway: "Gateway", caller: Caller) -> list[str]:
    """Those that can be used first."""
    listed = (await dispatch.call(gateway, caller, LIST_MODELS, {})).data
    able = {name for name in gateway.accounts_of_providers.names() if _configured(gateway, name)}
    real = [model for model in listed if not model.virtual]
    return [model.id for model in sorted(real, key=lambda model: not (model.enabled and model.provider in able))]


def _configured(gateway: "Gateway", name: str) -> bool:
    provider = gateway.providers.get(name)
    return provider is not None and provider.configured


async def _layers(gateway: "Gateway", caller: Caller) -> list[str]:
    return [*LAYERS]


async def _providers(gateway: "Gateway", caller: Caller) -> list[str]:
    return [state.name for state in (await dispatch.call(gateway, caller, LIST_PROVIDERS, {})).providers]


async def _sessions(gateway: "Gateway", caller: Caller) -> list[str]:
    return [session.id for session in (await dispatch.call(gateway, caller, LIST_TERMINALS, {})).sessions]


async def _connections(gateway: "Gateway", caller: Caller) -> list[str]:
    return [found.name for found in (await dispatch.call(gateway, caller, LIST_CONNECTIONS, {})).connections]


async def _days(gateway: "Gateway", caller: Caller) -> list[str]:
    return [*DAYS]


KINDS: Mapping[str, "Callable[[Gateway, Caller], Awaitable[list[str]]]"] = {
    "models": _models,
    "layers": _layers,
    "providers": _providers,
    "sessions": _sessions,
    "connections": _connections,
    "days": _days,
}
