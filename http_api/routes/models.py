"""Models and layers."""

from http_api.binding import Row
from shared.operations import aliases, models

ROWS = (
    Row(method="GET", path="/v1/models", operation=models.LIST_MODELS, lenient=True),
    Row(method="POST", path="/v1/models", operation=models.ADD_MODEL, status=201),
    Row(method="GET", path="/v1/models/layers", operation=models.LIST_LAYERS),
    Row(method="GET", path="/v1/models/{id:path}", operation=models.GET_MODEL, lenient=True),
    Row(method="PUT", path="/v1/models/{id:path}", operation=models.UPDATE_MODEL),
    Row(method="DELETE", path="/v1/models/{id:path}", operation=models.DELETE_MODEL),
    Row(method="PUT", path="/v1/layers/{layer}/toggle", operation=models.TOGGLE_LAYER),
    Row(method="PUT", path="/v1/layers/{layer}/reorder", operation=models.REORDER_LAYER),
    Row(method="GET", path="/v1/aliases", operation=aliases.LIST_ALIASES),
    Row(method="PUT", path="/v1/aliases", operation=aliases.CHANGE_ALIASES),
)
