"""Alerts posted to a webhook, in a form that Slack shows as a message; tried several times, then given up."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from urllib.parse import urlsplit

import orjson

from shared.domain.alerts import Alert
from shared.errors import UpstreamError
from shared.providers import retry_after
from shared.providers.base import Timeouts
from shared.providers.http_client import HttpClient
from shared.structured import get_logger

log = get_logger(__name__)

TRIES = 5
FIRST_WAIT = 1.0
LONGEST_WAIT = 60.0
TIMEOUTS = Timeouts(connect=5, first_token=10, stall=10, total=10)
PASSING = frozenset({408, 425, 429})
"""Statuses below 500 that may be better the next time."""


class Webhook:
    """One address. It often holds a token, so nothing but its host is ever logged; redirects are not followed."""

    def __init__(
        self,
        url: str,
        client: HttpClient,
        *,
        timeouts: Timeouts = TIMEOUTS,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._url = url
        self._client = client
        self._timeouts = timeouts
        self._sleep = sleep

    async def deliver(self, period: str, alert: Alert) -> None:
        """Post an alert; when it cannot be delivered the log says so, once."""
        body = body_of(period, alert)
        for number in range(TRIES):
            problem, wait = await self._post(body)
            if not problem:
                return
            if wait is None or number == TRIES - 1:
                break
            await self._sleep(min(max(wait, _backoff(number)), LONGEST_WAIT))
        log.error(
            "the webhook in ALERT_WEBHOOK_URL has not taken an alert",
            host=_host(self._url),
            reason=problem,
            tries=number + 1,
        )

    async def _post(self, body: bytes) -> tuple[str, float | None]:
        """What went wrong, empty for nothing, and how long the receiver wants to be left alone; None: for ever."""
        headers = {"Content-Type": "application/json", "User-Agent": "mcp-gateway"}
        try:
            async with self._client.post(self._url, headers=headers, body=body, timeouts=self._timeouts) as answer:
                status, wait = answer.status, retry_after.seconds(answer.headers)
        except UpstreamError as error:
            return error.code, 0.0  # the error's words may quote the address
        if 200 <= status < 300:
            return "", None
        return f"HTTP {status}", (wait or 0.0) if status >= 500 or status in PASSING else None


def body_of(period: str, alert: Alert) -> bytes:
    """The alert as JSON: `text` is for people, the rest for programs."""
    facts = alert.model_dump(mode="json", by_alias=True)
    return orjson.dumps(
        {
            "text": facts["message"],
            "event": facts["kind"],
            "spentUsd": facts["spentUsd"],
            "thresholdUsd": facts["thresholdUsd"],
            "period": period,
            "at": facts["at"],
        }
    )


def _host(url: str) -> str:
    try:
        return urlsplit(url).hostname or ""
    except ValueError:
        return ""


def _backoff(number: int) -> float:
    """Seconds before the next try: twice as long each time, less up to half of it by chance."""
    return FIRST_WAIT * float(2**number) * random.uniform(0.5, 1)  # noqa: S311
