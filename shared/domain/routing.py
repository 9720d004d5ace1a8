"""What a caller may ask of the router, what routing knows of a request, and what a plan is."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Annotated, Literal, Self

from pydantic import Field, StringConstraints, model_validator

from shared.domain.models import Layer, Model
from shared.domain.wire import Money, Wire

Quality = Literal["normal", "high", "critical"]
Escalation = Literal["allow", "confirm"]
OPENING = "opening:"
OWN_TAGS = "gateway."
PRINTABLE = r"^[^\x00-\x1f\x7f]*$"

Tag = Annotated[str, StringConstraints(min_length=1, max_length=64, pattern=PRINTABLE)]
TagValue = Annotated[str, StringConstraints(max_length=256, pattern=PRINTABLE)]


class RoutingOptions(Wire):
    """The body object `gateway`, or the header X-Gateway-Options: never sent upstream.

    What is None is as the configuration has it. `escalation` says what happens when the next layer up costs money:
    `allow` goes there, `confirm` asks first. `agreement` is how many cheap models must agree (0 or 1: none).
    `allow_paid` lets a request for the free layer reach a model that bills; `session` names its conversation.
    `cache_control` is what the header Cache-Control says.
    """

    max_layer: Layer | None = None
    min_layer: Layer | None = None
    quality: Quality = "normal"
    cross_check: bool | None = None
    self_check: bool | None = None
    agreement: Annotated[int, Field(ge=0, le=2)] | None = None
    escalate: bool | None = None
    escalation: Escalation = "allow"
    hedge: bool | None = None
    allow_paid: bool = False
    budget_usd: Annotated[Money, Field(ge=0)] | None = None
    session: Annotated[str, StringConstraints(min_length=1, max_length=200, pattern=PRINTABLE)] | None = None
    cache: bool | None = None
    cache_control: Annotated[str, Field(max_length=1000)] | None = None
    timeout_ms: Annotated[int, Field(ge=1, le=3_600_000)] | None = None
    tags: dict[Tag, TagValue] = Field(default_factory=dict, max_length=50)

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.min_layer and self.max_layer and self.min_layer > self.max_layer:
            raise ValueError("minLayer must not be above maxLayer")
        if any(name.startswith(OWN_TAGS) for name in self.tags):
            raise ValueError(f"tags whose names begin with '{OWN_TAGS}' are set by the gateway")
        return self


@dataclass(slots=True, kw_only=True)  # made for every chat, and freezing doubles what that costs; nobody changes it
class Facts:
    """What routing knows of a request, and all that it knows: a plan made again from it later is the same.

    `prompt_tokens` is an estimate; `prompt_most` and `searches` are upper bounds, 0 where no budget asked. `conversation` names the conversation it belongs to;
    where only its beginning tells, the name starts with OPENING. `turn` counts the answers in it so far. `complexity`
    runs from 0, easy, to 1, hard; None when it does not matter or nobody can say. `alias` is the name that the caller gave
    where a rule has led from it to `model`.
    """

    model: str
    options: RoutingOptions
    prompt_tokens: int
    prompt_most: int = 0
    searches: int = 0
    max_tokens: int | None = None
    choices: int = 1
    needs_vision: bool = False
    needs_tools: bool = False
    needs_schema: bool = False
    needs_code: bool = False
    stream: bool = False
    conversation: str = ""
    turn: int = 0
    complexity: float | None = None
    alias: str = ""

    @property
    def asked(self) -> str:
        """The name of the model as the caller gave it."""
        return self.alias or self.model


@dataclass(frozen=True, slots=True)
class Dropped:
    """A candidate that the planner left out, with the reason in words. `unfit` ones could be called, but not for this;
    where it is for the money, `cost` is what it may come to in US dollars; `forbidden` says that the caller may not.
    `away` ones are enabled, and their provider may come back; `window` is a context window in tokens that is too small.
    `standby` is the embedded model where others are configured.
    """

    model: Model
    reason: str
    unfit: bool = False
    cost: Decimal | None = None
    forbidden: bool = False
    away: bool = False
    window: int = 0
    standby: bool = False


@dataclass(frozen=True, slots=True)
class Plan:
    """The models to try, in order, and those that were left out. `cooling` names what is cooling down, the one that is
    back soonest first.
    """

    attempts: tuple[Model, ...]
    dropped: tuple[Dropped, ...] = ()
    low: Layer = "L0"
    high: Layer = "L3"
    cooling: tuple[str, ...] = ()
