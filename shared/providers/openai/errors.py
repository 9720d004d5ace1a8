"""An OpenAI-compatible provider's failures, classified by status and structured code, never by message text."""

from collections.abc import Mapping
from typing import Any

import orjson

from shared.errors import (
    UpstreamAuthFailed,
    UpstreamBadRequest,
    UpstreamContextTooLong,
    UpstreamError,
    UpstreamQuota,
    UpstreamThrottled,
    UpstreamTimeout,
)
from shared.providers import retry_after as waits

CONTEXT_CODES = frozenset({"context_length_exceeded", "string_above_max_length"})
QUOTA_CODES = frozenset({"insufficient_quota", "billing_hard_limit_reached", "billing_not_active"})
THROTTLE_CODES = frozenset({"rate_limit_exceeded", "rate_limit_error", "too_many_requests"})
AUTH_CODES = frozenset({"invalid_api_key", "authentication_error", "permission_error"})
MAX_DETAIL = 500


def from_response(
    provider: str, status: int, headers: Mapping[str, str], body: bytes, *, secret: str = ""
) -> UpstreamError:
    """The failure that an error answer means. `secret`, the key that was sent, is never passed on."""
    return classify(provider, status, error_object(body), retry_after=waits.seconds(headers), secret=secret)


def from_event(provider: str, error: Any, *, secret: str = "") -> UpstreamError:
    """The failure that an error inside a stream, or inside an answer with status 200, means."""
    found = error if isinstance(error, dict) else {"message": str(error)}
    code = found.get("code")
    status = code if isinstance(code, int) and not isinstance(code, bool) else None
    return classify(provider, status, found, secret=secret)


def error_object(body: bytes) -> dict[str, Any]:
    """The `error` object of a body, whatever shape it has."""
    try:
        parsed = orjson.loads(body)
    except orjson.JSONDecodeError:
        return {}
    found = parsed.get("error", parsed) if isinstance(parsed, dict) else {}
    return found if isinstance(found, dict) else {"message": str(found)}


def classify(
    provider: str,
    status: int | None,
    error: Mapping[str, Any],
    *,
    retry_after: float | None = None,
    secret: str = "",
) -> UpstreamError:
    """One error class for each way to go on from here."""
    codes = {code for code in (error.get("code"), error.get("type")) if isinstance(code, str)}
    what = f"{provider} answered {status}" if status else f"{provider} reported an error"
    details = _details(error, secret)
    if codes & CONTEXT_CODES:
        return UpstreamContextTooLong(
            f"{what}: the conversation is longer than the model's context window.", status=status, details=details
        )
    if status == 402 or codes & QUOTA_CODES:
        return UpstreamQuota(
            f"{what}: the account has no credit left; top it up or use another provider.", status=status
        )
    if status in (401, 403) or codes & AUTH_CODES:
        return UpstreamAuthFailed(
            f"{what}: the provider refuses the API key; check it in the gateway's settings.",
            status=status,
            operator_detail=str(details),
        )
    if status == 429 or codes & THROTTLE_CODES:
        return UpstreamThrottled(f"{what}: too many requests.", status=status, details=details, retry_after=retry_after)
    if status in (408, 504):
        return UpstreamTimeout(f"{what}: it did not finish in time.", status=status, details=details)
    if status == 404:
        return UpstreamError(
            f"{what}: it does not know this model; check the model's apiModelName.", status=status, details=details
        )
    if status in (400, 405, 409, 413, 415, 422):
        return UpstreamBadRequest(f"{what}: it does not accept this request.", status=status, details=details)
    return UpstreamError(f"{what}.", status=status, details=details, retry_after=retry_after)


def _details(error: Mapping[str, Any], secret: str) -> str:
    message = error.get("message")
    if not isinstance(message, str):
        return ""
    return (message.replace(secret, "***") if secret else message)[:MAX_DETAIL]
