"""What to do about each kind of failure: who must rest, for how long, who is asked next, and whether waiting helps. Pure."""

from dataclasses import dataclass
from typing import Literal

from shared.domain.routing import Facts
from shared.errors import (
    Unsupported,
    UpstreamAuthFailed,
    UpstreamBadRequest,
    UpstreamContextTooLong,
    UpstreamError,
    UpstreamNetwork,
    UpstreamOverloaded,
    UpstreamQuota,
    UpstreamRefused,
    UpstreamThrottled,
    UpstreamUnable,
)

FIRST_COOLDOWN = 5.0
LONGEST_COOLDOWN = 300.0
LONGEST_RETRY_AFTER = 86_400.0
THROTTLED_COOLDOWN = 10.0
ACCOUNT_COOLDOWN = 300.0

NEARLY_FULL = 0.75
"""Of a context window: from here on an estimate of the prompt may be wrong about whether it fits."""

Rests = Literal["nobody", "deployment", "key", "credit"]
Next = Literal["any", "bigger", "elsewhere", "nobody"]


@dataclass(frozen=True, slots=True)
class Treatment:
    """`rests` cools down: the model with this key, the key with all its models, or with those that cost money. `next` is who may be asked now: any
    other, one with a bigger context window, one of another provider, nobody. `passing` says that it may be over soon.
    """

    rests: Rests
    next: Next = "any"
    passing: bool = False


def treatment(error: UpstreamError | Unsupported) -> Treatment:
    """How a failure is treated."""
    match error:
        case Unsupported():
            return Treatment("nobody")
        case UpstreamBadRequest():
            return Treatment("nobody", "nobody")
        case UpstreamContextTooLong():
            return Treatment("nobody", "bigger")
        case UpstreamRefused():
            return Treatment("nobody", "elsewhere")
        case UpstreamUnable():
            return Treatment("nobody")
        case UpstreamQuota():
            return Treatment("credit")
        case UpstreamAuthFailed():
            return Treatment("deployment" if error.status == 403 else "key")
        case UpstreamThrottled() | UpstreamOverloaded():
            return Treatment("deployment", passing=True)
        case UpstreamNetwork():
            return Treatment("deployment", passing=error.retryable)
        case _:
            return Treatment("deployment", passing=error.status is not None and error.status >= 500)


def too_long_perhaps(
    error: UpstreamError | Unsupported, facts: Facts, window: int | None
) -> UpstreamError | Unsupported:
    """A refused request that fills its model's window, or nearly, as one that is too long for it.

    Anthropic and others have no code of their own for it, and lengths are estimates; what the provider said is kept.
    """
    if not isinstance(error, UpstreamBadRequest) or not window:
        return error
    if facts.prompt_tokens + (facts.max_tokens or 0) < NEARLY_FULL * window:
        return error
    return UpstreamContextTooLong(
        f"{error.message} It may be too long for the model's context window of {window} tokens.",
        status=error.status,
        details=error.details,
        operator_detail=error.operator_detail,
    )


def cooldown(error: UpstreamError, failures: int) -> float:
    """Seconds of rest after that many failures in a row."""
    if isinstance(error, UpstreamAuthFailed | UpstreamQuota):
        return ACCOUNT_COOLDOWN
    if error.retry_after is not None:
        return min(error.retry_after, LONGEST_RETRY_AFTER)
    if isinstance(error, UpstreamThrottled):
        return THROTTLED_COOLDOWN
    return min(FIRST_COOLDOWN * float(2 ** min(failures - 1, 10)), LONGEST_COOLDOWN)
