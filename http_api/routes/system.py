"""How the gateway is."""

from http_api.binding import Row
from shared.operations.system import HEALTH, HealthReport


def _status(report: HealthReport) -> int:
    """Degraded still serves; only without its database it cannot."""
    return 503 if report.status == "error" else 200


ROWS = (Row(method="GET", path="/health", operation=HEALTH, public=True, limited=False, status_of=_status),)
