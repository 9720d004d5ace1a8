"""Commands that wait for approval."""

from http_api.binding import Row
from shared.operations import approvals

ROWS = (
    Row(method="GET", path="/v1/approvals", operation=approvals.LIST_APPROVALS),
    Row(method="POST", path="/v1/approvals/{id}", operation=approvals.DECIDE_APPROVAL),
)
