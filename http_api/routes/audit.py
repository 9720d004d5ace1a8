"""The audit trail."""

from http_api.binding import Row
from shared.operations import audit, trace

ROWS = (
    Row(method="GET", path="/v1/audit", operation=audit.LIST_AUDIT),
    Row(method="GET", path="/v1/audit/verify", operation=audit.VERIFY_AUDIT),
    Row(method="GET", path="/v1/trace/{traceId}", operation=trace.GET_TRACE),
)
