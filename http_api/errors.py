"""Errors over HTTP: one table from error class to status, and the forms that clients read."""

import math
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

import orjson

from http_api.error_forms import ErrorForm
from shared import errors
from shared.errors import Details, GatewayError

Header = tuple[bytes, bytes]


class HttpError(GatewayError):
    """A failure that only HTTP has: a path, method, size or media type that does not fit."""

    def __init__(
        self, status: int, code: str, message: str, *, details: Details = "", headers: tuple[Header, ...] = ()
    ) -> None:
        super().__init__(message, details=details, code=code)
        self.status = status
        self.headers = headers


class ClientGone(Exception):
    """The client closed the connection; there is nobody to answer."""


STATUS: dict[type[GatewayError], int] = {
    errors.InvalidInput: 400,
    errors.Unsupported: 400,
    errors.Unauthenticated: 401,
    errors.Forbidden: 403,
    errors.NotFound: 404,
    errors.Conflict: 409,
    errors.HostKeyChanged: 409,
    errors.RateLimited: 429,
    errors.BudgetExceeded: 429,
    errors.BudgetsUncounted: 503,
    errors.Overloaded: 503,
    errors.Unavailable: 503,
    errors.NotCached: 504,
    errors.UpstreamError: 502,
    errors.UpstreamTimeout: 504,
    errors.UpstreamThrottled: 429,
    errors.UpstreamOverloaded: 502,
    errors.UpstreamNetwork: 502,
    errors.UpstreamBadAnswer: 502,
    errors.UpstreamAuthFailed: 502,
    errors.UpstreamQuota: 429,
    errors.UpstreamRefused: 400,
    errors.UpstreamBadRequest: 400,
    errors.UpstreamUnsupportedParameter: 400,
    errors.UpstreamUnable: 400,
    errors.UpstreamContextTooLong: 400,
    errors.TerminalError: 502,
}

OPENAI_TYPES: dict[int, str] = {
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    409: "conflict_error",
    429: "rate_limit_error",
    503: "overloaded_error",
    504: "timeout_error",
}

ANTHROPIC_TYPES: dict[int, str] = {
    401: "authentication_error",
    403: "permission_error",
    402: "billing_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
    503: "overloaded_error",
    504: "timeout_error",
    529: "overloaded_error",
}


def internal_error() -> HttpError:
    """What a caller is told of a bug of ours."""
    return HttpError(
        500, "internal_error", "The gateway failed; its log has the reason under this answer's request id."
    )


def from_status(status: int, headers: Mapping[str, str] | None = None) -> HttpError:
    """The error for a bare HTTP status and its headers, as a mounted application may raise it."""
    try:
        phrase = HTTPStatus(status).phrase
    except ValueError:
        phrase = "Request failed"
    named = tuple((name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in (headers or {}).items())
    return HttpError(status, phrase.lower().replace(" ", "_").replace("'", ""), f"{phrase}.", headers=named)


def status_of(error: GatewayError) -> int:
    """The HTTP status of an error; a class of its own inherits its parent's."""
    if isinstance(error, HttpError):
        return error.status
    return next((STATUS[kind] for kind in type(error).__mro__ if kind in STATUS), 500)


def headers_of(error: GatewayError, status: int, *, failed_over: bool) -> list[Header]:
    """The headers that go with an error, besides its content type and length, and how to authenticate after a 401.

    `failed_over` says that the gateway could not do it though it tried all it could by itself.
    """
    headers = list(error.headers) if isinstance(error, HttpError) else []
    never = isinstance(error, errors.BudgetExceeded | errors.UpstreamQuota) and error.retry_after is None
    if not never and (status == 429 or error.retry_after is not None or isinstance(error, errors.Overloaded)):
        headers.append((b"retry-after", str(max(1, math.ceil(error.retry_after or 1))).encode("ascii")))
    if isinstance(error, errors.UpstreamError | errors.BudgetExceeded | errors.Conflict) or (
        failed_over and isinstance(error, errors.Unavailable)
    ):
        headers.append((b"x-should-retry", b"false"))
    return headers


def body_of(error: GatewayError, status: int, request_id: str, *, form: ErrorForm) -> bytes:
    """The JSON of an error, in our own flat form, in OpenAI's or in Anthropic's."""
    if form == "anthropic":
        return anthropic_error(error, request_id)
    if form == "openai":
        failure = {
            "message": error.message,
            "type": openai_type(status),
            "param": _param(error),
            "code": error.code,
        }
        return _json({"error": failure, "details": error.details, "requestId": request_id})
    return _json({"error": error.message, "details": error.details, "code": error.code, "requestId": request_id})


def anthropic_error(error: GatewayError, request_id: str) -> bytes:
    """An error in Anthropic's form. A prompt that is too long is told in Anthropic's sentence, whose numbers clients read."""
    status = anthropic_status(error)
    kind = ANTHROPIC_TYPES.get(status) or ("api_error" if status >= 500 else "invalid_request_error")
    told = {"type": kind, "message": _too_long(error) or error.message, "code": error.code}
    return _json({"type": "error", "error": told, "details": error.details, "request_id": request_id})


def anthropic_status(error: GatewayError) -> int:
    """The status for Anthropic's clients: 529 where nobody could answer, which they wait for, and 402 where money is out."""
    if isinstance(error, errors.BudgetExceeded | errors.UpstreamQuota) and error.retry_after is None:
        return 402
    if isinstance(error, errors.Overloaded | errors.UpstreamOverloaded):
        return 529
    return (
        529 if isinstance(error, errors.Unavailable) and not isinstance(error, errors.NotCached) else status_of(error)
    )


def _too_long(error: GatewayError) -> str:
    if error.code != errors.UpstreamContextTooLong.code or "prompt is too long" in error.message:
        return ""
    size = error.details.get("size") if isinstance(error.details, dict) else None
    if not isinstance(size, dict):
        return f"prompt is too long: {error.message}"
    return f"prompt is too long: {size['tokens']} tokens > {size['maximum']} maximum"


def event_of(error: GatewayError) -> bytes:
    """The server-sent event that ends a stream which failed after its first token."""
    failure = {
        "message": error.message,
        "type": openai_type(status_of(error)),
        "code": error.code,
        "details": error.details,
    }
    return b"data: " + _json({"error": failure}) + b"\n\n"


def response_error(error: GatewayError) -> Mapping[str, str]:
    """The error of a response that failed, under the codes that Codex knows."""
    if isinstance(error, errors.UpstreamContextTooLong):
        code = "context_length_exceeded"
    elif isinstance(error, errors.BudgetExceeded | errors.UpstreamQuota) and error.retry_after is None:
        code = "insufficient_quota"
    elif isinstance(error, errors.RateLimited | errors.UpstreamThrottled):
        code = "rate_limit_exceeded"
    else:
        code = "server_error"
    return {"code": code, "message": error.message}


def openai_type(status: int) -> str:
    """OpenAI's word for a class of errors."""
    return OPENAI_TYPES.get(status) or ("server_error" if status >= 500 else "invalid_request_error")


def _json(value: Any) -> bytes:
    return orjson.dumps(value, default=str, option=orjson.OPT_NON_STR_KEYS)


def _param(error: GatewayError) -> Any:
    """The field of the request that an error is about, or None."""
    if isinstance(error, errors.UpstreamUnsupportedParameter):
        return error.parameter or None
    fields = error.details.get("fields") if isinstance(error.details, dict) else None
    return fields[0].get("field") if fields else None
