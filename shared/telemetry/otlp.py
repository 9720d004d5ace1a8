"""OpenTelemetry's one home: its SDK batches our spans, and its exporters send spans and metrics by OTLP over HTTP."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote
from uuid import uuid4

import anyio
import anyio.to_thread

from shared.domain.measures import Family, Sample
from shared.domain.trace import Trace
from shared.telemetry.tracing import Kind, Span

SCHEMA = "https://opentelemetry.io/schemas/1.41.1"
"""The version of the semantic conventions whose names our spans and metrics have; the last with GenAI and MCP in it."""
SCOPE = "ai-mcp-gateway"
EXPORT_SECONDS = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class OtlpOptions:
    """Where to, and as whom. `endpoint` is the base to which `/v1/traces` and `/v1/metrics` are added."""

    endpoint: str
    service: str
    version: str
    headers: str = field(default="", repr=False)
    attributes: str = ""
    traces: bool = True
    metrics: bool = True


def pairs(text: str) -> dict[str, str]:
    """`name=value` pairs with commas between them, values percent-encoded, as OpenTelemetry's variables have them."""
    found = (item.partition("=") for item in text.split(",") if "=" in item)
    return {name.strip(): unquote(value.strip()) for name, _, value in found}


class OtlpExporter:
    """Sends spans and metrics. Raises ImportError when the extra `otel` is not installed."""

    def __init__(self, options: OtlpOptions) -> None:
        from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider, sampling
        from opentelemetry.sdk.trace.export import BatchSpanProcessor

        base, headers = options.endpoint.rstrip("/"), pairs(options.headers)
        self._resource = Resource.create(
            {
                "service.version": options.version,
                "service.instance.id": str(uuid4()),
                **pairs(options.attributes),
                "service.name": options.service,
            },
            SCHEMA,
        )
        self._ids = _Ids()
        self._started = time.time_ns()
        self._exporters: list[Any] = []
        self._metrics: Any = None
        self._provider: Any = None
        if options.traces:
            sent = OTLPSpanExporter(endpoint=f"{base}/v1/traces", headers=headers, timeout=EXPORT_SECONDS)
            self._exporters.append(sent)
            self._provider = TracerProvider(
                sampler=sampling.ALWAYS_ON,  # what is not recorded never comes here
                resource=self._resource,
                id_generator=self._ids,
                shutdown_on_exit=False,
            )
            self._provider.add_span_processor(BatchSpanProcessor(sent))
            self._tracer = self._provider.get_tracer(SCOPE, options.version, schema_url=SCHEMA)
        if options.metrics:
            self._metrics = OTLPMetricExporter(endpoint=f"{base}/v1/metrics", headers=headers, timeout=EXPORT_SECONDS)
            self._exporters.append(self._metrics)

    def span(self, span: Span) -> None:
        """Give a span that has ended to the SDK, which sends it later in a thread of its own."""
        from opentelemetry.trace import Status, StatusCode

        if self._provider is None:
            return
        self._ids.trace_id, self._ids.span_id = int(span.trace.trace_id, 16), int(span.trace.span_id, 16)
        made = self._tracer.start_span(
            span.name,
            _context(span.trace._replace(span_id=span.parent) if span.parent else None),
            kind=_kind(span.kind),
            attributes=span.attributes,
            start_time=span.started,
        )
        if span.error:
            made.set_status(Status(StatusCode.ERROR, span.error))
        made.end(span.ended)

    async def families(self, families: list[Family]) -> None:
        """Send metrics, in a worker thread; a receiver that does not answer is logged by the exporter."""
        if self._metrics is not None:
            await anyio.to_thread.run_sync(self._send, families, abandon_on_cancel=True)

    def _send(self, families: list[Family]) -> None:
        self._metrics.export(_metrics_data(families, self._resource, self._started, time.time_ns()))

    async def aclose(self) -> None:
        """Send what is left."""
        await anyio.to_thread.run_sync(self._shut_down, abandon_on_cancel=True)

    def abort(self) -> None:
        """Give up what is still tried again: the threads that try would hold up the end of the process."""
        for exporter in self._exporters:
            exporter.shutdown()

    def _shut_down(self) -> None:
        if self._provider is not None:
            self._provider.shutdown()
        if self._metrics is not None:
            self._metrics.shutdown()


