"""Gateway API keys."""

from http_api.binding import Row
from shared.operations import keys

ROWS = (
    Row(method="GET", path="/v1/keys", operation=keys.LIST_KEYS),
    Row(method="POST", path="/v1/keys", operation=keys.CREATE_KEY, status=201),
    Row(method="DELETE", path="/v1/keys/{keyId}", operation=keys.DELETE_KEY),
)
