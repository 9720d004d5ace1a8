"""Models and layers: the rows of the registry."""

from decimal import Decimal
from typing import Annotated, Literal, get_args

from pydantic import AfterValidator, Field, StringConstraints

from shared.domain.wire import Money, Wire

Layer = Literal["L0", "L1", "L2", "L3"]
LAYERS: tuple[Layer, ...] = get_args(Layer)


def _reachable(value: str) -> str:
    if any(part in ("", ".", "..") for part in value.split("/")):
        raise ValueError("must not have empty, '.' or '..' parts, which no path could name")
    return value


ModelId = Annotated[
    str, StringConstraints(pattern=r"^[A-Za-z0-9_@~][A-Za-z0-9_@~.:/+\-]{0,199}$"), AfterValidator(_reachable)
]
ProviderName = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9_\-]{0,63}$")]
Price = Annotated[Money, Field(ge=0, le=Decimal(10_000))]
Priority = Annotated[int, Field(ge=0, le=1_000_000)]

RESERVED_IDS = frozenset({"auto", *LAYERS, "layers"})


class Capabilities(Wire):
    """What a model can do; the planner leaves models out that cannot do what a request needs. null is not known: such a model is tried."""

    general: bool = True
    code: bool = False
    reasoning: bool = False
    vision: bool | None = None
    tools: bool | None = None
    json_schema: bool | None = Field(None, exclude_if=lambda value: value is None)


ApiModelName = Annotated[str, StringConstraints(min_length=1, max_length=200, pattern=r"^[^\x00-\x20\x7f]+$")]
Weight = Annotated[int, Field(ge=0, le=1_000)]
RelativeCost = Annotated[float, Field(ge=0, le=1_000_000)]
ContextWindow = Annotated[int, Field(ge=1, le=100_000_000)]
OwnedBy = Annotated[str, StringConstraints(max_length=100)]


class ModelFields(Wire):
    """What an operator says of a model. Prices are US dollars for 1,000 tokens.

    Models of one layer and priority share its traffic as their weights say, or, where these are all the same, by how
    well they do.
    """

    id: ModelId
    provider: ProviderName
    api_model_name: ApiModelName
    layer: Layer
    enabled: bool = True
    priority: Priority = 0
    weight: Weight = 1
    relative_cost: RelativeCost = 0
    price_per_1k_input_tokens: Price | None = Field(None, alias="pricePer1kInputTokens")
    price_per_1k_output_tokens: Price | None = Field(None, alias="pricePer1kOutputTokens")
    context_window: ContextWindow | None = None
    capabilities: Capabilities = Capabilities()
    owned_by: OwnedBy = Field("", alias="owned_by")


class Model(ModelFields):
    """One row of the registry: a model as one provider serves it."""

    created: Annotated[int, Field(ge=0)] = 0
    source: Literal["user", "seed", "discovered"] = Field("user", exclude=True)


class LayerModel(Wire):
    """A model as layer listings show it."""

    id: str
    provider: str
    api_model_name: str
    enabled: bool
    priority: int


class LayerState(Wire):
    """One layer of the live registry, its models by priority."""

    enabled: bool
    models: list[LayerModel]
    providers: list[str]
