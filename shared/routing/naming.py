"""From the model name of a request to what routing plans with: aliases stand for layers and models."""

from collections.abc import Callable, Sequence
from dataclasses import replace

from shared.domain.aliases import Resolution, resolve
from shared.domain.chat import ChatRequest
from shared.domain.identity import Caller
from shared.domain.models import LAYERS, Model
from shared.domain.routing import RoutingOptions
from shared.registry.aliases import LiveAliases
from shared.registry.registry import Registry
from shared.routing.fitness import is_permitted
from shared.routing.policy import Permit

ANY = RoutingOptions()


class Naming:
    """Resolves names. A registered model wins over every alias; only one of the seed whose provider cannot be called,
    since it has no key, leaves its name to them. A name among the models of `registry.snapshot` needs no resolution.
    """

    def __init__(self, registry: Registry, aliases: LiveAliases, serves: Callable[[Model], bool]) -> None:
        self.registry = registry
        self._aliases = aliases
        self._serves = serves

    def resolved(self, caller: Caller, request: ChatRequest) -> ChatRequest:
        """The request with the layer or model that its name stands for; the same where it names one itself."""
        name = request.facts.model
        found = self.lookup(caller, name, request.options)
        if found is None or found.target == name:
            return request
        return replace(request, facts=replace(request.facts, model=found.target, alias=name))

    def lookup(self, caller: Caller, name: str, options: RoutingOptions = ANY) -> Resolution | None:
        """Return where a name leads for this caller; None when it is a name of its own, or unknown."""
        if name == "auto" or name in LAYERS or self._is_registered(name):
            return None
        return resolve(name, self._aliases.table, self.able(caller, options))

    def able(self, caller: Caller, options: RoutingOptions = ANY) -> Callable[[str], bool]:
        """Return what says of a target whether it has a model that this caller's request can be answered by now."""
        permit = Permit(models=caller.models, max_layer=caller.max_layer)
        return lambda target: self._is_able(target, permit, options)

    def models_of(self, target: str) -> Sequence[Model]:
        """The models of a layer, or of a name; those of every layer for `auto`."""
        snapshot = self.registry.snapshot
        if target == "auto":
            return tuple(snapshot.models.values())
        return snapshot.by_layer[target] if target in LAYERS else snapshot.named(target)

    def can_answer(self, model: Model) -> bool:
        """Whether a model is on and its provider can be called."""
        return self.registry.snapshot.usable(model) and self._serves(model)

    def _is_registered(self, name: str) -> bool:
        snapshot = self.registry.snapshot
        if name in snapshot.models:
            return True
        named = snapshot.by_api_name.get(name, ())
        return any(model.source != "seed" or self._serves(model) for model in named)

    def _is_able(self, target: str, permit: Permit, options: RoutingOptions) -> bool:
        """Whether a target has a model that can be asked now, within the bounds of the caller and of the request."""
        if target == "auto":
            return True
        low, high = options.min_layer or "L0", options.max_layer or "L3"
        high = min(high, permit.max_layer or high)
        return any(
            low <= model.layer <= high and is_permitted(model, permit) and self.can_answer(model)
            for model in self.models_of(target)
        )
