"""Providers."""

from http_api.binding import Row
from shared.operations import providers

ROWS = (
    Row(method="GET", path="/v1/providers", operation=providers.LIST_PROVIDERS),
    Row(method="POST", path="/v1/providers", operation=providers.ADD_PROVIDER, status=201),
    Row(method="PUT", path="/v1/providers/{name}", operation=providers.UPDATE_PROVIDER),
    Row(method="DELETE", path="/v1/providers/{name}", operation=providers.DELETE_PROVIDER),
)
