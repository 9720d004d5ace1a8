"""The seam to a model provider: what the executor asks of one, and what it may answer."""

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

from shared.domain.chat import ChatRequest, Chunk, Completion
from shared.domain.models import Capabilities, Model


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeouts:
    """Seconds that a provider gets: to connect, to the first token, between tokens, and in all."""

    connect: float = 10
    first_token: float = 120
    stall: float = 60
    total: float = 600


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundModel:
    """A model that a provider's own listing names; discovery makes registry rows of them."""

    name: str
    context_window: int | None = None
    capabilities: Capabilities = field(default_factory=Capabilities)
    served_by: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
    """The last word on a provider's health. `models` is None where it does not list any."""

    healthy: bool
    detail: str = ""
    models: tuple[FoundModel, ...] | None = None


class Provider(Protocol):
    """One provider. Both calls raise UpstreamError and its kin, classified by status and structured code."""

    name: str
    reports_cost: bool
    """Whether `usage.cost` in its answers is what it bills, in US dollars."""

    @property
    def configured(self) -> bool:
        """Whether it has what it needs to be called (a key, an address)."""

    def serves(self, model: Model) -> bool:
        """Whether it can take this model just now; a local server may have gone or dropped a model."""

    async def complete(self, model: Model, request: ChatRequest, timeouts: Timeouts) -> Completion:
        """The whole answer."""

    def stream(
        self, model: Model, request: ChatRequest, timeouts: Timeouts
    ) -> AbstractAsyncContextManager[AsyncIterator[Chunk]]:
        """The answer as it comes. Leaving the block closes the upstream connection at once."""

    async def probe(self) -> Probe:
        """Ask, cheaply and without cost, whether it is there."""

    async def aclose(self) -> None:
        """Free what it holds."""


@runtime_checkable
class CountsTokens(Protocol):
    """A provider that counts a request's tokens, at no cost."""

    async def count_tokens(self, model: Model, request: ChatRequest) -> int | None:
        """The tokens of the request; None for one that this provider cannot be asked about. Raises UpstreamError."""
