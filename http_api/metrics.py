"""What Prometheus may ask of us: counters of requests and chats, and gauges of the core."""

from collections.abc import Callable, Iterable, Mapping

from prometheus_client import CollectorRegistry, Histogram
from prometheus_client.exposition import choose_encoder
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric
from starlette.types import ASGIApp, Receive, Scope, Send

from http_api.context import exchange_of
from http_api.responses import NO_STORE, send_bytes

METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "WEBSOCKET"})
BUCKETS = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600)

Gauge = tuple[str, str, Mapping[str, float]]
"""Name, help, and the value for each label (the only label is called `name`; an empty one stands for none)."""


class Metrics:
    """The numbers of one application, in a registry of its own. Requests are counted in plain integers."""

    def __init__(self, gauges: Callable[[], Iterable[Gauge]] = lambda: ()) -> None:
        self.in_flight = 0
        self._gauges = gauges
        self._requests: dict[tuple[str, str, int], list[float]] = {}
        self._registry = CollectorRegistry()
        self._registry.register(self)
        chat = Histogram(
            "gateway_chat_seconds",
            "Seconds to a whole answer, or to the end of a stream.",
            ["stream"],
            registry=self._registry,
            buckets=BUCKETS,
        )
        self._chat = {stream: chat.labels("true" if stream else "false") for stream in (False, True)}

    def answered(self, method: str, path: str, status: int, seconds: float) -> None:
        """Count a request by its route's template."""
        key = (method if method in METHODS else "OTHER", path, status)
        entry = self._requests.get(key)
        if entry is None:
            entry = self._requests[key] = [0, 0.0]
        entry[0] += 1
        entry[1] += seconds

    def chatted(self, seconds: float, *, stream: bool) -> None:
        """Note how long a chat took."""
        self._chat[stream].observe(seconds)

    def collect(self) -> Iterable[Metric]:
        """All but the histogram, made when somebody asks."""
        labels = ["method", "path", "status"]
        counts = CounterMetricFamily("gateway_http_requests", "Requests answered.", labels=labels)
        seconds = CounterMetricFamily("gateway_http_seconds", "Seconds spent answering.", labels=labels)
        for (method, path, status), (count, total) in self._requests.items():
            counts.add_metric([method, path, str(status)], count)
            seconds.add_metric([method, path, str(status)], total)
        yield from (counts, seconds)
        yield GaugeMetricFamily("gateway_http_in_flight", "Requests being answered.", value=self.in_flight)
        for name, text, values in self._gauges():
            family = GaugeMetricFamily(name, text, labels=["name"] if any(values) else None)
            for label, value in values.items():
                family.add_metric([label] if label else [], value)
            yield family

    def exposition(self, accept: str) -> tuple[bytes, str]:
        """Everything in the format that is asked for, and its media type."""
        encode, media = choose_encoder(accept)
        return encode(self._registry), media


def endpoint(metrics: Metrics) -> ASGIApp:
    """The application behind `/metrics`."""

    async def application(scope: Scope, receive: Receive, send: Send) -> None:
        accept = exchange_of(scope).headers.get(b"accept", b"").decode("latin-1")
        body, media = metrics.exposition(accept)
        await send_bytes(scope, send, body, media=media.encode("latin-1"), headers=[NO_STORE])

    return application
