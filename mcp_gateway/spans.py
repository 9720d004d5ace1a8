"""The SERVER span of a tool call over MCP, in the form of OpenTelemetry's MCP conventions."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from mcp_gateway.identity import EXCHANGE, Context
from shared.domain import trace
from shared.domain.trace import CURRENT, SAMPLED, Trace
from shared.telemetry.tracing import Span, Telemetry, known

SESSION = "mcp-session-id"


@contextmanager
def served(telemetry: Telemetry, context: Context, tool: str) -> Iterator[None]:
    """A block in which a tool call is answered. Inside it the trace's flags say whether it is recorded."""
    step, parent = _step(telemetry, context)
    if not step.flags & SAMPLED:
        with trace.tracing(step):
            yield
        return
    span = Span(name=f"tools/call {tool}", kind="server", trace=step, parent=parent, attributes=_facts(context, tool))
    with telemetry.within(span):
        yield


def _step(telemetry: Telemetry, context: Context) -> tuple[Trace, str]:
    """Our step and the id of the one around it: the one that the request's `_meta` names, or that of the web request."""
    given = (context.meta or {}).get("traceparent")
    if (named := trace.named(given)) is not None:
        return telemetry.begun(given), named.span_id
    around = _exchange(context)
    if around is not None and around.trace is not None:
        return trace.step_of(around.trace), around.trace.span_id
    if (current := CURRENT.get()) is None:
        return telemetry.begun(), ""
    return telemetry.sampled(current), ""


def _facts(context: Context, tool: str) -> dict[str, Any]:
    request, exchange = context.request, _exchange(context)
    session = exchange.headers.get(SESSION.encode(), b"").decode("latin-1")[:200] if exchange is not None else ""
    return known(
        {
            "mcp.method.name": "tools/call",
            "mcp.protocol.version": context.protocol_version,
            "mcp.session.id": session,
            "jsonrpc.request.id": None if context.request_id is None else str(context.request_id)[:200],
            "gen_ai.operation.name": "execute_tool",
            "gen_ai.tool.name": tool,
            "network.transport": "pipe" if request is None else "tcp",
            "network.protocol.name": None if request is None else "http",
        }
    )


def _exchange(context: Context) -> Any:
    """What the HTTP surface knows of the web request; None on stdio."""
    return getattr(context.request, "scope", {}).get(EXCHANGE)
