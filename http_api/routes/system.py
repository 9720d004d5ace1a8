"""How the gateway is."""

from http_api.binding import Row
from shared.operations.system import HEALTH
from shared.operations.unreadable import LIST_UNREADABLE

ROWS = (
    Row(method="GET", path="/health", operation=HEALTH, public=True, limited=False),
    Row(method="GET", path="/v1/unreadable", operation=LIST_UNREADABLE),
)
