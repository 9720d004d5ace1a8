"""What was used."""

from http_api.binding import Row
from shared.operations import usage

ROWS = (
    Row(method="GET", path="/v1/usage", operation=usage.QUERY_USAGE),
    Row(method="GET", path="/v1/stats", operation=usage.STATS),
)
