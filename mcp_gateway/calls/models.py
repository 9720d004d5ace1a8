"""The models in brief, a page at a time. Only what is shown is worked out: a registry may hold thousands."""

from collections.abc import Callable, Iterable
from decimal import Decimal
from typing import TYPE_CHECKING

from mcp_gateway.arguments import ListModelsArguments
from mcp_gateway.calls.call import Call
from mcp_gateway.results import ModelEntry, ModelsPage
from shared.domain.identity import Caller
from shared.domain.models import Layer, Model
from shared.domain.routing import Facts, RoutingOptions
from shared.errors import InvalidInput
from shared.operations import dispatch
from shared.operations.aliases import LIST_ALIASES
from shared.operations.models import LIST_MODELS
from shared.routing.fitness import Fitness
from shared.routing.policy import Permit
from shared.routing.replay.policy_file import policy_of

if TYPE_CHECKING:
    from shared.gateway import Gateway

PER_MILLION = 1000
MOST_ALIASES = 30

WhyNot = Callable[[Model], str]
"""Why a model cannot be used now; empty when it can."""


async def run(call: Call, arguments: ListModelsArguments) -> ModelsPage:
    """One page of the models that match."""
    dispatch.allow(call.caller, LIST_MODELS)
    why_not = _why_not(call.gateway, call.caller)
    found = [model for model in _matching(call.gateway, arguments) if _available(model, arguments.available, why_not)]
    start = _start(found, arguments.cursor)
    page = found[start : start + arguments.limit]
    aliases = await _aliases(call, arguments) if arguments.cursor is None else []
    more = start + arguments.limit < len(found)
    return ModelsPage(
        models=[_entry(model, why_not(model)) for model in page],
        total=len(found),
        next_cursor=cursor_of(page[-1]) if more else None,
        aliases=aliases,
    )


async def _aliases(call: Call, arguments: ListModelsArguments) -> list[str]:
    """The aliases whose names hold what is searched for, and where each leads; none where models are filtered otherwise."""
    if arguments.layer or arguments.provider or arguments.available is False:
        return []
    table = await dispatch.call(call.gateway, call.caller, LIST_ALIASES, {})
    wanted = (arguments.search or "").lower()
    found = [f"{alias.name} = {alias.leads_to}" for alias in table.aliases if wanted in alias.name.lower()]
    return found[:MOST_ALIASES]


async def entries(
    gateway: "Gateway", caller: Caller, arguments: ListModelsArguments, most: int | None = None
) -> list[ModelEntry]:
    """The models that match, in the order in which they are asked, `most` of them. Raises Forbidden."""
    dispatch.allow(caller, LIST_MODELS)
    why_not = _why_not(gateway, caller)
    return [_entry(model, why_not(model)) for model in _matching(gateway, arguments)[:most]]


def cursor_of(entry: Model | ModelEntry) -> str:
    """Where a page ended; it stays good when models come and go."""
    return f"{entry.layer}:{entry.priority}:{entry.id}"


def _matching(gateway: "Gateway", arguments: ListModelsArguments) -> list[Model]:
    """By layer, and in it in order."""
    by_layer = gateway.registry.snapshot.by_layer
    layers: Iterable[Layer] = by_layer if arguments.layer is None else (arguments.layer,)
    wanted, provider = (arguments.search or "").lower(), arguments.provider
    return [
        model
        for layer in layers
        for model in by_layer[layer]
        if (provider is None or model.provider == provider)
        and (not wanted or wanted in model.id.lower() or wanted in model.api_model_name.lower())
    ]


def _available(model: Model, wanted: bool | None, why_not: WhyNot) -> bool:
    return wanted is None or wanted == (not why_not(model))


def _start(found: list[Model], cursor: str | None) -> int:
    if cursor is None:
        return 0
    layer, _, rest = cursor.partition(":")
    priority, _, model_id = rest.partition(":")
    if not priority.isdecimal() or not model_id:
        raise InvalidInput("'cursor' is not valid: it must be the nextCursor of an earlier answer.")
    last = (layer, int(priority), model_id)
    return sum((model.layer, model.priority, model.id) <= last for model in found)


def _entry(model: Model, why_not: str) -> ModelEntry:
    return ModelEntry.model_construct(
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
        capabilities=[name for name in type(model.capabilities).model_fields if getattr(model.capabilities, name)],
    )


def _why_not(gateway: "Gateway", caller: Caller) -> WhyNot:
    """For a plain chat of that caller, which gives no leave to spend."""
    fitness = Fitness(
        Facts(model="auto", options=RoutingOptions(), prompt_tokens=0),
        policy_of(gateway.configuration.current),
        Permit(models=caller.models, max_layer=caller.max_layer),
        rates=gateway.prices.rates,
        may_bill=gateway.providers.may_bill,
    )
    layer_enabled = gateway.registry.snapshot.layer_enabled
    providers = {name: _against(gateway, name) for name in gateway.accounts_of_providers.names()}

    def why_not(model: Model) -> str:
        if not model.enabled:
            return "the model is turned off"
        if not layer_enabled[model.layer]:
            return f"layer {model.layer} is turned off"
        if why := providers.get(model.provider, f"provider {model.provider} is turned off or unknown"):
            return why
        dropped = fitness.against(model)
        return "" if dropped is None else dropped.reason

    return why_not


def _against(gateway: "Gateway", name: str) -> str:
    """What speaks against a provider."""
    if not gateway.accounts_of_providers.get(name).enabled:
        return f"provider {name} is turned off or unknown"
    provider = gateway.providers.get(name)
    if provider is None or not provider.configured:
        return f"provider {name} has no key, or nothing is listening"
    return ""


def _price(per_thousand: Decimal | None) -> float | None:
    return None if per_thousand is None else float(per_thousand * PER_MILLION)
