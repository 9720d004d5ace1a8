"""Entries of the model list, with what the clients of OpenAI's, Anthropic's and other APIs look for in them, and its pages."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field

from shared.domain.identity import Caller
from shared.domain.models import LAYERS, Capabilities, Model
from shared.domain.wire import Wire
from shared.errors import InvalidInput, invalid_field
from shared.operations.codex_catalogue import CodexModel
from shared.providers.embedded import is_embedded

if TYPE_CHECKING:
    from shared.gateway import Gateway

OWNER = "ai-mcp-gateway"


class ListedModel(Model):
    """A model with our fields, OpenAI's (`object`, `created`, `owned_by`), Anthropic's (`type`, `display_name`,
    `created_at`, `lifecycle`, `max_input_tokens`, `max_tokens`) and those that other servers give the context window.

    `virtual` marks the entries of routing: `auto` and the aliases.
    """

    object: Literal["model"] = "model"
    type: Literal["model"] = "model"
    display_name: str = Field("", alias="display_name")
    created_at: str = Field("", alias="created_at")
    lifecycle: Literal["active"] = "active"
    max_input_tokens: int | None = Field(None, alias="max_input_tokens")
    max_tokens: int | None = Field(None, alias="max_tokens")
    context_length: int | None = Field(None, alias="context_length")
    max_model_len: int | None = Field(None, alias="max_model_len")
    virtual: Literal[True] | None = Field(None, exclude_if=lambda value: value is None)


class ModelList(Wire):
    """Models in the list form of OpenAI's and of Anthropic's API; `models` is Codex's catalogue, for Codex alone."""

    object: Literal["list"] = "list"
    data: list[ListedModel]
    has_more: bool = Field(False, alias="has_more")
    first_id: str | None = Field(None, alias="first_id")
    last_id: str | None = Field(None, alias="last_id")
    models: list[CodexModel] | None = Field(None, exclude_if=lambda value: value is None)


def listed(model: Model) -> ListedModel:
    """The entry of a registered model."""
    fields = {**dict(model), "owned_by": model.owned_by or model.provider}
    return _entry(fields, f"{model.api_model_name} ({model.provider})", model.context_window, None)


def virtual(gateway: "Gateway", name: str, target: str) -> ListedModel:
    """The entry of a name that routing turns into a model: its window is the largest of those it may lead to."""
    models = _answering(gateway, target)
    layer = models[0].layer if models else gateway.configuration.current.default_layer
    fields = dict(
        Model.model_construct(
            id=name,
            provider="gateway",
            api_model_name=name,
            layer=layer,
            context_window=max((model.context_window or 0 for model in models), default=0) or None,
            capabilities=Capabilities(code=True, reasoning=True, vision=True, tools=True),
            owned_by=OWNER,
        )
    )
    shown = f"{name} (chosen by the gateway)" if target == "auto" else f"{name} ({target})"
    return _entry(fields, shown, fields["context_window"], True)


def virtual_models(gateway: "Gateway", caller: Caller) -> list[ListedModel]:
    """The entries of `auto` and of the aliases that stand for one name."""
    able = gateway.naming.able(caller)
    return [
        virtual(gateway, "auto", "auto"),
        *(
            virtual(gateway, alias.name, alias.target(able))
            for alias in gateway.aliases.table
            if alias.is_exact and not gateway.registry.snapshot.named(alias.name)
        ),
    ]


def page(found: Sequence[Model], *, limit: int | None, after: str | None, before: str | None) -> ModelList:
    """Return a page of the list: behind a model, or before one. Raises InvalidInput for an id that is not in it."""
    if after is not None and before is not None:
        raise InvalidInput("Give 'after_id' or 'before_id', not both.")
    start = 0 if after is None else _place(found, after, "after_id") + 1
    end = len(found) if before is None else _place(found, before, "before_id")
    size = len(found) if limit is None else limit
    if before is None:
        shown, more = found[start : start + size], start + size < end
    else:
        shown, more = found[max(end - size, 0) : end], end > size
    return ModelList(
        data=[model if isinstance(model, ListedModel) else listed(model) for model in shown],
        has_more=more,
        first_id=shown[0].id if shown else None,
        last_id=shown[-1].id if shown else None,
    )


def _place(found: Iterable[Model], model_id: str, field: str) -> int:
    for place, model in enumerate(found):
        if model.id == model_id:
            return place
    raise invalid_field(field, "no model in this list has this id")


def _entry(fields: dict[str, Any], shown: str, window: int | None, virtual: Literal[True] | None) -> ListedModel:
    return ListedModel.model_construct(
        **fields,
        object="model",
        type="model",
        display_name=shown,
        created_at=datetime.fromtimestamp(fields["created"], UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        lifecycle="active",
        max_input_tokens=window,
        max_tokens=None,
        context_length=window,
        max_model_len=window,
        virtual=virtual,
    )


def _answering(gateway: "Gateway", target: str) -> Sequence[Model]:
    """The models that a target may be answered by now; for `auto` those of the first layer from where it begins."""
    naming = gateway.naming
    able = [model for model in naming.models_of(target) if naming.can_answer(model)]
    models = [model for model in able if not is_embedded(model)] or able
    if target != "auto":
        return models
    lowest = gateway.configuration.current.default_layer
    for layer in LAYERS[LAYERS.index(lowest) :]:
        if inside := [model for model in models if model.layer == layer]:
            return inside
    return models
