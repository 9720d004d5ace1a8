"""The models that a new registry starts with."""

import functools
from importlib import resources

import orjson

from shared.domain.models import Model


@functools.cache
def models() -> tuple[Model, ...]:
    """The seed, in the order of the file."""
    raw = orjson.loads(resources.files("shared.registry").joinpath("seed_models.json").read_bytes())
    return tuple(Model.model_validate({**entry, "source": "seed"}) for entry in raw["models"])
