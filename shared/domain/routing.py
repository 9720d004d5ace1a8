"""What a caller may ask of the router, and what a plan is."""

from dataclasses import dataclass
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from shared.domain.models import Layer, Model
from shared.domain.wire import Money, Wire

Quality = Literal["normal", "high", "critical"]


class RoutingOptions(Wire):
    """The body object `gateway`, or the header X-Gateway-Options: never sent upstream."""

    max_layer: Layer | None = None
    min_layer: Layer | None = None
    quality: Quality = "normal"
    cross_check: bool | None = None
    escalate: bool | None = None
    budget_usd: Annotated[Money, Field(ge=0)] | None = None
    cache: bool | None = None
    timeout_ms: Annotated[int, Field(ge=1, le=3_600_000)] | None = None
    tags: dict[Annotated[str, Field(max_length=64)], Annotated[str, Field(max_length=256)]] = Field(
        default_factory=dict
    )

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.min_layer and self.max_layer and self.min_layer > self.max_layer:
            raise ValueError("minLayer must not be above maxLayer")
        return self


@dataclass(frozen=True, slots=True)
class Dropped:
    """A candidate that the planner left out, with the reason in words. `unfit` ones could be called, but not for this."""

    model: Model
    reason: str
    unfit: bool = False


@dataclass(frozen=True, slots=True)
class Plan:
    """The models to try, in order, and those that were left out."""

    attempts: tuple[Model, ...]
    dropped: tuple[Dropped, ...] = ()
