"""What the resources show. A registry may hold thousands of models, a client's message may not: only the first are shown."""

from typing import TYPE_CHECKING

from mcp_gateway.arguments import ListModelsArguments
from mcp_gateway.calls.models import entries
from mcp_gateway.results import ModelEntry
from shared.domain.identity import Caller
from shared.domain.models import LayerState
from shared.domain.wire import Wire
from shared.operations import dispatch
from shared.operations.models import LIST_LAYERS
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


async def registry(gateway: "Gateway", caller: Caller) -> str:
    """models://registry"""
    found = await entries(gateway, caller, ListModelsArguments())
    shown = RegistrySnapshot(models=found[:MOST_MODELS], total=len(found), truncated=len(found) > MOST_MODELS)
    return shown.model_dump_json(by_alias=True)


async def layers(gateway: "Gateway", caller: Caller) -> str:
    """models://layers"""
    found = await dispatch.call(gateway, caller, LIST_LAYERS, {})
    return found.model_copy(update={"layers": _brief(found.layers)}).model_dump_json(by_alias=True)


async def health(gateway: "Gateway", caller: Caller) -> str:
    """gateway://health"""
    found: HealthReport = await dispatch.call(gateway, caller, HEALTH, {})
    return found.model_copy(update={"layers": _brief(found.layers)}).model_dump_json(by_alias=True)


def _brief(states: dict[str, LayerState]) -> dict[str, LayerState]:
    return {
        name: state.model_copy(update={"models": state.models[:MOST_MODELS_OF_LAYER]}) for name, state in states.items()
    }
