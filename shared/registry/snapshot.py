"""The registry as one immutable value: what routing reads, with no lock and no disk."""

import difflib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import groupby
from typing import NamedTuple

from shared.domain.models import LAYERS, Layer, LayerModel, LayerState, Model


class Group(NamedTuple):
    """Models of one layer and priority, which share the requests: by weight where `weighted`, else all alike."""

    models: tuple[Model, ...]
    weighted: bool


@dataclass(frozen=True, slots=True)
class Snapshot:
    """All models by id, and the same by layer (priority order, and in groups of equals) and by the provider's own name."""

    version: int
    models: Mapping[str, Model]
    layer_enabled: Mapping[Layer, bool]
    by_layer: Mapping[Layer, tuple[Model, ...]]
    groups: Mapping[Layer, tuple[Group, ...]]
    by_api_name: Mapping[str, tuple[Model, ...]]

    @classmethod
    def build(cls, version: int, models: Iterable[Model], layer_enabled: Mapping[Layer, bool]) -> "Snapshot":
        """Index the models."""
        by_id = {model.id: model for model in models}
        ordered = sorted(by_id.values(), key=order)
        by_layer: dict[Layer, list[Model]] = {layer: [] for layer in LAYERS}
        by_api_name: dict[str, list[Model]] = {}
        for model in ordered:
            by_layer[model.layer].append(model)
            by_api_name.setdefault(model.api_model_name, []).append(model)
        return cls(
            version=version,
            models=by_id,
            layer_enabled=dict(layer_enabled),
            by_layer={layer: tuple(found) for layer, found in by_layer.items()},
            groups={layer: tuple(grouped(found)) for layer, found in by_layer.items()},
            by_api_name={name: tuple(found) for name, found in by_api_name.items()},
        )

    def changed(self, version: int, *, put: Iterable[Model] = (), removed: Iterable[str] = ()) -> "Snapshot":
        """The same with some models replaced, added or gone."""
        models = {**self.models, **{model.id: model for model in put}}
        for model_id in removed:
            models.pop(model_id, None)
        return Snapshot.build(version, models.values(), self.layer_enabled)

    def with_layer(self, version: int, layer: Layer, enabled: bool) -> "Snapshot":
        """The same with one layer on or off."""
        return replace(self, version=version, layer_enabled={**self.layer_enabled, layer: enabled})

    def usable(self, model: Model) -> bool:
        """Whether the registry allows it: the model is on, and so is its layer."""
        return model.enabled and self.layer_enabled[model.layer]

    def named(self, name: str) -> tuple[Model, ...]:
        """The models of that id, or of that provider's name, best first; none when it is not known."""
        model = self.models.get(name)
        return (model,) if model else self.by_api_name.get(name, ())

    def nearest(self, name: str) -> list[str]:
        """Names that are close to an unknown one."""
        names = {*self.models, *self.by_api_name, "auto"}
        lowered = {known.lower(): known for known in names}
        wanted = name.lower()[:200]
        parts = [known for low, known in lowered.items() if wanted and wanted in low][:3]
        close = [lowered[low] for low in difflib.get_close_matches(wanted, lowered, n=3, cutoff=0.3)]
        first = [model.id for layer in LAYERS for model in self.by_layer[layer][:1]]
        return list(dict.fromkeys([*parts, *close] or first))[:3]

    def layer_states(self) -> dict[str, LayerState]:
        """All four layers as callers see them."""
        return {layer: self._layer_state(layer) for layer in LAYERS}

    def _layer_state(self, layer: Layer) -> LayerState:
        models = self.by_layer[layer]
        return LayerState(
            enabled=self.layer_enabled[layer],
            models=[
                LayerModel(
                    id=model.id,
                    provider=model.provider,
                    api_model_name=model.api_model_name,
                    enabled=model.enabled,
                    priority=model.priority,
                )
                for model in models
            ],
            providers=sorted({model.provider for model in models}),
        )


def grouped(models: Iterable[Model]) -> Iterator[Group]:
    """Models in their order, those of one layer and priority together."""
    for _, equals in groupby(models, key=lambda model: (model.layer, model.priority)):
        group = tuple(equals)
        yield Group(group, len({model.weight for model in group}) > 1)


def order(model: Model) -> tuple[Layer, int, str]:
    """By layer, then priority, 0 first, then name so that the order never wavers."""
    return model.layer, model.priority, model.id
