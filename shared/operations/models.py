"""The model registry: list, look up, add, change, delete; layers on, off and in order."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field, StringConstraints

from shared.domain.identity import Caller
from shared.domain.models import (
    LAYERS,
    ApiModelName,
    Capabilities,
    ContextWindow,
    Layer,
    LayerState,
    Model,
    ModelFields,
    OwnedBy,
    Price,
    Priority,
    ProviderName,
    RelativeCost,
    Weight,
)
from shared.domain.wire import NoInput, Wire
from shared.errors import Forbidden, InvalidInput
from shared.operations import budgets
from shared.operations.codex_catalogue import MOST, codex_model
from shared.operations.model_list import ListedModel, ModelList, listed, page, virtual, virtual_models
from shared.operations.operation import Operation
from shared.registry.registry import unknown_model

if TYPE_CHECKING:
    from shared.gateway import Gateway

AnyId = Annotated[str, StringConstraints(min_length=1, max_length=400)]


class ListModels(Wire):
    """Filters of the model list, and which page of it, as in Anthropic's API.

    Codex names its version in `client_version`, and gets its catalogue beside a list of what can be asked now.
    """

    layer: Layer | None = None
    provider: Annotated[str, Field(max_length=64)] | None = None
    enabled: bool | None = None
    limit: Annotated[int, Field(ge=1, le=10_000)] | None = None
    after_id: AnyId | None = Field(None, alias="after_id")
    before_id: AnyId | None = Field(None, alias="before_id")
    client_version: Annotated[str, Field(max_length=100)] | None = Field(None, alias="client_version")

    @property
    def is_filtered(self) -> bool:
        """Whether only some of the registered models are wanted."""
        return not self.model_fields_set.isdisjoint(("layer", "provider", "enabled"))


class GetModel(Wire):
    """One model by its id."""

    id: AnyId


class Layers(Wire):
    """All four layers, always."""

    layers: dict[str, LayerState]


class AddModel(ModelFields):
    """A new model."""


def _left_out(**more: Any) -> Any:
    """A field that may be left out, but not be null."""
    return Field(default_factory=lambda: None, **more)


class UpdateModel(Wire):
    """Any of a model's fields but its id; what is left out stays as it is."""

    id: AnyId
    provider: ProviderName = _left_out()
    api_model_name: ApiModelName = _left_out()
    layer: Layer = _left_out()
    enabled: bool = _left_out()
    priority: Priority = _left_out()
    weight: Weight = _left_out()
    relative_cost: RelativeCost = _left_out()
    price_per_1k_input_tokens: Price | None = Field(None, alias="pricePer1kInputTokens")
    price_per_1k_output_tokens: Price | None = Field(None, alias="pricePer1kOutputTokens")
    context_window: ContextWindow | None = None
    capabilities: Capabilities = _left_out()
    owned_by: OwnedBy = _left_out(alias="owned_by")

    def changes(self) -> dict[str, Any]:
        """What was given, by field name."""
        return {name: getattr(self, name) for name in self.model_fields_set - {"id"}}


class ChangedModel(Wire):
    """The model as it is now."""

    success: Literal[True] = True
    model: ListedModel


class DeletedModel(Wire):
    """The model that is gone."""

    success: Literal[True] = True
    model_id: str


class ToggleLayer(Wire):
    """Turn a layer on or off."""

    layer: Layer
    enabled: bool


class ReorderLayer(Wire):
    """The order of a layer's models, first choice first; models left out follow as they were."""

    layer: Layer
    model_ids: Annotated[list[Annotated[str, Field(max_length=400)]], Field(min_length=1, max_length=10_000)]


class ChangedLayer(Wire):
    """The layer as it is now."""

    success: Literal[True] = True
    layer: Layer
    state: LayerState


async def _list(gateway: "Gateway", caller: Caller, request: ListModels) -> ModelList:
    snapshot = gateway.registry.snapshot
    models: Iterable[Model] = (
        model
        for layer in snapshot.by_layer
        for model in snapshot.by_layer[layer]
        if request.layer in (None, model.layer)
        and request.provider in (None, model.provider)
        and request.enabled in (None, model.enabled)
    )
    routed = [] if request.is_filtered else virtual_models(gateway, caller)
    if request.client_version is not None:
        return _for_codex([*routed, *(model for model in models if gateway.naming.can_answer(model))])
    return page([*routed, *models], limit=request.limit, after=request.after_id, before=request.before_id)


def _for_codex(found: list[Model]) -> ModelList:
    first = page(found[:MOST], limit=None, after=None, before=None)
    models = [codex_model(model, model.display_name, place) for place, model in enumerate(first.data)]
    return first.model_copy(update={"models": models, "has_more": len(found) > MOST})


async def _get(gateway: "Gateway", caller: Caller, request: GetModel) -> ListedModel:
    snapshot = gateway.registry.snapshot
    if request.id == "auto":
        return virtual(gateway, "auto", "auto")
    if found := snapshot.named(request.id):
        return listed(found[0])
    alias = gateway.naming.lookup(caller, request.id)
    if alias is None or not (alias.target in ("auto", *LAYERS) or snapshot.named(alias.target)):
        raise unknown_model(snapshot, request.id)
    return virtual(gateway, request.id, alias.target)


