"""A receiver of OTLP over HTTP that decodes what it gets: spans and metrics as plain values."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest


@dataclass(frozen=True, kw_only=True)
class ReceivedSpan:
    """A span as it came over the wire; `kind` is the name in the protocol, ids are hexadecimal."""

    name: str
    kind: str
    trace_id: str
    span_id: str
    parent_id: str
    attributes: dict[str, Any]
    status: str
    message: str
    nanoseconds: int


@dataclass
class Receiver:
    """What has come so far. `raw` has the bodies as they came, `headers` those of the last request."""

    url: str
    spans: list[ReceivedSpan] = field(default_factory=list)
    metrics: dict[str, Any] = field(default_factory=dict)
    resource: dict[str, Any] = field(default_factory=dict)
    schemas: set[str] = field(default_factory=set)
    raw: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)

    def named(self, name: str) -> list[ReceivedSpan]:
        """The spans of that name, oldest first."""
        return [span for span in self.spans if span.name == name]

    def one(self, name: str) -> ReceivedSpan:
        """The one span of that name."""
        found = self.named(name)
        assert len(found) == 1, [span.name for span in self.spans]
        return found[0]

    def take(self, path: str, body: bytes, headers: dict[str, str]) -> None:
        """Decode what was posted."""
        self.raw += body
        self.headers = headers
        if path == "/v1/traces":
            self._take_spans(body)
        elif path == "/v1/metrics":
            self._take_metrics(body)

    def _take_spans(self, body: bytes) -> None:
        from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
        from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

        for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
            self.resource = _attributes(resource.resource.attributes)
            for scope in resource.scope_spans:
                self.schemas.add(scope.schema_url)
                self.spans += [
                    ReceivedSpan(
                        name=span.name,
                        kind=Span.SpanKind.Name(span.kind).removeprefix("SPAN_KIND_"),
                        trace_id=span.trace_id.hex(),
                        span_id=span.span_id.hex(),
                        parent_id=span.parent_span_id.hex(),
                        attributes=_attributes(span.attributes),
                        status=Status.StatusCode.Name(span.status.code).removeprefix("STATUS_CODE_"),
                        message=span.status.message,
                        nanoseconds=span.end_time_unix_nano - span.start_time_unix_nano,
                    )
                    for span in scope.spans
                ]

    def _take_metrics(self, body: bytes) -> None:
        from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest

        for resource in ExportMetricsServiceRequest.FromString(body).resource_metrics:
            for scope in resource.scope_metrics:
                self.schemas.add(scope.schema_url)
                self.metrics |= {metric.name: metric for metric in scope.metrics}


@contextmanager
def otlp_receiver() -> Iterator[Receiver]:
    """One that listens on loopback, for the length of the block."""
    pytest.importorskip("opentelemetry.sdk", reason="the extra 'otel' is not installed")
    pytest.importorskip("opentelemetry.exporter.otlp.proto.http", reason="the extra 'otel' is not installed")

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length", 0)))
            receiver.take(self.path, body, {name.lower(): value for name, value in self.headers.items()})
            self.send_response(200)
            self.send_header("content-type", "application/x-protobuf")
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            """Nothing of it on stderr."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        server.block_on_close = False
        receiver = Receiver(f"http://127.0.0.1:{server.server_address[1]}")
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield receiver
        finally:
            server.shutdown()


def _attributes(pairs: Any) -> dict[str, Any]:
    return {pair.key: _value(pair.value) for pair in pairs}


def _value(value: Any) -> Any:
    kind = value.WhichOneof("value")
    return [_value(one) for one in value.array_value.values] if kind == "array_value" else getattr(value, kind)
