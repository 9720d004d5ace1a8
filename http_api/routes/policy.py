"""The command policy."""

from http_api.binding import Row
from shared.operations import policy

ROWS = (
    Row(method="GET", path="/v1/terminal/policy", operation=policy.GET_POLICY),
    Row(method="PUT", path="/v1/terminal/policy", operation=policy.CHANGE_POLICY),
    Row(method="POST", path="/v1/terminal/policy/check", operation=policy.CHECK_COMMAND),
)