async def _layers(gateway: "Gateway", caller: Caller, request: NoInput) -> Layers:
    return Layers(layers=gateway.registry.snapshot.layer_states())


async def _add(gateway: "Gateway", caller: Caller, request: AddModel) -> ChangedModel:
    await check_unbounded(gateway, caller)
    _check_provider(gateway, request.provider)
    fields = {name: getattr(request, name) for name in type(request).model_fields}
    added = await gateway.registry.add(Model(**fields, created=int(gateway.clock().timestamp())))
    return ChangedModel(model=listed(added))


async def _update(gateway: "Gateway", caller: Caller, request: UpdateModel) -> ChangedModel:
    changes = request.changes()
    if BOUNDED_BY.intersection(changes):
        await check_unbounded(gateway, caller)
    if request.provider is not None:
        _check_provider(gateway, request.provider)
    return ChangedModel(model=listed(await gateway.registry.update(request.id, changes)))


BOUNDED_BY = frozenset(
    {
        "provider",
        "api_model_name",
        "layer",
        "relative_cost",
        "price_per_1k_input_tokens",
        "price_per_1k_output_tokens",
    }
)
"""What the bounds of a key, and its budget, are made of."""


async def check_unbounded(gateway: "Gateway", caller: Caller) -> None:
    """A key must not get past its bounds by saying what a model is, or costs. Raises Forbidden."""
    bounded = caller.models is not None or caller.max_layer is not None or caller.budget_usd is not None
    if bounded or (caller.kind == "key" and await budgets.of_key(gateway, caller)):
        raise Forbidden(
            "A key with models, a layer or a budget of its own cannot add models, or change what they are, where they stand "
            "and what they cost. Do it with a login or on the command line."
        )


async def _delete(gateway: "Gateway", caller: Caller, request: GetModel) -> DeletedModel:
    await gateway.registry.delete(request.id)
    return DeletedModel(model_id=request.id)


async def _toggle(gateway: "Gateway", caller: Caller, request: ToggleLayer) -> ChangedLayer:
    await gateway.registry.toggle_layer(request.layer, request.enabled)
    return _changed_layer(gateway, request.layer)


async def _reorder(gateway: "Gateway", caller: Caller, request: ReorderLayer) -> ChangedLayer:
    await gateway.registry.reorder(request.layer, request.model_ids)
    return _changed_layer(gateway, request.layer)


def _changed_layer(gateway: "Gateway", layer: Layer) -> ChangedLayer:
    return ChangedLayer(layer=layer, state=gateway.registry.snapshot.layer_states()[layer])


def _check_provider(gateway: "Gateway", name: str) -> None:
    known = gateway.accounts_of_providers.names()
    if name not in known:
        raise InvalidInput(
            f"There is no provider '{name}'; known are {', '.join(known)}. Add one at POST /v1/providers.",
            details={"fields": [{"field": "provider", "reason": "unknown provider"}]},
        )


LIST_MODELS = Operation(
    name="list_models",
    summary="List the models of the registry",
    scope="models:read",
    effect="read",
    request=ListModels,
    result=ModelList,
    run=_list,
)
GET_MODEL = Operation(
    name="get_model",
    summary="Look up one model",
    scope="models:read",
    effect="read",
    request=GetModel,
    result=ListedModel,
    run=_get,
)
LIST_LAYERS = Operation(
    name="list_layers",
    summary="Show the four layers with their models in order",
    scope="models:read",
    effect="read",
    request=NoInput,
    result=Layers,
    run=_layers,
)
ADD_MODEL = Operation(
    name="add_model",
    summary="Add a model",
    scope="models:write",
    effect="write",
    request=AddModel,
    result=ChangedModel,
    run=_add,
    audit=lambda request: request.model_dump(mode="json"),
)
UPDATE_MODEL = Operation(
    name="update_model",
    summary="Change a model",
    scope="models:write",
    effect="write",
    request=UpdateModel,
    result=ChangedModel,
    run=_update,
    audit=lambda request: request.model_dump(mode="json", exclude_unset=True),
)
DELETE_MODEL = Operation(
    name="delete_model",
    summary="Delete a model",
    scope="models:write",
    effect="destroy",
    request=GetModel,
    result=DeletedModel,
    run=_delete,
    audit=lambda request: {"id": request.id},
)
TOGGLE_LAYER = Operation(
    name="toggle_layer",
    summary="Turn a layer on or off",
    scope="models:write",
    effect="write",
    request=ToggleLayer,
    result=ChangedLayer,
    run=_toggle,
    audit=lambda request: request.model_dump(mode="json"),
)
REORDER_LAYER = Operation(
    name="reorder_layer",
    summary="Put a layer's models in order",
    scope="models:write",
    effect="write",
    request=ReorderLayer,
    result=ChangedLayer,
    run=_reorder,
    audit=lambda request: request.model_dump(mode="json"),
)
