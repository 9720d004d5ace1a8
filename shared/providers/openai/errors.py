"""An OpenAI-compatible provider's failures, classified by status and structured code, then by known sentences."""

from collections.abc import Mapping
from typing import Any

import orjson

from shared.errors import (
    UpstreamAuthFailed,
    UpstreamBadAnswer,
    UpstreamBadRequest,
    UpstreamContextTooLong,
    UpstreamError,
    UpstreamOverloaded,
    UpstreamQuota,
    UpstreamRefused,
    UpstreamThrottled,
    UpstreamTimeout,
    UpstreamUnable,
    UpstreamUnsupportedParameter,
)
from shared.providers import retry_after as waits
from shared.providers.wordings import inability, meaning

CONTEXT_CODES = frozenset(
    {"context_length_exceeded", "string_above_max_length", "token_limit_exceeded", "exceed_context_size_error"}
)
QUOTA_CODES = frozenset({"insufficient_quota", "billing_hard_limit_reached", "billing_not_active"})
THROTTLE_CODES = frozenset({"rate_limit_exceeded", "rate_limit_error", "too_many_requests"})
OVERLOAD_CODES = frozenset({"overloaded_error", "engine_overloaded_error", "engine_overloaded", "model_overloaded"})
REFUSAL_CODES = frozenset(
    {
        "content_policy_violation",
        "content_filter",
        "ResponsibleAIPolicyViolation",
        "moderation_blocked",
        "invalid_prompt",
        "data_inspection_failed",
    }
)
"""What a provider's rules do not let it answer: OpenAI, Azure, OpenAI's images and reasoning models, Alibaba."""

AUTH_CODES = frozenset({"invalid_api_key", "authentication_error", "permission_error"})
PARAMETER_CODES = frozenset({"unsupported_parameter", "unsupported_value"})
"""What OpenAI and Azure say, with the name in `param`, of a parameter that a model does not support."""

REJECTED = frozenset({400, 405, 409, 413, 415, 422})
"""What a provider answers to a request that it finds wrong."""

UNABLE = frozenset({400, 404, 422, 500, 501})
"""Statuses under which a sentence may say that the model cannot call tools or see images: llama.cpp says it with 500."""

MAX_DETAIL = 500


def from_response(
    provider: str, status: int, headers: Mapping[str, str], body: bytes, *, secret: str = ""
) -> UpstreamError:
    """The failure that an error answer means. `secret`, the key that was sent, is never passed on."""
    error = error_object(body)
    return classify(provider, status, error, retry_after=waits.seconds(headers, error), secret=secret)


def from_event(provider: str, error: Any, *, usage: dict[str, Any] | None = None, secret: str = "") -> UpstreamError:
    """The failure that an error inside a stream, or inside an answer with status 200, means; `usage` came along."""
    found = error if isinstance(error, dict) else {"message": str(error)}
    code = found.get("code")
    status = code if isinstance(code, int) and not isinstance(code, bool) and 100 <= code <= 999 else None
    failure = classify(provider, status, found, secret=secret)
    failure.usage = usage
    return failure


def no_stream(provider: str, body: bytes, *, secret: str = "") -> UpstreamError:
    """The failure that a body of another kind means where a stream was asked for."""
    try:
        answer = orjson.loads(body)
    except orjson.JSONDecodeError:
        answer = None
    if (found := reported(answer)) is not None:
        return from_event(provider, found, usage=usage_in(answer), secret=secret)
    return UpstreamBadAnswer(f"{provider} sent an answer that is no stream.", usage=usage_in(answer))


def error_object(body: bytes) -> dict[str, Any]:
    """The `error` object of a body, whatever shape it has; Google puts it into a list."""
    try:
        parsed = orjson.loads(body)
    except orjson.JSONDecodeError:
        return {}
    if isinstance(parsed, list) and parsed:
        parsed = parsed[0]
    found = parsed.get("error", parsed) if isinstance(parsed, dict) else {}
    return found if isinstance(found, dict) else {"message": str(found)}


def usage_in(answer: Any) -> dict[str, Any] | None:
    """The usage object of a parsed answer or event; None without one."""
    usage = answer.get("usage") if isinstance(answer, dict) else None
    return usage if isinstance(usage, dict) else None


