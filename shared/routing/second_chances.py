"""What an operator changes gets another chance: breakers end with what they were opened for, in every process."""

from collections.abc import Collection

from shared.domain.models import Model
from shared.registry.registry import Registry
from shared.routing.health import Health

ARRANGED = {"priority", "weight"}
"""What only orders models among each other: nothing that failed is different for it."""


class SecondChances:
    """Follows the registry, and is told of accounts."""

    def __init__(self, health: Health, registry: Registry) -> None:
        self._health = health
        self._registry = registry
        self._known = registry.snapshot.models
        registry.on_change(self._models_changed)

    def accounts_changed(self, providers: Collection[str]) -> None:
        """The accounts of these providers are others from now on: their keys, and all their models, may do."""
        models = self._registry.snapshot.models.values()
        self._health.start_anew(model.id for model in models if model.provider in providers)
        self._health.keys_start_anew(providers)

    def _models_changed(self) -> None:
        before, self._known = self._known, self._registry.snapshot.models
        self._health.start_anew(name for name, model in before.items() if _differs(model, self._known.get(name)))


def _differs(before: Model, now: Model | None) -> bool:
    if now is None:
        return True
    return before != now and before.model_dump(exclude=ARRANGED) != now.model_dump(exclude=ARRANGED)
