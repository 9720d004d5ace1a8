"""Anthropic's failures, classified by status, `error.type` and `error.details.error_code`, then by known sentences. Pure.

Source: https://platform.claude.com/docs/en/api/errors
"""

import re
from collections.abc import Mapping
from typing import Any

import orjson

from shared.errors import (
    UpstreamAuthFailed,
    UpstreamBadAnswer,
    UpstreamBadRequest,
    UpstreamContextTooLong,
    UpstreamError,
    UpstreamNetwork,
    UpstreamOverloaded,
    UpstreamQuota,
    UpstreamThrottled,
    UpstreamTimeout,
)
from shared.providers import retry_after as waits
from shared.providers.anthropic.usage import usage_object, usage_of
from shared.providers.wordings import meaning

MAX_DETAIL = 500
SECRET = re.compile(r"\bsk-[\w-]{6,}|\bBearer\s+\S+", re.IGNORECASE)
BY_STATUS: Mapping[int, type[UpstreamError]] = {
    400: UpstreamBadRequest,
    401: UpstreamAuthFailed,
    402: UpstreamQuota,
    403: UpstreamAuthFailed,
    408: UpstreamTimeout,
    409: UpstreamBadRequest,
    413: UpstreamBadRequest,
    422: UpstreamBadRequest,
    429: UpstreamThrottled,
    503: UpstreamOverloaded,
    504: UpstreamTimeout,
    529: UpstreamOverloaded,
}
BY_TYPE: Mapping[str, type[UpstreamError]] = {
    "invalid_request_error": UpstreamBadRequest,
    "request_too_large": UpstreamBadRequest,
    "authentication_error": UpstreamAuthFailed,
    "permission_error": UpstreamAuthFailed,
    "billing_error": UpstreamQuota,
    "rate_limit_error": UpstreamThrottled,
    "timeout_error": UpstreamTimeout,
    "not_found_error": UpstreamError,
    "api_error": UpstreamError,
    "overloaded_error": UpstreamOverloaded,
}
BY_CODE: Mapping[str, type[UpstreamError]] = {
    "contract_spend_limit_reached": UpstreamQuota,
    "enforced_spend_limit_reached": UpstreamQuota,
    "linked_organization_spend_limit_reached": UpstreamQuota,
    "linked_organization_billing_unavailable": UpstreamQuota,
    "organization_on_hold": UpstreamAuthFailed,
    "ramp_limit_exceeded": UpstreamThrottled,
}
PRIVATE = (UpstreamAuthFailed, UpstreamQuota)
"""What the provider says of the account is for the operator, not for a caller."""

TOLD = (UpstreamBadRequest, UpstreamContextTooLong)
"""Failures whose message is the provider's own sentence, since it says what the caller can change."""

ADVICE: Mapping[type[UpstreamError], str] = {
    UpstreamBadRequest: "it does not accept this request; change the request as its answer says",
    UpstreamContextTooLong: "the conversation is longer than the model's context window",
    UpstreamAuthFailed: "it refuses the API key; check the key and what it may do in the gateway's settings",
    UpstreamQuota: "the account has reached its spending limit; top it up or use another provider",
    UpstreamThrottled: "too many requests or tokens; wait, or use another model",
    UpstreamOverloaded: "it is overloaded; try again later or use another model",
    UpstreamTimeout: "it did not finish in time; try again or use another model",
    UpstreamError: "it failed; try again or use another model",
}
NO_SUCH_MODEL = "it does not know this model; check the model's apiModelName"


def from_response(
    provider: str, status: int, headers: Mapping[str, str], body: bytes, *, secret: str = ""
) -> UpstreamError:
    """The failure that an error answer means. `secret` is the key that was sent: it is never repeated."""
    request_id = headers.get("request-id", "")
    error = _error(body)
    wait = waits.seconds(headers, error)
    return classify(provider, status, error, retry_after=wait, request_id=request_id, secret=secret)


def from_event(provider: str, error: Any, *, secret: str = "") -> UpstreamError:
    """The failure that an error inside a stream, or inside an answer with status 200, means."""
    return classify(provider, None, error if isinstance(error, dict) else {}, secret=secret)


def cut_off(provider: str, *, usage: dict[str, Any] | None = None) -> UpstreamError:
    """The failure of a stream that ended before its last event; `usage` is what it told by then."""
    return UpstreamNetwork(f"{provider} broke off in the middle of its answer.", usage=usage, begun=True)


def no_stream(provider: str, body: bytes, *, secret: str = "") -> UpstreamError:
    """The failure that a body of another kind means where a stream was asked for."""
    if error := _error(body):
        return from_event(provider, error, secret=secret)
    return UpstreamBadAnswer(f"{provider} sent an answer that is no stream.", usage=usage_in(_object(body)))


def classify(
    provider: str,
    status: int | None,
    error: Mapping[str, Any],
    *,
    retry_after: float | None = None,
    request_id: str = "",
    secret: str = "",
) -> UpstreamError:
    """One error class for each way to go on from here: by the finest structured marker there is."""
    kind, code = _text(error.get("type")), _error_code(error)
    found = BY_CODE.get(code) or BY_TYPE.get(kind, UpstreamError)
    if found is UpstreamError:
        found = BY_STATUS.get(status or 0, UpstreamError)
    message = _text(error.get("message"))
    if found is UpstreamBadRequest:
        found = meaning(message) or found
    advice = ADVICE[found]
    if kind == "not_found_error" or (not kind and status == 404):
        advice = NO_SUCH_MODEL
    what = f"{provider} answered {status}" if status else f"{provider} reported an error"
    private = found in PRIVATE or SECRET.search(message) or (secret and secret in message)
    marks = " ".join(part for part in (kind, code, request_id) if part)
    reason = message[:MAX_DETAIL] if found in TOLD and message and not private else f"{advice}."
    return found(
        f"{what}: {reason}",
        status=status,
        details="" if private else message[:MAX_DETAIL],
        operator_detail=f"{marks} {_redacted(message, secret)}".strip() if private else marks,
        retry_after=retry_after,
    )


def usage_in(answer: Any) -> dict[str, Any] | None:
    """What a parsed answer says that it used, in OpenAI's form; None where it does not."""
    counts = answer.get("usage") if isinstance(answer, dict) else None
    return usage_object(usage_of(counts), counts) if isinstance(counts, dict) else None


def _error(body: bytes) -> Mapping[str, Any]:
    """The `error` object of a body, empty where it holds none."""
    found = _object(body).get("error")
    return found if isinstance(found, dict) else {}


def _object(body: bytes) -> Mapping[str, Any]:
    """A body that is a JSON object, empty for any other."""
    try:
        parsed = orjson.loads(body)
    except orjson.JSONDecodeError:
        return {}
    return parsed if isinstance(parsed, dict) else {}


def _error_code(error: Mapping[str, Any]) -> str:
    details = error.get("details")
    return _text(details.get("error_code")) if isinstance(details, dict) else ""


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _redacted(message: str, secret: str) -> str:
    hidden = message.replace(secret, "[redacted]") if secret else message
    return SECRET.sub("[redacted]", hidden)[:MAX_DETAIL]
