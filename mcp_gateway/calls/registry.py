"""Changes to the registry: one model, or a whole layer."""

from typing import Any

from mcp_gateway.arguments import ListModelsArguments, SetLayerArguments, SetModelArguments
from mcp_gateway.calls.call import Call
from mcp_gateway.calls.models import entries
from mcp_gateway.results import ModelEntry, SetLayerResult, SetModelResult
from shared.operations import dispatch
from shared.operations.models import LIST_LAYERS, REORDER_LAYER, TOGGLE_LAYER, UPDATE_MODEL

MOST_IDS = 100


async def set_model(call: Call, arguments: SetModelArguments) -> SetModelResult:
    """Change one model; how it is then."""
    changes = arguments.model_dump(by_alias=True, exclude_none=True, exclude={"model"})
    changed = await dispatch.call(call.gateway, call.caller, UPDATE_MODEL, {"id": arguments.model, **changes})
    return SetModelResult(model=await entry_of(call, changed.model.id, changed.model.layer))


async def set_layer(call: Call, arguments: SetLayerArguments) -> SetLayerResult:
    """Put a layer's models in order, turn it on or off; how it is then."""
    layer: dict[str, Any] = {"layer": arguments.layer}
    if arguments.order is not None:
        await dispatch.call(call.gateway, call.caller, REORDER_LAYER, {**layer, "modelIds": arguments.order})
    if arguments.enabled is not None:
        await dispatch.call(call.gateway, call.caller, TOGGLE_LAYER, {**layer, "enabled": arguments.enabled})
    state = (await dispatch.call(call.gateway, call.caller, LIST_LAYERS, {})).layers[arguments.layer]
    ids = [model.id for model in state.models[:MOST_IDS]]
    return SetLayerResult(layer=arguments.layer, enabled=state.enabled, models=ids)


async def entry_of(call: Call, model_id: str, layer: str) -> ModelEntry:
    """A model in brief."""
    found = await entries(call.gateway, call.caller, ListModelsArguments.model_validate({"layer": layer}))
    return next(entry for entry in found if entry.id == model_id)
