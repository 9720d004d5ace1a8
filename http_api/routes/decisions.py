"""How requests were routed, and how they would be."""

from http_api.binding import Row
from shared.operations import decisions, replay

ROWS = (
    Row(method="GET", path="/v1/decisions/{requestId}", operation=decisions.GET_DECISION),
    Row(method="POST", path="/v1/replay", operation=replay.REPLAY),
)
