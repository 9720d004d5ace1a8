"""How each model has been lately: who has failed stays out of the way until it has cooled down."""

import time
from collections.abc import Callable
from dataclasses import dataclass

from shared.errors import UpstreamAuthFailed, UpstreamContextTooLong, UpstreamError, UpstreamQuota, UpstreamThrottled

FIRST_COOLDOWN = 5.0
LONGEST_COOLDOWN = 300.0
THROTTLED_COOLDOWN = 10.0
ACCOUNT_COOLDOWN = 300.0


@dataclass(slots=True)
class _State:
    failures: int = 0
    until: float = 0.0
    reason: str = ""


class Health:
    """One breaker for each model. A success closes it; failures open it for longer and longer."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._states: dict[str, _State] = {}

    def cooling(self, model_id: str) -> float:
        """Seconds until the model should be tried again; 0 when it may be now."""
        state = self._states.get(model_id)
        return 0.0 if state is None else max(state.until - self._clock(), 0.0)

    def reason(self, model_id: str) -> str:
        """Why it is cooling."""
        state = self._states.get(model_id)
        return "" if state is None else state.reason

    def succeeded(self, model_id: str) -> None:
        """The model answered."""
        self._states.pop(model_id, None)

    def failed(self, model_id: str, error: UpstreamError) -> None:
        """The model failed in a way that is not the caller's fault."""
        if not error.retryable or isinstance(error, UpstreamContextTooLong):
            return
        state = self._states.setdefault(model_id, _State())
        if state.until <= self._clock():  # many requests that fail in the same trouble count once
            state.failures += 1
        state.reason = error.code
        state.until = max(state.until, self._clock() + _cooldown(error, state.failures))

    def cooling_models(self) -> dict[str, float]:
        """All models that are cooling, with the seconds left."""
        return {model_id: left for model_id in tuple(self._states) if (left := self.cooling(model_id)) > 0}


def _cooldown(error: UpstreamError, failures: int) -> float:
    if isinstance(error, UpstreamAuthFailed | UpstreamQuota):
        return ACCOUNT_COOLDOWN
    if error.retry_after is not None:
        return min(error.retry_after, LONGEST_COOLDOWN)
    if isinstance(error, UpstreamThrottled):
        return THROTTLED_COOLDOWN
    return min(FIRST_COOLDOWN * float(2 ** min(failures - 1, 10)), LONGEST_COOLDOWN)
