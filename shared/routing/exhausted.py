"""What to say when no model could answer: every attempt, and what the caller can do. Pure."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from shared.domain.models import LAYERS, Model
from shared.domain.routing import Facts, Plan
from shared.errors import (
    GatewayError,
    InvalidInput,
    Unavailable,
    Unsupported,
    UpstreamAuthFailed,
    UpstreamBadAnswer,
    UpstreamContextTooLong,
    UpstreamError,
    UpstreamNetwork,
    UpstreamOverloaded,
    UpstreamQuota,
    UpstreamRefused,
    UpstreamThrottled,
    UpstreamTimeout,
    UpstreamUnable,
)
from shared.routing.job import Failure

KINDS = (
    UpstreamThrottled,
    UpstreamTimeout,
    UpstreamContextTooLong,
    UpstreamRefused,
    UpstreamUnable,
    UpstreamOverloaded,
    UpstreamNetwork,
    UpstreamBadAnswer,
    UpstreamAuthFailed,
    UpstreamQuota,
)
SHOWN = 20
NAMED = 3
HIGHER = "choose other layers (gateway.maxLayer, or defaultLayer in the configuration)"


@dataclass(frozen=True, slots=True)
class Resting:
    """A model that was not asked because it is cooling, for how many seconds yet, and the code of what it said last."""

    model: Model
    seconds: float
    code: str


def nothing_to_try(facts: Facts, plan: Plan) -> GatewayError:
    """The error for a plan without attempts.

    400 where the same request fails again however long the caller waits, 503 where a provider or server may come back.
    """
    unfit = [item for item in plan.dropped if item.unfit]
    error: type[GatewayError] = InvalidInput
    code = "no_suitable_model"
    if facts.model in LAYERS and not plan.low <= facts.model <= plan.high:
        message = f"The layer {facts.model} cannot be used: 'gateway' allows {plan.low} to {plan.high}; change 'minLayer' or 'maxLayer'."
    elif facts.model not in ("auto", *LAYERS) and plan.dropped:
        message = f"The model '{facts.model[:200]}' cannot be used: {plan.dropped[0].reason}."
        if plan.dropped[0].away:
            error, code = Unavailable, "no_model_available"
    elif any(item.window for item in unfit):
        largest = max(item.window for item in unfit)
        code = "context_length_exceeded"
        message = (
            f"This request has about {facts.prompt_tokens} tokens, and the maximum context length of the models that may "
            f"answer it is {largest} tokens (context_length_exceeded). Shorten it, add a model with a larger context window, or {HIGHER}."
        )
    elif any(item.standby and not item.away for item in plan.dropped) and not unfit:
        message = (
            f"No model may answer '{facts.model}': other models than the embedded one are configured, but in no layer that it "
            "may use. Set AUTO_BUDGET_USD_PER_DAY above 0 or DEFAULT_LAYER to a paid layer, or name a model."
        )
    elif unfit:
        reasons = "; ".join(f"{item.model.id}: {item.reason}" for item in unfit[:NAMED])
        message = f"No available model can take this request ({reasons}). Change it, add a model, or {HIGHER}."
    elif any(item.standby and item.away for item in plan.dropped):
        message = (
            "The local model server that OLLAMA_HOST or OSS_MODEL_ENDPOINT names does not answer. Start it, correct the "
            "setting, or name another model."
        )
        error, code = Unavailable, "no_model_available"
    else:
        message = (
            f"No model is available for '{facts.model}': set a provider's API key, start a local model server, "
            f"install the embedded model (see `mcp-gateway doctor`), or {HIGHER}."
        )
        error, code = Unavailable, "no_model_available"
    first = [*unfit, *(item for item in plan.dropped if not item.unfit)][:SHOWN]
    details: dict[str, Any] = {"dropped": [{"model": item.model.id, "reason": item.reason} for item in first]}
    if code == "context_length_exceeded":
        details["size"] = {"tokens": facts.prompt_tokens, "maximum": max(item.window for item in unfit)}
    if facts.alias:
        message = f"'{facts.alias[:200]}' is an alias of '{facts.model[:200]}' (see GET /v1/aliases). {message}"
    return error(message, details=details, code=code)


def all_failed(failures: Sequence[Failure], resting: Sequence[Resting] = ()) -> GatewayError:
    """Every attempt failed: throttled, too slow, or broken, in this order of what a caller can do about it.

    Models that were not asked because they are cooling are named with what they last said: nothing hides behind them.
    """
    attempts = [
        {
            "model": failure.model.id,
            "provider": failure.model.provider,
            "code": failure.error.code,
            "message": failure.error.message,
            **({"upstream": failure.error.details} if failure.error.details else {}),
        }
        for failure in failures
    ]
    errors = [failure.error for failure in failures]
    if not errors and resting:
        return _all_kept_away(resting)
    if not errors:
        return Unavailable("The models of the plan have just been removed or turned off.", code="no_model_available")
    if all(isinstance(error, Unsupported) for error in errors):
        return errors[-1]
    kind = _kind(errors)
    asked = {failure.model.id for failure in failures}
    waits = [error.retry_after for error in errors if error.retry_after is not None]
    waits += [other.seconds for other in resting]
    more = _named(resting)
    others = len({other.model.id for other in resting} - asked)
    also = f" Try again in {_in_words(min(waits))}." if kind is UpstreamThrottled and waits else ""
    also += f" {others} more are cooling down after failures of their own." if others else ""
    return kind(
        f"{_told(failures)}{_coded(kind)}{also}",
        details={"attempts": attempts, **({"cooling": more} if more else {})},
        operator_detail="; ".join(error.operator_detail for error in errors if error.operator_detail),
        retry_after=min(waits) if waits else None,
    )


def _all_kept_away(resting: Sequence[Resting]) -> GatewayError:
    named = ", ".join(f"{other.model.id} ({other.code})" for other in resting[:NAMED])
    return Unavailable(
        f"No model may be asked now: {named}. See the gateway's log, add a model, or {HIGHER}.",
        details={"cooling": _named(resting)},
        retry_after=min(other.seconds for other in resting),
        code="no_model_available",
    )


def _named(resting: Sequence[Resting]) -> list[dict[str, object]]:
    return [{"model": other.model.id, "code": other.code, "seconds": round(other.seconds, 1)} for other in resting]


def _told(failures: Sequence[Failure]) -> str:
    """The sentence of the last failure, with how many models were asked where that is not one, once."""
    last, asked = failures[-1].error.message, len({failure.model.id for failure in failures})
    if len(failures) == 1:
        return last
    count = "The model" if asked == 1 else f"All {asked} models"
    times = f" (asked {len(failures)} times)" if len(failures) > asked else ""
    return f"{count} failed{times}; the last said: {last}"


def _coded(kind: type[UpstreamError]) -> str:
    """The code of an overflow, which langchain-openai looks for in the sentence alone."""
    return f" ({kind.code})" if kind is UpstreamContextTooLong else ""


def _in_words(seconds: float) -> str:
    for unit, length in (("hours", 3600), ("minutes", 60)):
        if seconds > 2 * length:
            return f"{math.ceil(seconds / length)} {unit}"
    return f"{math.ceil(seconds)} seconds"


def _kind(errors: Sequence[GatewayError]) -> type[UpstreamError]:
    if any(isinstance(error, UpstreamThrottled) for error in errors) and all(
        isinstance(error, UpstreamThrottled | UpstreamQuota) for error in errors
    ):
        return UpstreamThrottled
    for kind in KINDS:
        if all(isinstance(error, kind) for error in errors):
            return kind
    return UpstreamError
