"""The models in brief, a page at a time."""

from decimal import Decimal
from typing import TYPE_CHECKING

from mcp_gateway.arguments import ListModelsArguments
from mcp_gateway.calls.call import Call
from mcp_gateway.results import ModelEntry, ModelsPage
from shared.domain.identity import Caller
from shared.domain.models import LayerState, Model
from shared.domain.routing import Facts, RoutingOptions
from shared.errors import InvalidInput
from shared.operations import dispatch
from shared.operations.models import LIST_LAYERS, LIST_MODELS
from shared.operations.providers import LIST_PROVIDERS, ProviderState
from shared.routing.fitness import Fitness
from shared.routing.policy import Permit
from shared.routing.replay.policy_file import policy_of

if TYPE_CHECKING:
    from shared.gateway import Gateway

PER_MILLION = 1000


async def run(call: Call, arguments: ListModelsArguments) -> ModelsPage:
    """One page of the models that match."""
    found = [entry for entry in await entries(call.gateway, call.caller, arguments) if _matches(entry, arguments)]
    start = _start(found, arguments.cursor)
    page = found[start : start + arguments.limit]
    more = start + arguments.limit < len(found)
    return ModelsPage(models=page, total=len(found), next_cursor=cursor_of(page[-1]) if more else None)


async def entries(gateway: "Gateway", caller: Caller, arguments: ListModelsArguments) -> list[ModelEntry]:
    """All models of a layer and provider (or of all), in the order in which they are asked."""
    filters = {name: value for name in ("layer", "provider") if (value := getattr(arguments, name)) is not None}
    listed = await dispatch.call(gateway, caller, LIST_MODELS, filters)
    states = await dispatch.call(gateway, caller, LIST_PROVIDERS, {})
    layers = await dispatch.call(gateway, caller, LIST_LAYERS, {})
    providers = {state.name: state for state in states.providers}
    fitness = _fitness(gateway, caller)
    return [
        _entry(
            model,
            _why_not(model, providers.get(model.provider), layers.layers[model.layer]) or _against(fitness, model),
        )
        for model in listed.data
        if not model.virtual
    ]


def cursor_of(entry: ModelEntry) -> str:
    """Where a page ended; it stays good when models come and go."""
    return f"{entry.layer}:{entry.priority}:{entry.id}"


def _start(found: list[ModelEntry], cursor: str | None) -> int:
    if cursor is None:
        return 0
    layer, _, rest = cursor.partition(":")
    priority, _, model_id = rest.partition(":")
    if not priority.isdecimal() or not model_id:
        raise InvalidInput("'cursor' is not valid: it must be the nextCursor of an earlier answer.")
    last = (layer, int(priority), model_id)
    return sum((entry.layer, entry.priority, entry.id) <= last for entry in found)


def _matches(entry: ModelEntry, arguments: ListModelsArguments) -> bool:
    if arguments.available not in (None, entry.available):
        return False
    wanted = (arguments.search or "").lower()
    return wanted in entry.id.lower() or wanted in entry.model.lower()


def _entry(model: Model, why_not: str) -> ModelEntry:
    return ModelEntry(
        id=model.id,
        model=model.api_model_name,
        provider=model.provider,
        layer=model.layer,
        available=not why_not,
        why_not=why_not,
        priority=model.priority,
        input_price=_price(model.price_per_1k_input_tokens),
        output_price=_price(model.price_per_1k_output_tokens),
        context_window=model.context_window,
        capabilities=[name for name, able in model.capabilities.model_dump().items() if able],
    )


def _why_not(model: Model, provider: ProviderState | None, layer: LayerState) -> str:
    if not model.enabled:
        return "the model is turned off"
    if not layer.enabled:
        return f"layer {model.layer} is turned off"
    if provider is None or not provider.enabled:
        return f"provider {model.provider} is turned off or unknown"
    if not provider.configured:
        return f"provider {model.provider} has no key, or nothing is listening"
    return ""


def _fitness(gateway: "Gateway", caller: Caller) -> Fitness:
    """What speaks against models for a plain chat of that caller, which gives no leave to spend."""
    return Fitness(
        Facts(model="auto", options=RoutingOptions(), prompt_tokens=0),
        policy_of(gateway.configuration.current),
        Permit(models=caller.models, max_layer=caller.max_layer),
        rates=gateway.prices.rates,
        may_bill=gateway.providers.may_bill,
    )


def _against(fitness: Fitness, model: Model) -> str:
    dropped = fitness.against(model)
    return "" if dropped is None else dropped.reason


def _price(per_thousand: Decimal | None) -> float | None:
    return None if per_thousand is None else float(per_thousand * PER_MILLION)