class _Ids:
    """Gives the SDK the ids that our span has already: its provider and the client were told of them."""

    trace_id = 0
    span_id = 0

    def generate_span_id(self) -> int:
        return self.span_id

    def generate_trace_id(self) -> int:
        return self.trace_id

    def is_trace_id_random(self) -> bool:
        """A client may have made the trace's id."""
        return False


def _kind(kind: Kind) -> Any:
    from opentelemetry.trace import SpanKind

    return {"server": SpanKind.SERVER, "client": SpanKind.CLIENT, "internal": SpanKind.INTERNAL}[kind]


def _context(parent: Trace | None) -> Any:
    from opentelemetry.context import Context
    from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags, set_span_in_context

    if parent is None:
        return Context()
    around = SpanContext(
        int(parent.trace_id, 16), int(parent.span_id, 16), is_remote=False, trace_flags=TraceFlags(parent.flags)
    )
    return set_span_in_context(NonRecordingSpan(around), Context())


UNITS = {"_seconds": "s", "_bytes": "By"}


def _metrics_data(families: list[Family], resource: Any, started: int, now: int) -> Any:
    from opentelemetry.sdk.metrics.export import Metric, MetricsData, ResourceMetrics, ScopeMetrics
    from opentelemetry.sdk.util.instrumentation import InstrumentationScope

    metrics = []
    for family in families:
        if family.samples:
            name, unit = named(family)
            metrics.append(Metric(name, family.help, unit, _data(family, started, now)))
    scope = ScopeMetrics(InstrumentationScope(SCOPE, schema_url=SCHEMA), metrics, SCHEMA)
    return MetricsData([ResourceMetrics(resource, [scope], SCHEMA)])


def named(family: Family) -> tuple[str, str]:
    """The name and unit that a family has in OpenTelemetry: `gateway_chat_seconds` is `gateway.chat` in `s`.

    Names that have dots are those of the conventions already.
    """
    if "." in family.name:
        return family.name, "{token}" if family.bounds and family.name.endswith("token.usage") else "s"
    name = family.name.removesuffix("_total")
    ending = next((ending for ending in UNITS if name.endswith(ending)), "")
    first, _, rest = name.removesuffix(ending).partition("_")
    return f"{first}.{rest}", UNITS.get(ending, "1")


def _data(family: Family, started: int, now: int) -> Any:
    from opentelemetry.sdk.metrics.export import (
        AggregationTemporality,
        Gauge,
        Histogram,
        NumberDataPoint,
        Sum,
    )

    whole = AggregationTemporality.CUMULATIVE
    if family.kind == "histogram":
        return Histogram([_bucketed(family, sample, started, now) for sample in family.samples], whole)
    points = [NumberDataPoint(_labelled(family, sample), started, now, sample.value) for sample in family.samples]
    return Gauge(points) if family.kind == "gauge" else Sum(points, whole, is_monotonic=True)


def _bucketed(family: Family, sample: Sample, started: int, now: int) -> Any:
    from opentelemetry.sdk.metrics.export import HistogramDataPoint

    return HistogramDataPoint(
        attributes=_labelled(family, sample),
        start_time_unix_nano=started,
        time_unix_nano=now,
        count=sum(sample.counts),
        sum=sample.value,
        bucket_counts=sample.counts,
        explicit_bounds=family.bounds,
        min=None,
        max=None,
    )


def _labelled(family: Family, sample: Sample) -> Mapping[str, str]:
    return dict(zip(family.labels, sample.labels, strict=True))
