"""How the gateway is."""

from http_api.binding import Row
from shared.operations.system import HEALTH, HealthReport
from shared.operations.unreadable import LIST_UNREADABLE


def _status(report: HealthReport) -> int:
    """Degraded still serves; only without its database it cannot."""
    return 503 if report.status == "error" else 200


ROWS = (
    Row(method="GET", path="/health", operation=HEALTH, public=True, limited=False, status_of=_status),
    Row(method="GET", path="/v1/unreadable", operation=LIST_UNREADABLE),
)
