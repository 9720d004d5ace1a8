"""How long a provider asks callers to wait, from the headers and the body of an error. Pure."""

import email.utils
import re
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

LONGEST = 86_400.0
"""The longest wait in seconds that is believed: a daily limit."""

MILLISECONDS_FROM = 1e11
"""An epoch from here on is in milliseconds: as seconds it would be the year 5138."""

EPOCH_FROM = 1e9
"""A reset from here on is an epoch; a smaller one is a number of seconds."""

DURATION = re.compile(r"\s*([0-9]{1,9}(?:\.[0-9]{1,9})?)s\s*")


def seconds(headers: Mapping[str, str], error: Any = None, *, clock: Callable[[], float] = time.time) -> float | None:
    """Return the seconds to wait, or None when the provider names no time.

    `headers` have lower-case names; `error` is the parsed `error` object of the body. In this order: `retry-after-ms`
    (OpenAI, Azure), `retry-after` (RFC 9110, 10.2.3), `retryDelay` of google.rpc.RetryInfo (Gemini), and
    `x-ratelimit-reset` in the headers or in `error.metadata.headers` (OpenRouter).
    """
    for wait in _waits(headers, error, clock):
        if wait is not None and wait == wait:
            return min(max(wait, 0.0), LONGEST)
    return None


def _waits(headers: Mapping[str, str], error: Any, clock: Callable[[], float]) -> Iterator[float | None]:
    milliseconds = _number(headers.get("retry-after-ms"))
    yield None if milliseconds is None else milliseconds / 1000
    yield _retry_after(headers.get("retry-after", "").strip(), clock)
    yield _retry_delay(error)
    yield _reset(headers.get("x-ratelimit-reset"), clock)
    yield _reset(_passed_on(error), clock)


def _retry_after(value: str, clock: Callable[[], float]) -> float | None:
    if not value:
        return None
    if (number := _number(value)) is not None:
        return number
    moment = email.utils.parsedate_tz(value)
    return None if moment is None else email.utils.mktime_tz(moment) - clock()


def _retry_delay(error: Any) -> float | None:
    details = error.get("details") if isinstance(error, Mapping) else None
    for detail in details if isinstance(details, list) else ():
        delay = detail.get("retryDelay") if isinstance(detail, Mapping) else None
        if isinstance(delay, str) and (found := DURATION.fullmatch(delay)):
            return float(found[1])
    return None


def _passed_on(error: Any) -> Any:
    """The `X-RateLimit-Reset` that OpenRouter repeats inside an error."""
    metadata = error.get("metadata") if isinstance(error, Mapping) else None
    headers = metadata.get("headers") if isinstance(metadata, Mapping) else None
    if not isinstance(headers, Mapping):
        return None
    return next((value for name, value in headers.items() if str(name).lower() == "x-ratelimit-reset"), None)


def _reset(value: Any, clock: Callable[[], float]) -> float | None:
    number = _number(value)
    if number is None or number < EPOCH_FROM:
        return number
    return (number / 1000 if number >= MILLISECONDS_FROM else number) - clock()


def _number(value: Any) -> float | None:
    try:
        return float(value) if isinstance(value, str | int | float) and not isinstance(value, bool) else None
    except (ValueError, OverflowError):
        return None
