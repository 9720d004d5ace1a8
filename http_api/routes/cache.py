"""The cache of answers."""

from http_api.binding import Row
from shared.operations import cache

ROWS = (Row(method="DELETE", path="/v1/cache", operation=cache.CLEAR_CACHE),)
