"""`/metrics` for Prometheus: what this process measures, and the other workers of the same `serve`."""

from collections.abc import Awaitable, Callable, Iterable, Iterator

import anyio.to_thread
from prometheus_client.exposition import choose_encoder
from prometheus_client.metrics_core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from starlette.types import ASGIApp, Receive, Scope, Send

from http_api.context import exchange_of
from http_api.responses import NO_STORE, send_bytes
from shared.domain.measures import Family, counter, gauge

METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "WEBSOCKET"})
LABELS = ("method", "path", "status")


class Metrics:
    """What one application measures. Requests are counted in plain integers, and made into families on demand."""

    def __init__(self) -> None:
        self.in_flight = 0
        self._requests: dict[tuple[str, str, int], list[float]] = {}

    def answered(self, method: str, path: str, status: int, seconds: float) -> None:
        """Count a request by its route's template."""
        key = (method if method in METHODS else "OTHER", path, status)
        entry = self._requests.get(key)
        if entry is None:
            entry = self._requests[key] = [0, 0.0]
        entry[0] += 1
        entry[1] += seconds

    def families(self) -> list[Family]:
        """Everything that was counted."""
        requests = {(method, path, str(status)): found for (method, path, status), found in self._requests.items()}
        counts = {key: count for key, (count, _) in requests.items()}
        seconds = {key: total for key, (_, total) in requests.items()}
        return [
            counter("gateway_http_requests_total", "Requests answered.", counts, LABELS),
            counter("gateway_http_seconds_total", "Seconds spent answering.", seconds, LABELS),
            gauge("gateway_http_in_flight", "Requests being answered.", self.in_flight),
        ]


class _Collected:
    """Families as the encoders of prometheus_client take them."""

    def __init__(self, families: Iterable[Family]) -> None:
        self._families = families

    def collect(self) -> Iterator[Metric]:
        """Each family in their form."""
        return map(_metric, self._families)


def exposition(families: Iterable[Family], accept: str) -> tuple[bytes, str]:
    """Families in the format that is asked for, and its media type."""
    encode, media = choose_encoder(accept)
    return encode(_Collected(families)), media


def endpoint(families: Callable[[], Awaitable[list[Family]]]) -> ASGIApp:
    """The application behind `/metrics`. The text is made in a thread, since it may be some megabytes."""

    async def application(scope: Scope, receive: Receive, send: Send) -> None:
        accept = exchange_of(scope).headers.get(b"accept", b"").decode("latin-1")
        body, media = await anyio.to_thread.run_sync(exposition, await families(), accept)
        await send_bytes(scope, send, body, media=media.encode("latin-1"), headers=[NO_STORE])

    return application


def _metric(family: Family) -> Metric:
    if family.kind == "histogram":
        return _histogram(family)
    kind = CounterMetricFamily if family.kind == "counter" else GaugeMetricFamily
    made = kind(family.name, family.help, labels=family.labels)
    for sample in family.samples:
        made.add_metric(sample.labels, sample.value)
    return made


def _histogram(family: Family) -> Metric:
    made = HistogramMetricFamily(family.name, family.help, labels=family.labels)
    bounds = [*map(str, family.bounds), "+Inf"]
    for sample in family.samples:
        below, buckets = 0, []
        for bound, count in zip(bounds, sample.counts, strict=True):
            below += count
            buckets.append((bound, float(below)))
        made.add_metric(sample.labels, buckets, sample.value)
    return made
