"""Ollama's failures, classified by status and by the structured error that may be inside, never by message text. Pure.

Source: https://docs.ollama.com/api/errors. `error` is a sentence, or the JSON of its runner's own error as a string.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from shared.domain.usage import MOST_TOKENS
from shared.errors import (
    UpstreamAuthFailed,
    UpstreamBadRequest,
    UpstreamContextTooLong,
    UpstreamError,
    UpstreamOverloaded,
    UpstreamQuota,
    UpstreamThrottled,
    UpstreamTimeout,
    UpstreamUnable,
)
from shared.providers import retry_after as waits
from shared.providers.wordings import inability

CONTEXT_CODE = "exceed_context_size_error"
MAX_DETAIL = 500
BY_STATUS: Mapping[int, type[UpstreamError]] = {
    **dict.fromkeys((400, 405, 409, 413, 415, 422), UpstreamBadRequest),
    **dict.fromkeys((401, 403), UpstreamAuthFailed),
    **dict.fromkeys((408, 504), UpstreamTimeout),
    402: UpstreamQuota,
    429: UpstreamThrottled,
    503: UpstreamOverloaded,
}
ADVICE: Mapping[type[UpstreamError], str] = {
    UpstreamBadRequest: "it does not accept this request; change the request as its answer says",
    UpstreamContextTooLong: "the conversation is longer than the context window that the model can have",
    UpstreamAuthFailed: "it refuses the API key; check the key in the gateway's settings",
    UpstreamQuota: "the account has no credit left; top it up or use another provider",
    UpstreamThrottled: "too many requests; wait, or use another model",
    UpstreamOverloaded: "it is busy or still loading; try again later or use another model",
    UpstreamTimeout: "it did not finish in time; try again or use another model",
    UpstreamError: "it failed; try again or use another model",
}
NO_SUCH_MODEL = "it does not have this model; pull it, or check the model's apiModelName"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reason:
    """What an error says. `code` is empty where it is a mere sentence; `prompt` is the prompt's length in tokens, if told."""

    message: str = ""
    code: str = ""
    prompt: int | None = None


def from_response(
    provider: str, status: int, headers: Mapping[str, str], reason: Reason, *, tight: bool = False, secret: str = ""
) -> UpstreamError:
    """The failure that an error answer means. `tight`: the prompt may have been too long for the window it had."""
    found = BY_STATUS.get(status, UpstreamError)
    # A refused prompt has a code from one of Ollama's runners and none from the others; numbers decide there.
    if reason.code == CONTEXT_CODE or (status == 400 and not reason.code and tight):
        found = UpstreamContextTooLong
    if status == 400 and (ability := inability(reason.message)) is not None:
        details = _shown(reason, secret)
        return UpstreamUnable(f"{provider} answered 400: {details}", ability=ability, status=status, details=details)
    advice = NO_SUCH_MODEL if status == 404 else ADVICE[found]
    return found(
        f"{provider} answered {status}: {_reason_or(advice, found, reason, secret)}",
        status=status,
        details=_shown(reason, secret),
        operator_detail=reason.code,
        retry_after=waits.seconds(headers),
    )


def from_line(provider: str, error: Any) -> UpstreamError:
    """The failure that an error inside a stream, or inside an answer with status 200, means."""
    reason = _reason(error)
    found = UpstreamContextTooLong if reason.code == CONTEXT_CODE else UpstreamError
    return found(
        f"{provider} reported an error: {ADVICE[found]}.",
        status=500,  # what Ollama answers to the same before the stream has begun; it is there, after all
        details=_shown(reason, ""),
        operator_detail=reason.code,
    )


def reason_of(body: bytes) -> Reason:
    """What the body of an error answer says; nothing where it is not Ollama's."""
    try:
        parsed = orjson.loads(body)
    except orjson.JSONDecodeError:
        return Reason()
    return _reason(parsed.get("error")) if isinstance(parsed, dict) else Reason()


def _reason(error: Any) -> Reason:
    found = _inner(error) if isinstance(error, str) else error
    if not isinstance(found, dict):
        return Reason(message=str(error)) if isinstance(error, str) else Reason()
    prompt = found.get("n_prompt_tokens")
    return Reason(
        message=str(found.get("message") or ""),
        code=str(found.get("type") or found.get("code") or ""),
        prompt=prompt if isinstance(prompt, int) and 0 < prompt <= MOST_TOKENS else None,
    )


def _inner(error: str) -> Any:
    """The error object inside a sentence that is JSON itself."""
    if not error.startswith("{"):
        return None
    try:
        return orjson.loads(error).get("error")
    except orjson.JSONDecodeError:
        return None


def _reason_or(advice: str, found: type[UpstreamError], reason: Reason, secret: str) -> str:
    """The server's own sentence where it says what the caller can change, else the advice."""
    told = _shown(reason, secret) if found in (UpstreamBadRequest, UpstreamContextTooLong) else ""
    return told or f"{advice}."


def _shown(reason: Reason, secret: str) -> str:
    return (reason.message.replace(secret, "***") if secret else reason.message)[:MAX_DETAIL]