def reported(answer: Any) -> Any:
    """The error that a parsed answer or event reports in one of the places for it; None without one."""
    if isinstance(answer, list) and answer:
        answer = answer[0]
    if not isinstance(answer, dict):
        return None
    if answer.get("error"):
        return answer["error"]
    if answer.get("object") == "error":  # vLLM
        return answer
    choices = answer.get("choices")
    for choice in choices if isinstance(choices, list) else ():
        if isinstance(choice, dict) and (choice.get("error") or choice.get("finish_reason") == "error"):
            return choice.get("error") or {}
    return None


def classify(
    provider: str,
    status: int | None,
    error: Mapping[str, Any],
    *,
    retry_after: float | None = None,
    secret: str = "",
) -> UpstreamError:
    """One error class for each way to go on from here."""
    codes = _codes(error)
    what = f"{provider} answered {status}" if status else f"{provider} reported an error"
    details = _details(error, secret)
    told = meaning(details) if status is None or status in REJECTED else None
    if codes & CONTEXT_CODES or told is UpstreamContextTooLong:
        reason = details or "the conversation is longer than the model's context window."
        return UpstreamContextTooLong(f"{what}: {reason}", status=status, details=details)
    if (status is None or status in UNABLE) and (ability := inability(details)) is not None:
        return UpstreamUnable(f"{what}: {details}", ability=ability, status=status, details=details)
    if codes & REFUSAL_CODES:
        return UpstreamRefused(
            f"{what}: its rules do not let it answer this; ask in another way, or use another provider's model.",
            status=status,
            details=details,
        )
    if status == 402 or codes & QUOTA_CODES or told is UpstreamQuota:
        return UpstreamQuota(
            f"{what}: the account has no credit left; top it up or use another provider.", status=status
        )
    if status in (401, 403) or codes & AUTH_CODES or told is UpstreamAuthFailed:
        return UpstreamAuthFailed(
            f"{what}: the provider refuses the API key; check it in the gateway's settings.",
            status=status,
            operator_detail=str(details),
        )
    if status in (503, 529) or codes & OVERLOAD_CODES:
        return UpstreamOverloaded(
            f"{what}: it is overloaded; try again later or use another model.",
            status=status,
            details=details,
            retry_after=retry_after,
        )
    if status == 429 or codes & THROTTLE_CODES:
        return UpstreamThrottled(f"{what}: too many requests.", status=status, details=details, retry_after=retry_after)
    if status in (408, 504):
        return UpstreamTimeout(f"{what}: it did not finish in time.", status=status, details=details)
    if status == 404:
        return UpstreamError(
            f"{what}: it does not know this model; check the model's apiModelName.", status=status, details=details
        )
    if told is UpstreamError:
        return UpstreamError(f"{what}: {details}", status=status, details=details)
    if status in REJECTED:
        reason = details or "it does not accept this request."
        parameter = error.get("param")
        if codes & PARAMETER_CODES and isinstance(parameter, str):
            return UpstreamUnsupportedParameter(
                f"{what}: {reason}", parameter=parameter, status=status, details=details
            )
        return UpstreamBadRequest(f"{what}: {reason}", status=status, details=details)
    return UpstreamError(f"{what}.", status=status, details=details, retry_after=retry_after)


def _codes(error: Mapping[str, Any]) -> set[str]:
    """Every structured mark of an error: its own, Azure's inner one, and OpenRouter's word that the input was flagged."""
    inner, metadata = error.get("innererror"), error.get("metadata")
    marks = [error.get("code"), error.get("type"), inner.get("code") if isinstance(inner, dict) else None]
    if isinstance(metadata, dict) and (metadata.get("flagged_input") or metadata.get("reasons")):
        marks.append("content_policy_violation")
    return {mark for mark in marks if isinstance(mark, str)}


def _details(error: Mapping[str, Any], secret: str) -> str:
    message = next((text for name in ("message", "detail") if isinstance(text := error.get(name), str)), "")
    return (message.replace(secret, "***") if secret else message)[:MAX_DETAIL]
