"""The embedded model: a small one of our own in a supervised process, so that there is always a real answer."""

import asyncio
import importlib.util
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from shared.domain.models import Capabilities, Model
from shared.errors import UpstreamError
from shared.providers.base import FoundModel
from shared.providers.embedded_child import Child, Endpoint, Launch
from shared.providers.installation import extra_missing
from shared.providers.vendors import LOCAL
from shared.providers.weights import find_weights

Mode = Literal["auto", "start", "off"]
Status = Literal["off", "not installed", "stopped", "starting", "running", "failed"]

MODEL = FoundModel(
    name="smollm2-135m-instruct",
    context_window=8192,
    capabilities=Capabilities(vision=False, tools=False),
    served_by="embedded model",
)
NOTICE = f"answered by the embedded model {MODEL.name}, which is very small"
SLOTS = 2
"""Answers at once; a further one waits. Each holds the memory for a whole context."""

STEADY_SECONDS = 60.0
MAX_DELAY_SECONDS = 60.0
RUNTIME = "xllamacpp"
NO_RUNTIME = "its runtime is not installed: {}"
NO_WEIGHTS = "its weights are not here: mcp-gateway models pull"
CANNOT_BE_USED = "The embedded model cannot be used: {}."

Spawn = Callable[[Launch, float], Awaitable[Child]]


def is_embedded(model: Model) -> bool:
    """Return whether a registry entry is the embedded model."""
    return model.api_model_name == MODEL.name and model.provider == LOCAL


@dataclass(frozen=True, slots=True)
class EmbeddedState:
    """How the embedded model is, and why, or what to do about it."""

    status: Status
    detail: str = ""


async def _spawn(launch: Launch, timeout: float) -> Child:
    return await Child.spawn(launch, timeout=timeout)


class EmbeddedModel:
    """Supervises the process: started on first use and by one caller for all, started anew when it has died."""

    def __init__(
        self,
        *,
        data_dir: Path,
        mode: Mode = "auto",
        weights: Path | None = None,
        idle_seconds: int = 600,
        start_timeout: float = 60,
        spawn: Spawn = _spawn,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.mode = mode
        self._data_dir = data_dir
        self._explicit = weights
        self._idle_seconds = idle_seconds
        self._start_timeout = start_timeout
        self._spawn = spawn
        self._clock = clock
        self._child: Child | None = None
        self._started_at = 0.0
        self._starting: asyncio.Task[Child] | None = None
        self._closed = False
        self._failures = 0
        self._not_before = 0.0
        self._reason = ""
        self._weights: Path | None = None
        self._missing = ""
        self.look()

    @property
    def state(self) -> EmbeddedState:
        """What it is doing; cheap and never waits."""
        if self.mode == "off":
            return EmbeddedState("off", "turned off by EMBEDDED_MODEL")
        if self._starting is not None:
            return EmbeddedState("starting")
        if self._child is not None and self._child.alive:
            return EmbeddedState("running", f"process {self._child.pid}")
        if self._missing:
            return EmbeddedState("not installed", self._missing)
        if self._pause > 0:
            return EmbeddedState("failed", f"{self._reason}; it is tried again in {self._pause:.0f} s or less")
        return EmbeddedState("stopped", self._reason or "it starts on first use")

    @property
    def installed(self) -> bool:
        """Whether there is what it takes to run, and it is not turned off."""
        return self.mode != "off" and not self._missing and not self._closed

    @property
    def available(self) -> bool:
        """Whether it can be asked just now."""
        return self.installed and self._pause <= 0

    def open(self) -> None:
        """Be usable again after `aclose`."""
        self._closed = False

    def look(self) -> None:
        """See again what is installed; a few look-ups on disk."""
        if self.mode == "off":
            return
        self._weights = find_weights(self._data_dir, explicit=self._explicit)
        runtime = importlib.util.find_spec(RUNTIME) is not None
        missing = [] if runtime else [NO_RUNTIME.format(extra_missing("local"))]
        self._missing = "; ".join(missing if self._weights else [*missing, NO_WEIGHTS])

    def begin(self) -> None:
        """Start it without waiting, where that is possible and it doesn't run yet."""
        if self.available and self._starting is None and (self._child is None or not self._child.alive):
            self._starting = self._start_task()

    async def endpoint(self) -> Endpoint:
        """Where it answers, once it does. Raises UpstreamError when it cannot be had."""
        starting = self._starting
        if starting is None:
            if self._child is not None and self._child.alive:
                return self._child.endpoint
            self._refuse_unless_available()
            starting = self._starting = self._start_task()
        # Not by awaiting the task: one caller that goes away must not end it for the others.
        await asyncio.wait([starting])
        if starting.cancelled():
            raise UpstreamError(CANNOT_BE_USED.format("the gateway is stopping"))
        return starting.result().endpoint

    async def ended(self, endpoint: Endpoint, within: float = 0.3) -> bool:
        """Whether the process behind an endpoint is dead, or is found to be within so many seconds."""
        child = self._child
        return child is None or child.endpoint != endpoint or await child.ended(within)

    async def aclose(self) -> None:
        """End the process; it is gone when this returns, and none is started before `open`."""
        self._closed = True
        if self._starting is not None:
            self._starting.cancel()
            await asyncio.wait([self._starting])
        child, self._child = self._child, None
        if child is not None:
            await child.stop()

    @property
    def _pause(self) -> float:
        return self._not_before - self._clock() if self._failures else 0.0

    def _refuse_unless_available(self) -> None:
        if not self.installed:
            why = "the gateway is stopping" if self._closed else self.state.detail
            raise UpstreamError(CANNOT_BE_USED.format(why))
        if self._pause > 0:
            raise UpstreamError(f"The embedded model has failed: {self.state.detail}.", retry_after=self._pause)

    def _start_task(self) -> "asyncio.Task[Child]":
        task = asyncio.create_task(self._start())
        task.add_done_callback(self._started)
        return task

    async def _start(self) -> Child:
        await asyncio.to_thread(self.look)
        if self._weights is None or self._missing:
            raise UpstreamError(CANNOT_BE_USED.format(self._missing))
        launch = Launch(
            weights=self._weights,
            alias=MODEL.name,
            context=MODEL.context_window or 0,
            slots=SLOTS,
            idle_seconds=self._idle_seconds,
        )
        child = await self._spawn(launch, self._start_timeout)
        self._child, self._started_at = child, self._clock()
        child.watch(self._exited)
        return child

    def _started(self, task: "asyncio.Task[Child]") -> None:
        self._starting = None
        if task.cancelled():
            return
        error = task.exception()
        if isinstance(error, UpstreamError):
            self._count_failure(" ".join(filter(None, (error.message.rstrip("."), str(error.details)))))

    def _exited(self, child: Child, reason: str) -> None:
        if child is not self._child:
            return
        self._child = None
        if self._clock() - self._started_at >= STEADY_SECONDS:
            self._failures = 0
        self._count_failure(f"it ended unexpectedly ({reason})")

    def _count_failure(self, reason: str) -> None:
        """The first time it may start again at once, then after 1, 2, 4 … seconds."""
        self._failures += 1
        self._reason = reason
        delay = 0.0 if self._failures == 1 else min(MAX_DELAY_SECONDS, 2.0 ** (self._failures - 2))
        self._not_before = self._clock() + delay
