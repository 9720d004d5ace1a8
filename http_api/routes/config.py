"""The live configuration."""

from http_api.binding import Row
from shared.operations import config

ROWS = (
    Row(method="GET", path="/v1/config", operation=config.GET_CONFIG),
    Row(method="PUT", path="/v1/config", operation=config.CHANGE_CONFIG),
)
