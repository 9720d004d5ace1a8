"""What the resources show. A registry may hold thousands of models, a client's message may not: only the first are shown."""

from typing import TYPE_CHECKING

from mcp_gateway.arguments import ListModelsArguments
from mcp_gateway.calls.models import entries
from mcp_gateway.results import ModelEntry
from shared.domain.identity import Caller
from shared.domain.models import Layer, LayerState
from shared.domain.wire import Wire
from shared.operations import dispatch
from shared.operations.models import GET_MODEL, LIST_LAYERS
from shared.operations.providers import LIST_PROVIDERS
from shared.operations.system import HEALTH, HealthReport

if TYPE_CHECKING:
    from shared.gateway import Gateway

MOST_MODELS = 500
MOST_MODELS_OF_LAYER = 200


class RegistrySnapshot(Wire):
    """The models, the first of them when there are very many."""

    models: list[ModelEntry]
    total: int
    truncated: bool


class LayerBrief(Wire):
    """A layer: how many models it has, how many of them can be used now, and which is asked first."""

    enabled: bool
    models: int
    available: int
    first: str | None


class ProviderBrief(Wire):
    """A provider that can be called, and what its last probe or call said."""

    name: str
    healthy: bool
    detail: str


class RoutingSnapshot(Wire):
    """Where chats may go now. `cooling_seconds` names the models (or whole providers) that rest after failures."""

    default_layer: Layer
    auto_escalate: bool
    max_escalation_layer: Layer
    layers: dict[str, LayerBrief]
    providers: list[ProviderBrief]
    cooling_seconds: dict[str, float]


async def registry(gateway: "Gateway", caller: Caller) -> str:
    """models://registry"""
    found = await entries(gateway, caller, ListModelsArguments(), MOST_MODELS)
    total = len(gateway.registry.snapshot.models)
    shown = RegistrySnapshot(models=found, total=total, truncated=total > MOST_MODELS)
    return shown.model_dump_json(by_alias=True)


async def layers(gateway: "Gateway", caller: Caller) -> str:
    """models://layers"""
    found = await dispatch.call(gateway, caller, LIST_LAYERS, {})
    return found.model_copy(update={"layers": _brief(found.layers)}).model_dump_json(by_alias=True)


async def health(gateway: "Gateway", caller: Caller) -> str:
    """gateway://health"""
    found: HealthReport = await dispatch.call(gateway, caller, HEALTH, {})
    return found.model_dump_json(by_alias=True)


async def model(gateway: "Gateway", caller: Caller, model_id: str) -> str:
    """models://{id}"""
    found = await dispatch.call(gateway, caller, GET_MODEL, {"id": model_id})
    listed = await entries(gateway, caller, ListModelsArguments(layer=found.layer))
    entry = next((entry for entry in listed if entry.id == found.id), None)
    return (found if entry is None else entry).model_dump_json(by_alias=True)


async def routing(gateway: "Gateway", caller: Caller) -> str:
    """gateway://routing"""
    listed = await entries(gateway, caller, ListModelsArguments())
    layers = (await dispatch.call(gateway, caller, LIST_LAYERS, {})).layers
    providers = (await dispatch.call(gateway, caller, LIST_PROVIDERS, {})).providers
    current = gateway.configuration.current
    shown = RoutingSnapshot(
        default_layer=current.default_layer,
        auto_escalate=current.enable_auto_escalate,
        max_escalation_layer=current.max_escalation_layer,
        layers={
            name: _layer(state, [entry for entry in listed if entry.layer == name]) for name, state in layers.items()
        },
        providers=[
            ProviderBrief(name=state.name, healthy=state.healthy, detail=state.detail)
            for state in providers
            if state.configured and state.enabled
        ],
        cooling_seconds={name: round(left, 1) for name, left in gateway.health.cooling_models().items()},
    )
    return shown.model_dump_json(by_alias=True)


def _layer(state: LayerState, found: list[ModelEntry]) -> LayerBrief:
    able = [entry for entry in found if entry.available]
    return LayerBrief(enabled=state.enabled, models=len(found), available=len(able), first=able[0].id if able else None)


def _brief(states: dict[str, LayerState]) -> dict[str, LayerState]:
    return {
        name: state.model_copy(update={"models": state.models[:MOST_MODELS_OF_LAYER]}) for name, state in states.items()
    }
