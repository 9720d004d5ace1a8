"""Where a chat would go, without sending it."""

from http_api.binding import Row
from http_api.routes.chat import merge_options
from shared.operations import routing

ROWS = (Row(method="POST", path="/v1/route/explain", operation=routing.EXPLAIN_ROUTE, as_chat=merge_options),)
